# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: why nodes may not be taken out of a cluster that stays."""

from __future__ import annotations

DOCUMENTATION = r"""
name: removal_problems
short_description: Why nodes may not be taken out of a cluster that stays
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Judges by the inventory alone. What the k3s servers and the nodes themselves say is asked later.
positional: _input, leaving
options:
  _input:
    description: Groups of the inventory and their hosts (C(groups)).
    type: dict
    required: true
  leaving:
    description: Names of the nodes that are to leave.
    type: list
    elements: str
    required: true
  limit:
    description: What C(--limit) says.
    type: str
    default: ""
  successor:
    description: The node that the owner wants as the next head, for the message.
    type: str
    default: ""
  samples_decided:
    description: Whether the owner has said what becomes of the monitoring host's samples.
    type: bool
    default: false
  gone:
    description: Whether the nodes will not come back.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show whether node3 may leave
  ansible.builtin.debug:
    msg: "{{ groups | rackforge.gpu_cluster.removal_problems(['node3']) }}"
"""

RETURN = r"""
_value:
  description: A sentence for each problem, with the way out.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import membership


def removal_problems(
    groups: Mapping[str, Sequence[str]],
    leaving: Sequence[str],
    limit: str = "",
    successor: str = "",
    samples_decided: bool = False,
    gone: bool = False,
) -> list[str]:
    """Return why the nodes may not leave."""
    wish = membership.Wish(
        leaving=membership.named(leaving),
        limit=str(limit),
        successor=str(successor),
        samples_decided=bool(samples_decided),
        gone=bool(gone),
    )
    return membership.removal_problems(groups, wish)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"removal_problems": removal_problems}
