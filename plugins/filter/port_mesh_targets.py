# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: what each node tries in the port mesh."""

from __future__ import annotations

DOCUMENTATION = r"""
name: port_mesh_targets
short_description: What each node tries in the port mesh, as far as somebody listens
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Joins what P(rackforge.gpu_cluster.port_mesh_plan#filter) says with what every node reported when it was told to listen.
  - Ports where nobody listens are left out, and so are nodes whose report is missing or names a problem.
  - Work it out once in a run, for all nodes. Each begins with the node that follows it in the plan, lest all begin with the same one.
positional: _input, sources, reports, register
options:
  _input:
    description: What P(rackforge.gpu_cluster.port_mesh_plan#filter) returned.
    type: list
    elements: dict
    required: true
  sources:
    description: Names of the nodes that try, V(control node) for the machine that Ansible runs on. One name instead of a list gives its list.
    type: raw
    required: true
  reports:
    description: The report of each node, by its name; with O(register) the variables of all hosts (C(hostvars)).
    type: dict
    required: true
  register:
    description: Name of the variable with a node's result, whose C(report) counts.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Work out once what every node tries
  ansible.builtin.set_fact:
    mesh_targets: "{{ mesh_plan | rackforge.gpu_cluster.port_mesh_targets(ansible_play_hosts, hostvars, 'mesh_listen') }}"
  run_once: true

- name: Show what the control node can try
  ansible.builtin.debug:
    msg: "{{ mesh_plan | rackforge.gpu_cluster.port_mesh_targets('control node', mesh_reports) }}"
"""

RETURN = r"""
_value:
  description: For each source its targets; the targets alone when O(sources) is one name.
  type: raw
  sample:
    gpu-w1:
      - host: gpu-head
        address: 198.18.0.10
        tcp: "6379,8076-8077,10002-20000,56999"
        tcp_served: ""
        udp: ""
        udp_served: ""
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Optional, Union

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    ListenReport,
    listen_report_from_plain,
    listener_from_plain,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_plan import (
    all_targets,
)


def port_mesh_targets(
    plan: Iterable[Mapping[str, Any]],
    sources: Union[str, Iterable[str]],
    reports: Mapping[str, Any],
    register: str = "",
) -> Any:
    """Return the targets of all sources, or of the one."""
    names = [str(sources)] if isinstance(sources, str) else [str(each) for each in sources]
    listeners = [listener_from_plain(each) for each in plan]
    heard = {host: _report(reports, host, register) for host in {each.host for each in listeners}}
    known = {host: report for host, report in heard.items() if report is not None}
    found = {
        source: [target.to_plain() for target in targets]
        for source, targets in all_targets(listeners, known, names).items()
    }
    return found[names[0]] if isinstance(sources, str) else found


def _report(reports: Mapping[str, Any], host: str, register: str) -> Optional[ListenReport]:
    """Return what ``host`` reported, None when that is nothing."""
    given = reports.get(host)
    if register and isinstance(given, Mapping):
        result = given.get(register)
        given = result.get("report") if isinstance(result, Mapping) else None
    if not isinstance(given, Mapping) or "address" not in given:
        return None
    return listen_report_from_plain(given)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"port_mesh_targets": port_mesh_targets}
