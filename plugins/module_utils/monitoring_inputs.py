# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges the inputs of role monitoring before the first change.

Nothing here reads or writes anything: whether files of the control node can be used is handed in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.prometheus_config import (
    PrometheusConfigError,
    label_problems,
    scrape_configs,
    settings_of,
    write_url,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.release_archive import (
    ReleaseArchiveError,
    parse_release,
)

#: Inputs that are whole numbers, with the least that makes sense.
_LEAST = {
    "retention_days": 1,
    "scrape_interval_seconds": 1,
    "verify_seconds": 1,
    "download_timeout_seconds": 1,
}
_PORTS = ("server_port", "alertmanager_port")
#: Inputs that are set together or not at all.
_PAIRS = (
    ("certificate_file", "key_file"),
    ("remote_write_user", "remote_write_password_file"),
    ("webhook_user", "webhook_password_file"),
    ("email_user", "email_password_file"),
)
_FILES = (
    "exporter_ca_file",
    "k3s_token_file",
    "k3s_ca_file",
    "remote_write_ca_file",
    "webhook_password_file",
    "webhook_ca_file",
    "email_password_file",
    "email_ca_file",
)


def input_problems(
    inputs: Mapping[str, Any], unreadable: Mapping[str, str], certificate: Optional[str]
) -> list[str]:
    """Return one sentence for each input that is wrong.

    ``unreadable`` says why a path of the control node cannot be read, ``certificate`` why
    certificate and key cannot be used. Inputs are named without their prefix.
    """
    found = [
        *_numbers(inputs),
        *_retention_size(inputs),
        *_storage(inputs),
        *_texts(inputs),
        *_pairs(inputs),
        *_files(inputs, unreadable),
        *_sources(inputs),
        *_remote_write(inputs),
    ]
    if certificate:
        found.append(f"certificate_file: {certificate}")
    return [f"monitoring_{each}" for each in found]


def paths_of(inputs: Mapping[str, Any]) -> list[str]:
    """Return the paths of the control node that are named."""
    single = [inputs.get(name) for name in (*_FILES, "certificate_file", "key_file")]
    return [str(path) for path in (*single, *(inputs.get("extra_rules_files") or [])) if path]


def _numbers(inputs: Mapping[str, Any]) -> Iterator[str]:
    for name, least in _LEAST.items():
        value = inputs.get(name, least)
        if value < least:
            yield f"{name}: saw {value}, expected {least} or more"
    for name in _PORTS:
        value = inputs.get(name, 1)
        if not 0 < value < 65536:
            yield f"{name}: saw {value}, expected 1 to 65535"
    if inputs.get("server_port") == inputs.get("alertmanager_port") is not None:
        seen = inputs["alertmanager_port"]
        yield f"alertmanager_port: saw {seen}, expected another than monitoring_server_port"


def _retention_size(inputs: Mapping[str, Any]) -> Iterator[str]:
    size = inputs.get("retention_size")
    if size is not None and not re.fullmatch(r"[1-9]\d*(MB|GB|TB|PB)", str(size)):
        yield f"retention_size: saw '{size}', expected a number and MB, GB, TB or PB, such as 50GB"


def _storage(inputs: Mapping[str, Any]) -> Iterator[str]:
    path = str(inputs.get("storage_dir") or "")
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+){2,}", path) or "/.." in path:
        yield (
            f"storage_dir: saw '{path}', expected an absolute path of at least two levels, of "
            "letters, digits and . _ -, such as /data/monitoring"
        )


def _texts(inputs: Mapping[str, Any]) -> Iterator[str]:
    if not inputs.get("node_address"):
        yield "node_address: saw nothing, expected the node's address on the cluster network"
    if not re.fullmatch(r"[A-Za-z0-9._-]+", str(inputs.get("user") or "")):
        yield f"user: saw '{inputs.get('user')}', expected letters, digits and . _ - only"
    url = inputs.get("external_url")
    if url and not re.fullmatch(r"https?://[^\s/%@\"'\\]+(/[^\s%\"'\\]*)?", str(url)):
        yield f"external_url: saw '{url}', expected http:// or https:// and a host, without a user"
    for problem in label_problems(inputs.get("external_labels") or {}):
        yield f"external_labels {problem}"
    try:
        extra = {"extra_scrape_configs": inputs.get("extra_scrape_configs") or []}
        scrape_configs(settings_of({"cluster": "", "interval_seconds": 1, "user": "", **extra}))
    except PrometheusConfigError as error:
        yield str(error)[len("monitoring_") :]


def _pairs(inputs: Mapping[str, Any]) -> Iterator[str]:
    for first, second in _PAIRS:
        if bool(inputs.get(first)) != bool(inputs.get(second)):
            have, lack = (first, second) if inputs.get(first) else (second, first)
            yield f"{lack}: saw nothing beside monitoring_{have}, expected both or none"


def _files(inputs: Mapping[str, Any], unreadable: Mapping[str, str]) -> Iterator[str]:
    for name in (*_FILES, "certificate_file", "key_file"):
        path = inputs.get(name)
        if path and str(path) in unreadable:
            yield f"{name}: {path}: {_unreadable(unreadable[str(path)])}"
    names = []
    for path in inputs.get("extra_rules_files") or []:
        names.append(str(path).rpartition("/")[2])
        if str(path) in unreadable:
            yield f"extra_rules_files: {path}: {_unreadable(unreadable[str(path)])}"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"extra_rules_files: saw several named {name}, expected a name of its own for each"


def _unreadable(reason: str) -> str:
    return f"saw '{reason}', expected a file on the control node"


def _sources(inputs: Mapping[str, Any]) -> Iterator[str]:
    if inputs.get("source") == "distribution" and inputs.get("os_family") != "Debian":
        yield (
            f"source: saw distribution, but a system like this ({inputs.get('os_family')}) has no "
            "such packages of its own; set monitoring_source=archive and monitoring_archives"
        )
    releases = inputs.get("releases") or [] if inputs.get("source") == "archive" else []
    yield from filter(None, map(_release_problem, releases))


def _release_problem(release: Mapping[str, Any]) -> str:
    try:
        parse_release(release)
    except ReleaseArchiveError as error:
        return str(error)[len("monitoring_") :]
    return ""


def _remote_write(inputs: Mapping[str, Any]) -> Iterator[str]:
    url = inputs.get("remote_write_url")
    if not url:
        return
    try:
        write_url(str(url))
    except PrometheusConfigError as error:
        yield str(error)[len("monitoring_") :]
    if inputs.get("remote_write_ca_file") and str(url).startswith("http://"):
        yield (
            "remote_write_ca_file: saw it with an address of http, which has no certificate; "
            "expected https:// in monitoring_remote_write_url"
        )
