# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: which ports of which node must be reached by whom."""

from __future__ import annotations

DOCUMENTATION = r"""
name: port_mesh_plan
short_description: Which ports of which node must be reached by whom, by the port catalogue
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Turns the port catalogue and the inventory into concrete listeners, one for each node and service, for
    P(rackforge.gpu_cluster.port_mesh_listen#filter), P(rackforge.gpu_cluster.port_mesh_targets#filter) and the checks of preflight.
  - Node addresses are those that M(rackforge.gpu_cluster.node_probe) found; a member without one takes no part. Variables of a host
    move its ports. A service whose variable is no port is left out, since preflight has a finding about the variable.
  - Work it out once in a run. It asks for the variables of every member.
positional: _input, members, groups, profiles, mode, seed
options:
  _input:
    description: Variables of all hosts (C(hostvars)).
    type: dict
    required: true
  members:
    description: Names of the nodes that take part.
    type: list
    elements: str
    required: true
  groups:
    description: Groups of the inventory and their hosts (C(groups)).
    type: dict
    required: true
  profiles:
    description:
      - Profiles beside those that the groups make, as a list or a text with commas.
      - Groups with hosts make V(ray), V(k3s), V(k3s-ha) (more than one server) and V(monitoring). V(management) adds the ports of the
        AIGr.id management cluster, V(lan) all ports between all nodes, as the Vast LAN clusters document asks for.
    type: list
    elements: str
    default: []
  mode:
    description:
      - V(required) tests every port of every service; only the 65,535 ports of the profile V(lan) are sampled, by 1,024.
      - V(full) tests all of them. V(sample) tests 64 ports of each range that is wider, first and last among them. V(off) tests nothing.
    type: str
    choices: [required, full, sample, "off"]
    default: required
  seed:
    description: What the choice of sampled ports comes from. Another value gives other ports.
    type: raw
    default: 0
"""

EXAMPLES = r"""
- name: Work out once which paths the cluster will use
  ansible.builtin.set_fact:
    mesh_plan: "{{ hostvars | rackforge.gpu_cluster.port_mesh_plan(ansible_play_hosts, groups) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The listeners.
  type: list
  elements: dict
  sample:
    - host: gpu-head
      address: 198.18.0.10
      protocol: tcp
      ports: "6379"
      tested: "6379"
      service: ray-gcs
      profile: ray
      sources: [gpu-w1, gpu-w2]
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union

from ansible.errors import AnsibleError, AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_plan import (
    OFF,
    plan_listeners,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    CATALOGUE,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_profiles import (
    profiles_of,
)
from jinja2.exceptions import UndefinedError

_CHOICES = {row.choice.variable for row in CATALOGUE if row.choice}
_VARIABLES = tuple(sorted({name for row in CATALOGUE for name in row.variables} | _CHOICES))


def port_mesh_plan(
    hostvars: Mapping[str, Any],
    members: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    profiles: Union[str, Sequence[str]] = (),
    mode: Union[str, bool] = "required",
    seed: Any = 0,
) -> list[dict[str, Any]]:
    """Return the listeners; AnsibleFilterError says which profile or mode there is not."""
    nodes, variables = {}, {}
    for name in dict.fromkeys(str(member) for member in members):
        nodes[name], variables[name] = _view(hostvars[name])
    # Plain texts and lists: what Ansible keeps of a variable is slow to look at again and again.
    plain = {str(group): [str(host) for host in hosts] for group, hosts in groups.items()}
    try:
        chosen = profiles_of(plain, profiles)
        # YAML reads an unquoted off as false.
        named = OFF if mode is False else str(mode)
        listeners = plan_listeners(nodes, plain, variables, chosen, named, str(seed))
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error
    return [each.to_plain() for each in listeners]


def _view(variables: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a host's node address and its variables that decide about a port."""
    node = variables.get("ansible_facts", {}).get("gpu_cluster", {})
    return str(node.get("node_address") or ""), {
        name: _value(variables, name) for name in _VARIABLES if name in variables
    }


def _value(variables: Mapping[str, Any], name: str) -> Any:
    """Return a variable's value, or a text that is no port when it cannot be worked out."""
    try:
        value = variables[name]
        return value if value is None or isinstance(value, (bool, int)) else str(value)
    except (AnsibleError, UndefinedError, KeyError):
        return "unresolved"


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"port_mesh_plan": port_mesh_plan}
