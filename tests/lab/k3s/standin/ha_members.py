# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members of a cluster of servers, and who may do what when (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Optional

from .store import ApiError, Key, Obj, Store

#: (term, revision) of the last change a member has; the higher one knows more.
Position = tuple[int, int]
_GROUP, _RESOURCE = "etcd", "members"


@dataclass(frozen=True)
class Member:
    """A server, as the others know it. A learner gets the state and has no vote."""

    name: str
    address: str
    peer_port: int
    api_port: int
    learner: bool = False
    #: Whether a Node of that name was seen; once that goes, the member goes.
    registered: bool = False

    @property
    def ident(self) -> str:
        """Return the name in the member list: the node's and some digits, as k3s has it."""
        digits = hashlib.sha256(f"{self.name} {self.address}".encode()).hexdigest()[:8]
        return f"{self.name}-{digits}"

    def key(self) -> Key:
        """Return where the member stands in the store."""
        return Key(_GROUP, _RESOURCE, "", self.name)

    def obj(self) -> Obj:
        """Return the member as the store keeps it."""
        return {"metadata": {"name": self.name}, "spec": asdict(self)}


def members_in(store: Store) -> dict[str, Member]:
    """Return the members by name."""
    found = (Member(**obj["spec"]) for obj in store.every(_GROUP, _RESOURCE))
    return {member.name: member for member in found}


def majority(members: Mapping[str, Member]) -> int:
    """Return how many votes decide."""
    return len(voters(members)) // 2 + 1


def voters(members: Mapping[str, Member]) -> list[str]:
    """Return the names of those that vote."""
    return sorted(name for name, member in members.items() if not member.learner)


def candidate(live: Mapping[str, Position], members: Mapping[str, Member]) -> Optional[str]:
    """Return who is to lead: of a live majority the one that knows most, then by name."""
    able = [name for name in voters(members) if name in live]
    if len(able) < majority(members):
        return None
    return min(able, key=lambda name: (-live[name][0], -live[name][1], name))


def admit(members: Mapping[str, Member], alive: Iterable[str], new: Member) -> Optional[Member]:
    """Return the learner to add, None when it is in already; raise what etcd or k3s says."""
    old = members.get(new.name)
    if old is not None and old.learner and old.address == new.address:
        return None
    if old is not None:
        text = "duplicate node name found, please use a unique name for this node"
        raise ApiError(409, "Conflict", text)
    if set(voters(members)) - set(alive):
        raise ApiError(503, "ServiceUnavailable", "etcdserver: unhealthy cluster")
    if any(member.learner for member in members.values()):
        text = "etcdserver: too many learner members in cluster"
        raise ApiError(503, "ServiceUnavailable", text)
    return replace(new, learner=True, registered=False)


def may_leave(members: Mapping[str, Member], alive: Iterable[str], name: str) -> bool:
    """Return whether the others would still decide without ``name``."""
    rest = {other: member for other, member in members.items() if other != name}
    if members[name].learner:
        return True
    able = [other for other in voters(rest) if other in set(alive)]
    return bool(rest) and len(able) >= majority(rest)


def shown(member: Member, alive: bool, leader: bool) -> dict[str, Any]:
    """Return a row of the member list."""
    return {
        "name": member.ident,
        "node": member.name,
        "address": member.address,
        "peer": f"https://{member.address}:{member.peer_port}",
        "learner": member.learner,
        "alive": alive,
        "leader": leader,
    }
