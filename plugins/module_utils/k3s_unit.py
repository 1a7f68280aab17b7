# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k3s's unit, its log and the files it starts from, on this node."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_kubectl import Kubectl
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_paths import (
    AGENT_TOKEN,
    CONTAINERD_CONFIG,
    IMAGES_DIR,
    SERVER_CA,
    SERVER_TOKEN,
    TOKEN,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_service import Look
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_token import (
    Token,
    parse_token,
    without_secrets,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.unit_state import (
    UnitState,
    parse_unit,
)

_PROPERTIES = (
    "ActiveState,SubState,UnitFileState,NeedDaemonReload,InactiveExitTimestampMonotonic,"
    "ExecMainStartTimestampMonotonic,NRestarts"
)
#: Where k3s looks for NVIDIA's runtime when it starts (k3s documentation, Advanced Options).
GPU_RUNTIMES = (
    "/usr/bin/nvidia-container-runtime",
    "/usr/local/nvidia/toolkit/nvidia-container-runtime",
)
#: Archives that k3s imports when it starts.
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.lz4", ".txt")
#: A fault counts as present while it stands in the log of the last seconds; k3s repeats its own.
_RECENT = 30
#: Lines of the log that are read at most, and seconds that a look at the API may take.
_MOST_LINES = 400
_READY_SECONDS = 10


class RotationError(Exception):
    """The cluster's token could not be replaced."""


@dataclass(frozen=True)
class Unit:
    """k3s's unit; ``begin`` is when this run began, in seconds since 1970."""

    command: Command
    name: str
    kind: str
    begin: float

    def systemctl(self, *words: str) -> str:
        """Return what systemctl prints."""
        return self.command.need(["systemctl", *words])

    def _show(self) -> str:
        return self.systemctl("show", self.name, "--property", _PROPERTIES)

    def read(self) -> UnitState:
        """Return how the unit stands.

        A unit that systemd started again by itself has the files of that moment.
        """
        text = self._show()
        boot_time = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
        seen = parse_unit(text, boot_time)
        again = _number(text, "ExecMainStartTimestampMonotonic") / 1e6
        return replace(seen, started_at=max(seen.started_at, boot_time + again if again else 0.0))

    def look(self) -> Look:
        """Return how the unit stands, whether its API is ready, and the latest of its log."""
        text = self._show()
        state = parse_unit(text, 0.0)
        active = state.active_state == "active"
        since = max(self.begin, time.time() - _RECENT)
        return Look(
            state.active_state,
            state.sub_state,
            _number(text, "NRestarts"),
            self._is_ready() if self.kind == "server" and active else None,
            () if active else tuple(self.log(since, ())),
        )

    def _is_ready(self) -> bool:
        answer = Kubectl(self.command).attempt(["get", "--raw", "/readyz"], seconds=_READY_SECONDS)
        return answer.rc == 0 and answer.out.strip() == "ok"

    def log(self, since: float, secrets: Sequence[str]) -> list[str]:
        """Return the unit's log since then, without secrets."""
        argv = ["journalctl", "--unit", self.name, f"--since=@{int(since)}", "--no-pager"]
        result = self.command.run([*argv, "--output=cat", f"--lines={_MOST_LINES}", "--quiet"])
        return [without_secrets(line, secrets) for line in result.out.splitlines()]


def _number(text: str, name: str) -> int:
    """Return a number that systemctl shows, 0 where it shows none."""
    for line in text.splitlines():
        key, _equals, value = line.partition("=")
        if key == name and value.isdigit():
            return int(value)
    return 0


def younger_than(started_at: float, files: Iterable[str]) -> tuple[str, ...]:
    """Return the files that changed after that moment, image archives among them."""
    found = [path for path in [*files, *_archives()] if _changed_at(path) > started_at]
    return tuple(found) if started_at else ()


def _archives() -> list[str]:
    names = sorted(os.listdir(IMAGES_DIR)) if os.path.isdir(IMAGES_DIR) else []
    return [os.path.join(IMAGES_DIR, name) for name in names if name.endswith(_ARCHIVES)]


def _changed_at(path: str) -> float:
    return os.stat(path).st_mtime if os.path.exists(path) else 0.0


def gpu_runtime_since(started_at: float) -> str:
    """Return NVIDIA's runtime where the running k3s does not have it, since it came later.

    Its file's own time may be that of its package, so the time of its arrival is asked for. The
    containerd configuration tells whether k3s has found it; a newer version needs no restart.
    """
    if not started_at:
        return ""
    try:
        with open(CONTAINERD_CONFIG, encoding="utf-8", errors="replace") as file:
            known = "nvidia" in file.read()
    except OSError:
        known = False
    for path in GPU_RUNTIMES:
        if not known and os.path.exists(path) and os.stat(path).st_ctime > started_at:
            return path
    return ""


def read_token(path: str) -> Optional[Token]:
    """Return the token in a file, None where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return parse_token(file.read())
    except OSError:
        return None


def passwords() -> list[str]:
    """Return the passwords that this node holds, which no log may show."""
    tokens = [read_token(path) for path in (TOKEN, AGENT_TOKEN, SERVER_TOKEN)]
    return [token.password for token in tokens if token]


def token_differs() -> bool:
    """Return whether the running server has another token than the file that it starts from."""
    running, wanted = read_token(SERVER_TOKEN), read_token(TOKEN)
    return bool(running and wanted and running.password != wanted.password)


def ca_hash() -> str:
    """Return the hash of the servers' CA as k3s itself writes it, empty where there is none."""
    token = read_token(SERVER_TOKEN)
    if token and token.ca_hash:
        return token.ca_hash
    try:
        with open(SERVER_CA, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""


def rotate(port: int) -> None:
    """Have the running server replace the cluster's token by the one that lies on the disk."""
    running, wanted = read_token(SERVER_TOKEN), read_token(TOKEN)
    if not running or not wanted:
        raise RotationError(f"{SERVER_TOKEN} or {TOKEN} is gone; run provision.yml again")
    login = base64.b64encode(f"server:{running.password}".encode()).decode()
    request = urllib.request.Request(
        f"https://127.0.0.1:{port}/v1-k3s/token",
        data=json.dumps({"newToken": wanted.password}).encode(),
        headers={"Authorization": f"Basic {login}", "Content-Type": "application/json"},
        method="PUT",
    )
    # A proxy of the environment has no business on the way to this very node.
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=SERVER_CA)),
    )
    try:
        with opener.open(request, timeout=60):
            return
    except (urllib.error.URLError, OSError) as error:
        raise RotationError(
            f"the running server did not replace its token ({error}); it still has the old one. "
            "Look with 'k3s kubectl get --raw /readyz', then run provision.yml again"
        ) from error
