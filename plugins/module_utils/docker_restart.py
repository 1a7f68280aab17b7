# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What brings a running Docker Engine to its present files, and whether that may be done."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: What a running engine takes over from daemon.json on SIGHUP (moby, daemon/reload.go, 20.10).
RELOADABLE = frozenset(
    {
        "debug",
        "default-runtime",
        "insecure-registries",
        "labels",
        "live-restore",
        "max-concurrent-downloads",
        "max-concurrent-uploads",
        "max-download-attempts",
        "registry-mirrors",
        "runtimes",
        "shutdown-timeout",
    }
)
#: With a change of these an engine does not find its running containers again, live-restore or not.
LOSES_CONTAINERS = frozenset(
    {
        "bip",
        "bridge",
        "containerd",
        "data-root",
        "exec-root",
        "storage-driver",
        "storage-opts",
        "userns-remap",
    }
)


class Step(enum.Enum):
    """What is done to the engine."""

    NOTHING = "nothing"
    START = "start"
    RELOAD = "reload"
    RESTART = "restart"


@dataclass(frozen=True)
class Engine:
    """The engine as it runs. Times are in seconds since 1970; ``changed_at`` counts reloads too."""

    active: bool = False
    failing: bool = False
    started_at: float = 0.0
    changed_at: float = 0.0
    stale_unit: bool = False
    live_restore: bool = False
    running: tuple[str, ...] = ()


@dataclass(frozen=True)
class Files:
    """What changes in the engine's files now, and when they changed last."""

    keys: frozenset[str] = frozenset()
    daemon_time: float = 0.0
    drop_in_changes: bool = False
    drop_in_time: float = 0.0
    live_restore: bool = False


def step_for(engine: Engine, files: Files) -> Step:
    """Return what brings the engine to its files.

    A file that is younger than the engine was left by a run that was cut short: what it changed
    cannot be known, so the engine is restarted.
    """
    if not engine.active:
        return Step.RESTART if engine.failing else Step.START
    stale = engine.stale_unit or files.drop_in_time > engine.started_at
    stale = stale or files.daemon_time > engine.changed_at
    if stale or files.drop_in_changes or files.keys - RELOADABLE:
        return Step.RESTART
    return Step.RELOAD if files.keys else Step.NOTHING


def refusal(engine: Engine, files: Files, step: Step, agreed: bool) -> str:
    """Return why the restart must not be made, an empty text when it may."""
    if step is not Step.RESTART or not engine.running or agreed:
        return ""
    names = ", ".join(engine.running)
    lost = sorted(files.keys & LOSES_CONTAINERS)
    if lost:
        return (
            f"Docker Engine has to be restarted with another {', '.join(lost)}, and would lose its "
            "running "
            f"containers: {names}. Nothing was changed; stop them yourself, or set "
            "docker_restart_running=true"
        )
    if engine.live_restore and files.live_restore:
        return ""
    first = (
        'put "live-restore": true into /etc/docker/daemon.json and '
        "'systemctl reload docker.service' (which stops nothing), so that they live through a "
        "restart, and run this again"
    )
    if not files.live_restore:
        first = f"set docker_live_restore=true for this node, {first}"
    return (
        f"Docker Engine has to be restarted ({_why(files)}), which would stop its running "
        f"containers: {names}. "
        "Nothing was changed. Two ways out: set docker_restart_running=true to stop them (those "
        "with a restart policy "
        f"come back); or first {first}"
    )


def _why(files: Files) -> str:
    if files.keys:
        return f"new in daemon.json: {', '.join(sorted(files.keys))}"
    if files.drop_in_changes:
        return "its proxy changes"
    return "its files are younger than its start"


def telling_line(journal: str) -> str:
    """Return the line of an engine's log that tells why it did not start."""
    lines = [line.strip() for line in journal.splitlines() if line.strip()]
    patterns = (
        r"level=fatal|failed to start daemon|unable to configure|invalid argument|bind: ",
        r"level=error",
    )
    for pattern in patterns:
        found = [line for line in lines if re.search(pattern, line)]
        if found:
            return found[-1]
    return lines[-1] if lines else "no log"


def effects_missing(rows: Iterable[tuple[str, object, object]]) -> list[str]:
    """Return a sentence for each setting that the engine shows otherwise than its file says."""
    return [f"{name} is {seen}, expected {wanted}" for name, seen, wanted in rows if seen != wanted]


def argv_of(command_line: str) -> Sequence[str]:
    """Return the words of ``argv[]=... ;`` in systemd's ExecStart property."""
    found = re.search(r"argv\[\]=(.*?) ;", command_line)
    return found[1].split() if found else []
