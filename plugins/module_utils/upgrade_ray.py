# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade or a rollback does to Ray, whose nodes change together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.upgrade_plan import (
    RAY,
    Plan,
    Refusal,
    Row,
    named,
)

COMPONENT = "Ray"
_DOWN = (
    "an older Ray must not follow a newer one by a changed ray_version alone: what the newer one "
    "wrote (sessions, Serve's settings, a control store in Redis) is none for the older, and every "
    "client must change with it. Set ray_version to {found} or newer, or go back to the release "
    "that the nodes kept with -e upgrade_rollback=true"
)


@dataclass(frozen=True)
class RayHost:
    """A host of Ray's groups: what is on it, and what the inventory wants.

    ``found`` is empty where no Ray is installed, ``previous`` where no release is kept.
    ``has_leftovers`` tells of releases that an upgrade would have removed at its end; those of a
    node that went back wait for the upgrade that tries again.
    """

    name: str
    is_head: bool
    found: str
    wanted: str
    place: str
    previous: str = ""
    previous_place: str = ""
    has_leftovers: bool = False

    @classmethod
    def from_seen(cls, name: str, is_head: bool, seen: Mapping[str, Any]) -> RayHost:
        """Return the host that the module ray_release has looked at."""
        current, previous = seen.get("current") or {}, seen.get("previous") or {}
        wanted = seen.get("wanted") or {}
        return cls(
            name=name,
            is_head=is_head,
            found=str(seen.get("running") or current.get("version") or ""),
            wanted=str(wanted.get("version") or ""),
            place=str(wanted.get("place") or ""),
            previous=str(previous.get("version") or ""),
            previous_place=str(previous.get("place") or ""),
            has_leftovers=bool(seen.get("left"))
            and previous.get("place") not in (None, current.get("place")),
        )


@dataclass(frozen=True)
class RayPlan:
    """The part of the plan about Ray.

    ``places`` is where each host's release lies or comes to lie. ``stops`` says whether the head
    restarts, which ends what runs in the cluster. ``prunes`` names the hosts whose releases that
    are not needed any more are removed at the end.
    """

    plan: Plan
    version: str = ""
    places: Optional[Mapping[str, str]] = None
    stops: bool = False
    prunes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for the playbook."""
        hosts = self.plan.hosts(COMPONENT)
        return {
            "version": self.version,
            "places": dict(self.places or {}),
            "stops": self.stops,
            "hosts": hosts,
            "prunes": list(self.prunes),
        }


def version_key(version: str) -> tuple[int, ...]:
    """Return a version as numbers that can be compared; 2.60.0rc1 counts as 2.60.0."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def plan_ray(hosts: Sequence[RayHost], back: bool = False, outside: Sequence[str] = ()) -> RayPlan:
    """Return what is done to Ray; ``hosts`` has those of this run, the head first.

    ``outside`` are nodes that --limit keeps out of the run, whose version would stay behind.
    """
    there = [host for host in hosts if host.found]
    absent = [host.name for host in hosts if not host.found]
    notes = [f"no Ray is installed on {named(absent)}; provision.yml does that"] if absent else []
    if not there or not there[0].is_head:
        alone = ["Ray is left alone: its head is not in this run, or has none"] if there else []
        return RayPlan(Plan(notes=(*notes, *alone)))
    ray = _back(there, notes) if back else _forward(there, notes)
    if not ray.stops or not outside:
        return ray
    head = there[0]
    reason = (
        f"all nodes of a cluster change together, and {named(outside)} would stay behind; run "
        "without --limit"
    )
    refusal = Refusal(head.name, COMPONENT, head.found, ray.version, reason)
    return replace(ray, plan=replace(ray.plan, refusals=(*ray.plan.refusals, refusal)))


def _forward(hosts: Sequence[RayHost], notes: list[str]) -> RayPlan:
    version = hosts[0].wanted
    refusals = [
        Refusal(
            host.name,
            COMPONENT,
            host.found,
            host.wanted,
            f"the head {hosts[0].name} is to have {version}, and all nodes of a cluster have one "
            "version; set ray_version for all of them, not for some",
        )
        for host in hosts
        if host.wanted != version
    ]
    refusals += [
        Refusal(host.name, COMPONENT, host.found, version, _DOWN.format(found=host.found))
        for host in hosts
        if host.wanted == version and version_key(version) < version_key(host.found)
    ]
    places = {host.name: host.place for host in hosts}
    unpruned = [host.name for host in hosts if host.found == version and host.has_leftovers]
    if unpruned:
        left = f"releases of Ray that are not needed any more are removed from {named(unpruned)}"
        notes = [*notes, left]
    ray = _rows(hosts, version, places, tuple(refusals), notes)
    return replace(ray, prunes=(*ray.plan.hosts(COMPONENT), *unpruned))


def _back(hosts: Sequence[RayHost], notes: list[str]) -> RayPlan:
    kept = {(host.previous, host.previous_place) for host in hosts if host.previous}
    if not kept:
        note = "Ray cannot go back: no node keeps an earlier release"
        return RayPlan(Plan(notes=(*notes, note)), hosts[0].found)
    versions = sorted({version for version, _place in kept}, key=version_key)
    if len(versions) > 1:
        refusals = tuple(
            Refusal(
                host.name,
                COMPONENT,
                host.found,
                "one earlier release on all nodes",
                f"it keeps {host.previous or 'none'}, and others keep {named(versions)}; bring all "
                "nodes to one version with upgrade.yml first",
            )
            for host in hosts
        )
        return RayPlan(Plan(refusals=refusals, notes=tuple(notes)))
    version, place = next(iter(sorted(kept)))
    places = {host.name: host.previous_place or place for host in hosts}
    if any(host.found != version for host in hosts):
        notes = [
            *notes,
            f"set ray_version to {version} in the inventory too, or provision.yml refuses to go on",
        ]
    return _rows(hosts, version, places, (), notes)


def _rows(
    hosts: Sequence[RayHost],
    version: str,
    places: Mapping[str, str],
    refusals: tuple[Refusal, ...],
    notes: Sequence[str],
) -> RayPlan:
    rows = tuple(
        Row(
            host=host.name,
            component=COMPONENT,
            found=host.found,
            wanted=version,
            order=RAY if host.is_head else RAY + 1,
            note="head: all jobs end with it" if host.is_head else "",
        )
        for host in hosts
        if host.found != version
    )
    stops = any(host.is_head and host.found != version for host in hosts)
    return RayPlan(Plan(rows, refusals, tuple(notes)), version, places, stops)


def downtime_words(seconds: float, version: str, nodes: int) -> str:
    """Return the line that reports how long Ray was away."""
    return (
        f"Ray {version}: down for {seconds:.1f} s, from the head's stop until all {nodes} nodes "
        "were ALIVE again"
    )


def wait_limit(value: Any) -> float:
    """Return upgrade_wait_for_jobs in seconds: no limit for true, 0 for false.

    ValueError says what was seen instead.
    """
    text = str(value).strip().lower()
    if text in ("none", "", "false", "no"):
        return 0.0
    if text in ("true", "yes"):
        return float("inf")
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    raise ValueError(
        f"upgrade_wait_for_jobs is {value!r}, expected a number of seconds, true or false"
    )
