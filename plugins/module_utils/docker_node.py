# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker Engine on a node, read and moved with the command lines of systemd and Docker."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_pools import (
    DockerNetwork,
    parse_networks,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_restart import (
    Engine,
    Step,
    argv_of,
    telling_line,
)

UNIT = "docker.service"
POLL_SECONDS = 0.5
_PROPERTIES = (
    "ActiveState,UnitFileState,LoadState,NeedDaemonReload,ExecStart,MainPID,"
    "InactiveExitTimestampMonotonic,StateChangeTimestampMonotonic"
)


@dataclass(frozen=True)
class Seen:
    """What the node shows of its engine; everything is empty where there is none."""

    engine: Engine = field(default_factory=Engine)
    properties: Mapping[str, str] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    networks: tuple[DockerNetwork, ...] = ()
    command_line: Sequence[str] = ()
    routes: str = "[]"

    @property
    def enabled(self) -> bool:
        """Return whether the engine comes back after a boot."""
        return self.properties.get("UnitFileState", "").startswith("enabled")

    @property
    def swarm(self) -> bool:
        """Return whether the engine is a member of a swarm."""
        state = (self.info.get("Swarm") or {}).get("LocalNodeState", "inactive")
        return state not in ("", "inactive")


class DockerNode:
    """A node with, or soon with, Docker Engine."""

    def __init__(self, command: Command) -> None:
        self._command = command

    def read(self) -> Seen:
        """Return how the engine stands now."""
        shown = self._command.run(["systemctl", "show", UNIT, "--property", _PROPERTIES]).out
        properties = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        active = properties.get("ActiveState") in ("active", "reloading")
        info = self.info() if active else {}
        return Seen(
            engine=self._engine(properties, info),
            properties=properties,
            info=info,
            networks=self._networks() if info else (),
            command_line=_command_line(properties),
            routes=self._command.run(["ip", "-j", "route", "show", "table", "all"]).out,
        )

    def _engine(self, properties: Mapping[str, str], info: Mapping[str, Any]) -> Engine:
        boot = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
        state = properties.get("ActiveState")
        running = self._command.run(["docker", "ps", "--format", "{{.Names}}"]).out if info else ""
        return Engine(
            active=state in ("active", "reloading"),
            failing=state == "activating",
            started_at=_moment(properties, "InactiveExitTimestampMonotonic", boot),
            changed_at=_moment(properties, "StateChangeTimestampMonotonic", boot),
            stale_unit=properties.get("NeedDaemonReload") == "yes",
            live_restore=bool(info.get("LiveRestoreEnabled")),
            running=tuple(sorted(running.split())),
        )

    def info(self) -> dict[str, Any]:
        """Return what ``docker info`` tells, nothing when the engine does not answer."""
        if not self._command.find("docker"):
            return {}
        result = self._command.run(["docker", "info", "--format", "{{json .}}"])
        try:
            info = json.loads(result.out)
        except ValueError:
            return {}
        return info if isinstance(info, dict) and info.get("ServerVersion") else {}

    def _networks(self) -> tuple[DockerNetwork, ...]:
        ids = self._command.run(["docker", "network", "ls", "--quiet"]).out.split()
        if not ids:
            return ()
        return tuple(parse_networks(self._command.run(["docker", "network", "inspect", *ids]).out))

    def validate(self, path: str) -> str:
        """Return why the engine's own check refuses a file, nothing where there is no check."""
        if not self._command.find("dockerd"):
            return ""
        if "--validate" not in self._command.run(["dockerd", "--help"]).out:
            return ""
        result = self._command.run(["dockerd", "--validate", "--config-file", path])
        return "" if result.rc == 0 else result.explain()

    def move(self, step: Step, seen: Seen, reload_units: bool) -> None:
        """Enable the engine and do the step; CommandError when systemd reports a failure."""
        if reload_units or seen.engine.stale_unit:
            self._command.need(["systemctl", "daemon-reload"])
        if seen.properties.get("UnitFileState") == "masked-runtime":  # A run was cut short.
            self._command.need(["systemctl", "unmask", "--runtime", UNIT, "docker.socket"])
        if not seen.enabled:
            self._command.need(["systemctl", "enable", UNIT])
        if step is not Step.NOTHING:
            self._command.need(["systemctl", step.value, UNIT])

    def wait(self, seconds: float) -> dict[str, Any]:
        """Return what ``docker info`` tells as soon as the engine answers."""
        deadline = time.monotonic() + seconds
        while True:
            info = self.info()
            if info:
                return info
            if time.monotonic() >= deadline:
                raise CommandError(f"Docker Engine did not answer within {seconds:g} s")
            time.sleep(POLL_SECONDS)

    def move_back(self, step: Step, was_active: bool) -> None:
        """Have the engine run with its old files again, if systemd lets it."""
        self._command.run(["systemctl", "daemon-reload"])
        if step is Step.RELOAD:
            self._command.run(["systemctl", "reload", UNIT])
            return
        self._command.run(["systemctl", "reset-failed", UNIT, "docker.socket"])
        self._command.run(["systemctl", "restart" if was_active else "start", UNIT])

    def reason(self, since: float) -> str:
        """Return the line of the engine's log that tells why it did not come up."""
        argv = ["journalctl", "--unit", UNIT, "--no-pager", "--output", "cat", "--quiet"]
        return telling_line(self._command.run([*argv, "--since", f"@{int(since)}"]).out)


def _moment(properties: Mapping[str, str], name: str, boot: float) -> float:
    microseconds = int(properties.get(name) or 0)
    return boot + microseconds / 1e6 if microseconds else 0.0


def _command_line(properties: Mapping[str, str]) -> Sequence[str]:
    """Return the running engine's command line, else the one that its unit would start."""
    pid = properties.get("MainPID", "0")
    if pid not in ("", "0"):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                return [word for word in file.read().split("\0") if word]
        except OSError:
            pass  # It has just ended.
    return argv_of(properties.get("ExecStart", ""))


def free_bytes(path: str) -> int:
    """Return how much can be written where ``path`` will lie."""
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize
