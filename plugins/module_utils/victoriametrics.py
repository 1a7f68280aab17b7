# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How VictoriaMetrics, vmagent and vmalert are started: the words of their command lines.

Nothing here reads or writes anything. Passwords are in files; a command line only names them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

#: Samples of the cluster's own network arrive within this time; the default of 30 s would hide the
#: newest samples from whoever asks whether they are fresh.
LATENCY_SECONDS = 5
#: How often vmagent looks for changed files of targets.
TARGETS_SECONDS = 10
#: How long a receiver that was away waits at most to be tried again; the default is 60 s.
RETRY_SECONDS = 10
#: A size as VictoriaMetrics reads it.
_SIZE = re.compile(r"\d+(\.\d+)?([KMGT]i?B)?")
#: What would end a word of ExecStart, or begin something else.
_UNSAFE = re.compile(r"[\s\"'\\;]")


class VictoriaError(ValueError):
    """A setting that the programs would not take, and what is expected."""


@dataclass(frozen=True)
class Settings:
    """What the command lines depend on. Files are paths on the monitoring host, None for none."""

    address: str
    port: int
    agent_port: int
    alerter_port: int
    user: str
    password_file: str
    storage_dir: str
    retention_days: int
    interval_seconds: int
    external_url: str
    agent_config: str
    buffer_size: str
    rule_files: tuple[str, ...] = ()
    alertmanager: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    certificate_file: Optional[str] = None
    key_file: Optional[str] = None
    server_name: Optional[str] = None
    #: The outside receiver, as Prometheus' remote_write has it.
    remote_write: Optional[Mapping[str, Any]] = None

    @property
    def server_url(self) -> str:
        """Where the server answers."""
        scheme = "https" if self.certificate_file else "http"
        return f"{scheme}://{self.address}:{self.port}"

    @property
    def agent_url(self) -> str:
        """Where vmagent answers."""
        return f"http://127.0.0.1:{self.agent_port}"

    @property
    def alerter_url(self) -> str:
        """Where vmalert answers."""
        return f"http://127.0.0.1:{self.alerter_port}"


def server_flags(settings: Settings) -> list[str]:
    """Return the flags of the server: who asks it for alerts and rules gets vmalert's."""
    flags = [
        f"-httpListenAddr={settings.address}:{settings.port}",
        *_own_password(settings),
        f"-storageDataPath={settings.storage_dir}/victoriametrics",
        f"-retentionPeriod={settings.retention_days}d",
        f"-search.latencyOffset={LATENCY_SECONDS}s",
        f"-vmalert.proxyURL={settings.alerter_url}",
    ]
    if settings.certificate_file:
        flags += [
            "-tls",
            f"-tlsCertFile={settings.certificate_file}",
            f"-tlsKeyFile={settings.key_file}",
        ]
    return flags


def agent_flags(settings: Settings) -> list[str]:
    """Return the flags of vmagent: it keeps on disk what a receiver has not taken yet.

    Each setting of a receiver is given once per receiver, empty for one without it: a single value
    would count for all of them, and show the outside one the server's password.
    """
    if not _SIZE.fullmatch(settings.buffer_size):
        raise VictoriaError(
            f"monitoring_remote_write_buffer_size is '{settings.buffer_size}', "
            "expected a size such as 10GB"
        )
    return [
        f"-httpListenAddr=127.0.0.1:{settings.agent_port}",
        *_own_password(settings),
        f"-promscrape.config={settings.agent_config}",
        "-promscrape.config.strictParse",
        f"-promscrape.fileSDCheckInterval={TARGETS_SECONDS}s",
        f"-remoteWrite.tmpDataPath={settings.storage_dir}/vmagent",
        f"-remoteWrite.maxDiskUsagePerURL={settings.buffer_size}",
        f"-remoteWrite.retryMaxTime={RETRY_SECONDS}s",
        *_receiver("remoteWrite", f"{settings.server_url}/api/v1/write", settings),
        *_outside(settings),
    ]


def alerter_flags(settings: Settings) -> list[str]:
    """Return the flags of vmalert: what it finds goes through vmagent, to all receivers."""
    agent = Settings(**{**settings.__dict__, "certificate_file": None})
    flags = [
        f"-httpListenAddr=127.0.0.1:{settings.alerter_port}",
        *_own_password(settings),
        *(f"-rule={path}" for path in settings.rule_files),
        f"-evaluationInterval={settings.interval_seconds}s",
        f"-external.url={settings.external_url}",
        *(f"-external.label={name}={text}" for name, text in settings.labels.items()),
        *_receiver("datasource", settings.server_url, settings),
        *_receiver("remoteRead", settings.server_url, settings),
        *(
            flag
            for flag in _receiver("remoteWrite", settings.agent_url, agent)
            if "tls" not in flag
        ),
    ]
    if settings.alertmanager:
        scheme = "https" if settings.certificate_file else "http"
        return flags + _receiver("notifier", f"{scheme}://{settings.alertmanager}", settings)
    return [*flags, "-notifier.blackhole"]


def _own_password(settings: Settings) -> list[str]:
    """Return who may ask a program; it reads the file anew when that has changed."""
    return [
        f"-httpAuth.username={settings.user}",
        f"-httpAuth.password=file://{settings.password_file}",
    ]


def _receiver(name: str, url: str, settings: Settings) -> list[str]:
    """Return how one of our own programs is spoken to."""
    flags = [
        f"-{name}.url={url}",
        f"-{name}.basicAuth.username={settings.user}",
        f"-{name}.basicAuth.passwordFile={settings.password_file}",
    ]
    return flags + _tls(name, settings.certificate_file, settings.server_name)


def _outside(settings: Settings) -> list[str]:
    """Return how the outside receiver is spoken to; nothing without one."""
    entry = settings.remote_write
    if not entry:
        return []
    login = entry.get("basic_auth") or {}
    name = "remoteWrite"
    flags = [
        f"-{name}.url={entry['url']}",
        f"-{name}.basicAuth.username={login.get('username', '')}",
        f"-{name}.basicAuth.passwordFile={login.get('password_file', '')}",
    ]
    ca_file = (entry.get("tls_config") or {}).get("ca_file")
    return flags + _tls(name, ca_file, None)


def _tls(name: str, ca_file: Optional[str], server_name: Optional[str]) -> list[str]:
    return [f"-{name}.tlsCAFile={ca_file or ''}", f"-{name}.tlsServerName={server_name or ''}"]


def unit_word(word: str) -> str:
    """Return a word of ExecStart; VictoriaError for one that systemd would take apart."""
    if _UNSAFE.search(word):
        raise VictoriaError(f"'{word}' has a blank, a quote, a backslash or a semicolon in it")
    return word.replace("%", "%%").replace("$", "$$")
