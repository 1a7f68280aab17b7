# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests do to nodes: run a command, cut the power, freeze and thaw."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.lab.gpu import hardware
from tests.lab.nodes import Found, find_nodes, wait_until_running
from tests.lab.paths import DEFAULT_NAME
from tests.lab.shell import LabError, Result, check, docker_lines, run
from tests.lab.topology import management_network

CGROUPS = Path("/sys/fs/cgroup")
FREEZER = CGROUPS / "freezer"
STALE_SECONDS = 60
PAUSE_ATTEMPTS = 10


def names(lab: str = DEFAULT_NAME) -> list[str]:
    """Return the nodes' names of a lab as its inventory has them."""
    return [inventory_name(node) for node in find_nodes(lab)]


def inventory_name(node: Found) -> str:
    """Return a node's name in the inventory."""
    return f"node{node.number}" if node.lab == DEFAULT_NAME else node.container


def find(node: str, lab: str | None = None) -> Found:
    """Return a node by its inventory name, its container name or (with a lab) its host name."""
    for found in find_nodes(lab):
        by_host_name = lab is not None and node == f"node{found.number}"
        if by_host_name or node in (found.container, inventory_name(found)):
            return found
    raise LabError(f"there is no node {node!r}; see `python3 -m tests.lab status --all`")


def exec(  # noqa: A001 (called as lab.exec)
    node: str, argv: Sequence[str], *, lab: str | None = None, timeout: float = 120
) -> Result:
    """Return the result of a command run as root inside a node, past SSH and Ansible."""
    return run(["docker", "exec", find(node, lab).container, *argv], timeout=timeout)


def power_off(node: str, *, lab: str | None = None) -> None:
    """Cut a node's power: all in it dies at once, and it stays off until power_on or `up`."""
    found = find(node, lab)
    thaw(found)
    check(["docker", "kill", found.container])


def power_on(node: str, *, lab: str | None = None) -> None:
    """Switch a node on again and return when its systemd says `running`."""
    container = find(node, lab).container
    check(["docker", "start", container])
    wait_until_running(container)


def pause(node: str, *, lab: str | None = None) -> None:
    """Freeze every process of a node, those in its nested containers too.

    Connections stay open and nobody answers, as with a machine that hangs.
    """
    found = find(node, lab)
    # A process that waits for its vfork child cannot freeze before that has run on: try again.
    for attempt in range(1, PAUSE_ATTEMPTS + 1):
        done = run(["docker", "pause", found.container])
        if done.ok:
            break
        if attempt == PAUSE_ATTEMPTS or "unable to freeze" not in done.stderr:
            raise LabError(f"{found.container} cannot be frozen: {done.stderr.strip()}")
    _set_nested(found, "FROZEN")


def unpause(node: str, *, lab: str | None = None) -> None:
    """Let a frozen node go on where it stopped."""
    thaw(find(node, lab))


def thaw(found: Found) -> None:
    """Undo a pause if there was one: frozen processes neither run nor die."""
    _set_nested(found, "THAWED")
    if found.status == "paused":
        check(["docker", "unpause", found.container])


def gpus(
    node: str,
    settings: Mapping[str, str] | None = None,
    *,
    reset: bool = False,
    lab: str | None = None,
) -> dict[str, str]:
    """Return the settings of a node's simulated GPUs after a change; an empty value removes one.

    ``reset`` starts from the healthy machine that `up` made. See gpu/README.md for the settings and
    for those that wait for a power cycle.
    """
    return hardware.change(find(node, lab).container, settings or {}, reset=reset)


def gpu_repository(node: str, *, lab: str | None = None) -> hardware.Repository:
    """Return the stand-ins of the GPU vendors' repositories, which a node serves from now on."""
    found = find(node, lab)
    return hardware.serve(found.container, dict(found.addresses)[management_network(found.lab)])


def _set_nested(found: Found, state: str) -> None:
    for path in nested_freezers(found.pid):
        freeze = FREEZER / path / "freezer.state" if FREEZER.is_dir() else None
        if freeze is not None and freeze.exists() and freeze.read_text().strip() != state:
            freeze.write_text(state)
        unified = CGROUPS / path / "cgroup.freeze"
        if freeze is None and unified.exists():
            unified.write_text("1" if state == "FROZEN" else "0")


def nested_freezers(init: int) -> list[str]:
    """Return the freezer cgroups of a node's nested containers.

    With the host's cgroup namespace they lie beside the node's own, so Docker does not freeze them.
    """
    if not init:
        return []
    own = _freezer_of(init)
    groups = {_freezer_of(pid) for pid in descendants(init)}
    return sorted(
        group for group in groups if group and group != own and not group.startswith(f"{own}/")
    )


def remove_cgroups(groups: Iterable[str]) -> None:
    """Remove the cgroups that dead nested containers left; the kernel keeps those in use."""
    for group in groups:
        for folder in (CGROUPS / group, *CGROUPS.glob(f"*/{group}")):
            if folder.is_dir() and folder.name != "docker":
                for path in (*sorted(folder.glob("**/"), reverse=True), folder):
                    with contextlib.suppress(OSError):
                        path.rmdir()


def stale_cgroups() -> list[str]:
    """Return cgroups of nested containers that died with an earlier boot of their node.

    Young ones are left alone: their container may be about to start.
    """
    known = set(docker_lines("ps", "-aq", "--no-trunc"))
    return [
        f"docker/{folder.name}"
        for folder in FREEZER.glob("docker/*/")
        if re.fullmatch(r"[0-9a-f]{64}", folder.name)
        and folder.name not in known
        and time.time() - folder.stat().st_mtime > STALE_SECONDS
        and not any(path.read_text().strip() for path in folder.glob("**/cgroup.procs"))
    ]


def descendants(root: int) -> list[int]:
    """Return all processes below a process."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, todo = [], [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _freezer_of(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return ""
    return parse_freezer(text)


def parse_freezer(text: str) -> str:
    """Return the freezer cgroup (v1) or the only one (v2) in a /proc/PID/cgroup, unrooted."""
    rows = [line.split(":", 2) for line in text.splitlines()]
    v1 = [row[2] for row in rows if len(row) == 3 and "freezer" in row[1].split(",")]
    v2 = [row[2] for row in rows if len(row) == 3 and row[0] == "0"]
    return (v1 or v2 or [""])[0].lstrip("/")
