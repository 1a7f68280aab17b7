# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which version of k3s may follow which (Kubernetes' version skew policy)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_cluster import ClusterNode
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_expect import SERVER_ROLE
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_quorum import majority

#: Minor versions that a kubelet may be behind its API server.
KUBELET_LAG = 3
_VERSION = re.compile(r"^v?(\d+)\.(\d+)\.(\d+)(?:-([a-z]+)(\d+))?\+k3s(\d+)$")
_GOING_BACK = ", or go back within the same minor version with upgrade.yml -e upgrade_rollback=true"


class UpgradeError(ValueError):
    """An upgrade that must not be done."""


@dataclass(frozen=True, order=True)
class Version:
    """A version of k3s; a release candidate (``stage`` 0) comes before its release (1)."""

    major: int
    minor: int
    patch: int
    stage: int
    candidate: int
    build: int


def parse_version(text: str) -> Version:
    """Return the parts of a version such as v1.33.5+k3s1 or v1.34.1-rc1+k3s1."""
    match = _VERSION.match(text)
    if not match:
        raise UpgradeError(f"version {text!r} is none of k3s, expected one such as v1.33.5+k3s1")
    major, minor, patch, kind, candidate, build = match.groups()
    stage = 0 if kind else 1
    return Version(int(major), int(minor), int(patch), stage, int(candidate or 0), int(build))


def needs_upgrade(
    node: ClusterNode, wanted: str, nodes: Iterable[ClusterNode], back: bool = False
) -> bool:
    """Return whether the node runs another version than ``wanted``, which it may be brought to.

    ``nodes`` are all of the cluster. UpgradeError where the step is a downgrade, leaves out a minor
    version, or where another node has to go first. ``back`` permits an older patch of the same
    minor version, whose database is the same.
    """
    if node.version == wanted:
        return False
    new, now = parse_version(wanted), parse_version(node.version)
    is_patch = (new.major, new.minor) == (now.major, now.minor)
    if new < now and back and is_patch:
        return True
    if new < now:
        raise UpgradeError(
            f"{node.name} runs k3s {node.version}, and {wanted} is older: a database that the "
            f"newer one wrote is none for the older; set k3s_version to {node.version} or newer"
            + (_GOING_BACK if is_patch else "")
        )
    others = [other for other in nodes if other.name != node.name]
    is_server = SERVER_ROLE in node.roles
    problem = _server_problem(node, new, others) if is_server else _agent_problem(new, others)
    if problem:
        raise UpgradeError(
            f"{node.name} must not go from k3s {node.version} to {wanted}: {problem}"
        )
    return True


def check_majority(node: ClusterNode, nodes: Iterable[ClusterNode]) -> None:
    """Raise UpgradeError where etcd would lose its majority while the node's k3s is restarted.

    ``nodes`` are all of the cluster. An agent takes nothing from it, and neither does a server that
    is the only one.
    """
    servers = [each for each in nodes if SERVER_ROLE in each.roles]
    others = [each for each in servers if each.name != node.name]
    needed, ready = majority(len(servers)), [each.name for each in others if each.ready]
    if SERVER_ROLE not in node.roles or not others or len(ready) >= needed:
        return
    down = [each.name for each in others if not each.ready]
    raise UpgradeError(
        f"{node.name} must not be restarted: of {len(servers)} servers {needed} must be ready for "
        f"etcd to accept changes, and without {node.name} only {', '.join(ready) or 'none'} would "
        f"be; {_way_to_majority(down)}, then run the same command again"
    )


def _way_to_majority(down: Sequence[str]) -> str:
    """Return what to do first, by the names of the other servers that are not ready."""
    if not down:
        return "have a third server join (provision.yml)"
    first = f"'systemctl start k3s' on {down[0]}"
    if len(down) == 1:
        return f"{down[0]} is not ready: bring it back ({first})"
    return f"{', '.join(down)} are not ready: bring them back (as with {first})"


def _server_problem(node: ClusterNode, new: Version, others: Iterable[ClusterNode]) -> str:
    """Return why a server must not be brought to ``new``, nothing where it may."""
    for each in (node, *others):
        lag = _lag(each, new)
        if lag is None:
            continue
        if SERVER_ROLE in each.roles and lag > 1:
            step = f"v{new.major}.{new.minor - lag + 1}"
            return (
                f"server {each.name} runs {each.version}, and no minor version may be left out; "
                f"set k3s_version to the last release of {step} first"
            )
        if lag > KUBELET_LAG:
            return (
                f"node {each.name} runs {each.version}, more than {KUBELET_LAG} minor versions "
                "behind; upgrade that node first"
            )
    return ""


def _agent_problem(new: Version, others: Iterable[ClusterNode]) -> str:
    """Return why an agent must not be brought to ``new``, nothing where it may."""
    for each in others:
        if SERVER_ROLE in each.roles and (_lag(each, new) or 0) > 0:
            return f"server {each.name} still runs {each.version}; upgrade the servers first"
    return ""


def _lag(node: ClusterNode, new: Version) -> Optional[int]:
    """Return by how many minor versions a node is behind, None where its version is not known."""
    try:
        now = parse_version(node.version)
    except UpgradeError:
        return None
    return new.minor - now.minor if new.major == now.major else new.major - now.major + KUBELET_LAG
