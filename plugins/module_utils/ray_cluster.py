# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Ray cluster as its head's API shows it, and what to think of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

ALIVE = "ALIVE"
UNFINISHED = ("PENDING", "RUNNING")

#: Resources that describe the node itself rather than what it offers.
_INTERNAL = "node:"


class RayAnswerError(ValueError):
    """An answer of the API that has not the expected form."""


@dataclass(frozen=True)
class RayNode:
    """A node as the head knows it."""

    node_id: str
    address: str
    state: str
    is_head: bool
    resources: Mapping[str, float]
    labels: Mapping[str, str]


@dataclass(frozen=True)
class RayJob:
    """A job as the head knows it: submitted to its API, or a driver that connected by itself."""

    job_id: str
    type: str
    status: str
    entrypoint: str


def parse_version(answer: Mapping[str, Any]) -> str:
    """Return the version in an answer of ``/api/version``."""
    try:
        return str(answer["ray_version"])
    except (KeyError, TypeError) as error:
        raise RayAnswerError(
            f"/api/version: no version in the answer ({error!r}), is this a Ray dashboard?"
        ) from error


def parse_nodes(answer: Mapping[str, Any]) -> list[RayNode]:
    """Return the nodes in an answer of ``/api/v0/nodes?detail=true``."""
    try:
        if not answer["result"]:
            raise RayAnswerError(f"/api/v0/nodes: the head says {answer.get('msg') or answer}")
        rows = answer["data"]["result"]["result"]
        return [_node(row) for row in rows]
    except (KeyError, TypeError, AttributeError) as error:
        raise RayAnswerError(
            f"/api/v0/nodes: no list of nodes in the answer ({error!r})"
        ) from error


def _node(row: Mapping[str, Any]) -> RayNode:
    resources = {
        name: value
        for name, value in (row.get("resources_total") or {}).items()
        if not name.startswith(_INTERNAL)
    }
    return RayNode(
        node_id=row["node_id"],
        address=row["node_ip"],
        state=row["state"],
        is_head=bool(row["is_head_node"]),
        resources=resources,
        labels=dict(row.get("labels") or {}),
    )


def parse_jobs(answer: Iterable[Mapping[str, Any]]) -> list[RayJob]:
    """Return the jobs in an answer of ``/api/jobs/``."""
    try:
        return [
            RayJob(
                job_id=str(row.get("submission_id") or row.get("job_id")),
                type=str(row["type"]),
                status=str(row["status"]),
                entrypoint=str(row.get("entrypoint") or ""),
            )
            for row in answer
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise RayAnswerError(f"/api/jobs/: no list of jobs in the answer ({error!r})") from error


def missing_addresses(nodes: Iterable[RayNode], wanted: Iterable[str]) -> list[str]:
    """Return those of ``wanted`` that no ALIVE node has, in their order."""
    alive = {node.address for node in nodes if node.state == ALIVE}
    return [address for address in wanted if address not in alive]


def other_addresses(nodes: Iterable[RayNode], only: Sequence[str]) -> list[str]:
    """Return the addresses that are ALIVE and not in ``only``, none where that is empty."""
    if not only:
        return []
    return sorted({node.address for node in nodes if node.state == ALIVE} - set(only))


def unfinished(jobs: Iterable[RayJob]) -> list[RayJob]:
    """Return the jobs that would be lost if the cluster stopped now."""
    return [job for job in jobs if job.status in UNFINISHED]


def as_data(values: Iterable[Any]) -> list[dict[str, Any]]:
    """Return dataclasses as plain data."""
    return [asdict(value) for value in values]


def judge_node(
    name: str,
    wanted: Mapping[str, str],
    seen: Mapping[str, Any],
    nodes: Iterable[Mapping[str, Any]],
) -> list[str]:
    """Return what is wrong with one node, a sentence each; nothing when all is well.

    ``wanted`` has address and version, ``seen`` what the node itself shows (unit_state, version,
    address), ``nodes`` what the head says.
    """
    if seen["unit_state"] != "active":
        return [
            f"{name}: unit ray.service is {seen['unit_state']}, expected active; "
            "see 'journalctl --unit ray.service' on the node"
        ]
    if not seen["version"]:
        return [
            f"{name}: unit ray.service is active, but no Ray node process (raylet) runs; "
            "it may not have come up yet: see 'journalctl --unit ray.service' on the node"
        ]
    wrong = [
        f"{name}: Ray's {what} is {seen[what]}, expected {wanted[what]}; run {playbook}"
        # provision.yml never replaces a version that runs.
        for what, playbook in (("version", "upgrade.yml"), ("address", "provision.yml again"))
        if seen[what] and wanted.get(what) and seen[what] != wanted[what]
    ]
    told = list(nodes)
    states = [node["state"] for node in told if node["address"] == wanted["address"]]
    if not told:
        wrong.append(
            f"{name}: the dashboard of the head told no node, not even the head. When ray.service "
            "is active there, the dashboard may have found its port taken at its start, and Ray "
            "does not start it again: see 'journalctl --unit ray.service' on the head, type "
            "'systemctl restart ray.service' there when no job runs, and run this again"
        )
    elif ALIVE not in states:
        wrong.append(
            f"{name}: the head does not see {wanted['address']} as ALIVE "
            f"(it says {states[-1] if states else 'nothing'}); check that the node reaches the "
            "head's GCS port and that both have the same token and version"
        )
    return wrong
