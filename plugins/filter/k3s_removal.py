# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: what speaks against taking nodes out of a k3s cluster, and what would be lost."""

from __future__ import annotations

DOCUMENTATION = r"""
name: k3s_removal
short_description: What speaks against taking nodes out of a k3s cluster, and what would be lost
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Judges the answers of M(rackforge.gpu_cluster.k3s_contents_info), taken in a loop over servers with C(delegate_to) the item.
positional: _input
options:
  _input:
    description: The results of that loop. Those of servers that could not be reached are left out.
    type: list
    elements: dict
    required: true
  servers:
    description: The cluster's servers by the inventory.
    type: list
    elements: str
    required: true
  agents:
    description: The cluster's agents by the inventory.
    type: list
    elements: str
    required: true
  leaving:
    description: The hosts that are to leave it.
    type: list
    elements: str
    required: true
  names:
    description: What Kubernetes calls the hosts.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what would be lost
  ansible.builtin.debug:
    msg: "{{ answers.results | rackforge.gpu_cluster.k3s_removal(['node1'], ['node2'], ['node2'], {'node1': 'node1', 'node2': 'node2'}) }}"
"""

RETURN = r"""
_value:
  description:
    - C(whole) tells that nobody stays, or that the cluster is gone already. C(through) is a server that stays and answers, empty where there is none.
    - C(obstacles) would break the cluster for those that stay. C(pods), C(volumes) and C(strangers) would be lost. C(ready) are the ready nodes.
    - C(pair) tells that two servers are left, of which one can only leave while both run.
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_contents import (
    Pod,
    Volume,
    losses,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_quorum import (
    Member,
    Removal,
    is_pair,
    obstacles,
    strangers,
)


def k3s_removal(
    answers: Sequence[Mapping[str, Any]],
    servers: Sequence[str],
    agents: Sequence[str],
    leaving: Sequence[str],
    names: Mapping[str, str],
) -> dict[str, Any]:
    """Return the judgement."""
    heard = [answer for answer in answers if "reachable" in answer]
    talking = [answer for answer in heard if answer["reachable"]]
    seen = talking[0] if talking else {}
    removal = Removal(
        servers=tuple(servers),
        agents=tuple(agents),
        leaving=frozenset(leaving),
        names=dict(names),
        members=tuple(Member(m["name"], m["ready"], m["server"]) for m in seen.get("members", ())),
        answered=bool(talking),
        gone=len(heard) == len(answers) > 0 and not any(answer["present"] for answer in heard),
    )
    pods, volumes = losses(
        [Pod(p["name"], p["node"], p["again"]) for p in seen.get("pods", ())],
        [Volume(v["name"], tuple(v["nodes"])) for v in seen.get("volumes", ())],
        [removal.name(host) for host in leaving],
        removal.is_whole,
    )
    return {
        "whole": removal.is_whole,
        "through": "" if removal.is_whole or not talking else str(seen.get("item", "")),
        "obstacles": obstacles(removal),
        "pods": pods,
        "volumes": volumes,
        "strangers": strangers(removal),
        "ready": [member.name for member in removal.members if member.ready],
        "pair": is_pair(removal),
    }


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"k3s_removal": k3s_removal}
