# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a cluster's record: read as it is, changed by one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import multiprocessing
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_record import (
    Process,
    Record,
    RecordError,
    judge_process,
    parse_record,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_record import (
    render_record as render,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.beside_inventory import (
    beside_inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.whole_file import (
    replace_file,
)

PROC = Path("/proc")


@dataclass(frozen=True)
class Found:
    """What lies where a record is looked for. ``problem`` says why there is none to go by."""

    record: Record
    problem: str = ""


def state_directory(task_vars: Mapping[str, Any], wish: Optional[str]) -> Path:
    """Return the directory of records: as wished, else ``state`` beside the inventory."""
    if wish:
        return Path(wish).expanduser()
    sources = task_vars.get("ansible_inventory_sources") or []
    return beside_inventory(task_vars.get("inventory_dir"), sources) / "state"


def record_path(directory: Path, cluster: str) -> Path:
    """Return the file of a cluster's record."""
    return directory / f"{re.sub('[^A-Za-z0-9._-]', '_', cluster)}.json"


def read_record(path: Path, cluster: str) -> Found:
    """Return the record in a file, an empty one where there is none that can be read."""
    empty = Record(cluster)
    try:
        return Found(parse_record(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Found(empty)
    except (OSError, UnicodeDecodeError, RecordError) as error:
        return Found(empty, f"{path} cannot be used: {error}")


def change_record(path: Path, cluster: str, change: Callable[[Record], Record]) -> Found:
    """Change the record in a file, and return it with what was wrong with the former one.

    Nobody else changes it meanwhile, and a reader sees the former or the new one, never half. A
    file that cannot be used is kept aside. OSError when nothing can be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path):
        found = read_record(path, cluster)
        changed = change(found.record)
        if found.problem:
            os.replace(path, f"{path}.broken")
            found = Found(changed, f"{found.problem}. It was kept as {path}.broken.")
        if changed != found.record or found.problem:
            replace_file(path, render(changed))
        return Found(changed, found.problem)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the file's own lock for the block; the kernel frees it when its process ends."""
    with open(path.with_name(f".{path.name}.lock"), "a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main_process() -> Process:
    """Return the ansible-playbook that this is a worker of: an action runs in a process forked."""
    parent = multiprocessing.parent_process()
    pid = parent.pid if parent is not None and parent.pid else os.getpid()
    return Process(
        host=gethostname(),
        pid=pid,
        boot=_line(PROC / "sys/kernel/random/boot_id"),
        space=_name_space(),
        start=start_of(pid) or "",
    )


def who_runs_this() -> str:
    """Return the user's name, the number where there is none for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def look_at(noted: Process) -> str:
    """Return whether a noted process is alive, dead or elsewhere, as seen from this one."""
    return judge_process(noted, main_process(), start_of(noted.pid))


def start_of(pid: int) -> Optional[str]:
    """Return what tells a process from others that had or will have its number; None for none."""
    if not PROC.joinpath("self/stat").exists():
        return _start_by_ps(pid)
    try:
        stat = PROC.joinpath(str(pid), "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the program's name, which may have blanks and brackets in it.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else fields[19]


def _start_by_ps(pid: int) -> Optional[str]:
    """Return when a process began by ps, which systems without /proc have."""
    done = subprocess.run(
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return " ".join(done.stdout.split()) or None


def _line(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _name_space() -> str:
    try:
        return os.readlink(PROC / "self/ns/pid")
    except OSError:
        return ""
