# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether servers and agents may leave a cluster without breaking it for those that stay.

Pure. etcd decides by majority (etcd documentation, FAQ, "What is failure tolerance?"): of three
servers two must answer. Whoever takes more out leaves a cluster that refuses every change.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

#: Of two servers one may go: what is left is a cluster of one, which is whole.
_PAIR = 2


@dataclass(frozen=True)
class Member:
    """A node as the API tells it; ``server`` where it has a control plane."""

    name: str
    ready: bool
    server: bool = False


@dataclass(frozen=True)
class Removal:
    """What is asked: who belongs to the cluster by the inventory, and who is to leave it.

    ``servers``, ``agents`` and ``leaving`` are hosts of the inventory, ``names`` what Kubernetes
    calls them. ``answered`` tells that a server that stays answers with an API, ``gone`` that those
    that answer to SSH have no k3s any more. ``members`` is what the API tells.
    """

    servers: tuple[str, ...]
    agents: tuple[str, ...]
    leaving: frozenset[str]
    names: Mapping[str, str] = field(default_factory=dict)
    members: tuple[Member, ...] = ()
    answered: bool = True
    gone: bool = False

    @property
    def staying(self) -> tuple[str, ...]:
        """Return the hosts of the inventory that are not to leave."""
        hosts = dict.fromkeys((*self.servers, *self.agents))
        return tuple(host for host in hosts if host not in self.leaving)

    @property
    def is_whole(self) -> bool:
        """Return whether the cluster goes as a whole, or is gone already."""
        return not self.staying or self.gone

    def name(self, host: str) -> str:
        """Return what Kubernetes calls a host."""
        return self.names.get(host, host)


def majority(servers: int) -> int:
    """Return how many of ``servers`` must answer for etcd to accept changes."""
    return servers // 2 + 1


_WHOLE = "or run reset.yml without --limit to take the whole cluster out"
_NO_SERVERS = (
    "all servers ({servers}) would go, but the agents {agents} would stay without one. Run "
    "reset.yml without --limit to take the whole cluster out, or the same command for the agents "
    "as well: {all}"
)
_NO_ANSWER = (
    "no server that stays ({servers}) answers, so nobody can take {leaving} out of the cluster's "
    "list of nodes. Start k3s there ('systemctl start k3s' on {first}), {whole}"
)
_NO_MAJORITY = (
    "of {count} servers {ready} are ready and {down} not, but {needed} must be before one can "
    "leave. Bring one back ('systemctl start k3s' on it), {whole}"
)
_TOO_MANY = (
    "of {count} servers {leaving} would go at once, and only {left} that are ready would be left: "
    "{needed} must be. Take out one server at a time and let another join before the next, "
    "{whole}"
)
_ONE_IS_DOWN = (
    "{down} is not ready, and without {leaving} only {left} of {count} servers would be: {needed} "
    "must be. Bring it back first ('systemctl start k3s' on it), take that one out instead, {whole}"
)


def obstacles(removal: Removal) -> list[str]:
    """Return why the removal would break what stays, a sentence with the way out each."""
    if removal.is_whole:
        return []
    staying = [host for host in removal.servers if host not in removal.leaving]
    leaving = [host for host in removal.servers if host in removal.leaving]
    if not staying:
        text = _NO_SERVERS.format(
            servers=", ".join(leaving),
            agents=", ".join(removal.staying),
            all=",".join((*leaving, *removal.staying)),
        )
        return [text]
    if not removal.answered:
        text = _NO_ANSWER.format(
            servers=", ".join(staying),
            leaving=", ".join(sorted(removal.leaving)),
            first=staying[0],
            whole=_WHOLE,
        )
        return [text]
    return _servers_in_the_way(removal, leaving)


def _servers_in_the_way(removal: Removal, leaving: Sequence[str]) -> list[str]:
    """Return why these servers may not leave, judged by what the API tells of all servers."""
    servers = [member for member in removal.members if member.server]
    names = {removal.name(host) for host in leaving} & {member.name for member in servers}
    if not names:
        return []  # They have left already, or never joined.
    healthy = [member.name for member in servers if member.ready]
    remaining = [name for name in healthy if name not in names]
    count, needed = len(servers), majority(len(servers))
    if len(healthy) < needed:
        text = _NO_MAJORITY
    elif len(remaining) >= needed or (count == _PAIR and len(remaining) == 1):
        return []
    else:
        text = _TOO_MANY if len(names) > 1 else _ONE_IS_DOWN
    words = text.format(
        count=count,
        needed=needed,
        ready=_listed(healthy),
        down=_listed([member.name for member in servers if not member.ready]),
        leaving=_listed(sorted(names)),
        left=len(remaining),
        whole=_WHOLE,
    )
    return [words]


def strangers(removal: Removal) -> list[str]:
    """Return the ready nodes that the inventory does not name and that would lose their servers."""
    if removal.staying:
        return []
    known = {removal.name(host) for host in (*removal.servers, *removal.agents)}
    return [m.name for m in removal.members if m.ready and m.name not in known]


def _listed(names: Collection[str]) -> str:
    return ", ".join(names) or "none"


def is_pair(removal: Removal) -> bool:
    """Return whether two servers are left: stopping one takes the other's majority from it."""
    return len([member for member in removal.members if member.server]) == _PAIR
