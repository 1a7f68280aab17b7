#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action of this name; it runs on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_plan
short_description: Show what an upgrade does, and refuse what it must not do
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Puts together what was registered for the nodes of a cluster, and prints the plan once as a table of host, component, from, to, reboot
    and note, in the order in which it is done.
  - Fails where something must not be done, with host, component, what was found, what is wanted and the reason of each.
extends_documentation_fragment:
  - rackforge.gpu_cluster.attributes.read_only
options:
  cluster:
    description: The cluster's name.
    type: str
    required: true
  hosts:
    description: Hosts of this run, also those that do not answer. Where it is not given, all of them.
    type: list
    elements: str
    default: []
  wait_for_jobs:
    description: Seconds for which Ray jobs are waited for, V(true) or V(false). Another value is refused before the first change.
    type: raw
    default: false
  heads:
    description: Hosts of the group C(ray_head).
    type: list
    elements: str
    default: []
  workers:
    description: Hosts of the group C(ray_worker).
    type: list
    elements: str
    default: []
  ray_register:
    description: Variable that M(rackforge.gpu_cluster.ray_release) was registered under. Hosts without it are not looked at.
    type: str
    default: __ray_release_seen
  servers:
    description: Hosts of the group C(k3s_server).
    type: list
    elements: str
    default: []
  agents:
    description: Hosts of the group C(k3s_agent).
    type: list
    elements: str
    default: []
  k3s_register:
    description: Variable that M(rackforge.gpu_cluster.k3s_cluster_info) was registered under on the servers.
    type: str
    default: __upgrade_k3s
  k3s_outside_register:
    description: Variable that the answer of the first server was registered under where it is not in this run.
    type: str
    default: __outside_k3s
  k3s_version:
    description: The version of k3s that hosts without C(k3s_version) of their own are to have. Empty leaves k3s alone.
    type: str
    default: ""
  rows_register:
    description:
      - Variable of each host with more rows, a list of mappings with C(host), C(component), C(found) and C(wanted), and C(reboot), C(order)
        (100 when not given, done before k3s with 200 and Ray with 300) and C(note) where they matter.
    type: str
    default: __upgrade_rows
  refusals_register:
    description:
      - Variable of each host with reasons why something must not be done there, a list of mappings with C(host), C(component), C(found),
        C(wanted) and C(reason).
    type: str
    default: __upgrade_refusals
  rollback:
    description: Whether older releases come back instead.
    type: bool
    default: false
  only:
    description: Whether the plan is shown and nothing else is to be done, as in check mode.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the plan
  rackforge.gpu_cluster.upgrade_plan:
    cluster: lab
    heads: [node1]
    workers: [node2]
  run_once: true
  register: plan
"""

RETURN = r"""
go:
  description: Whether there is something to do, and it is to be done.
  returned: success
  type: bool
  sample: true
only:
  description: Whether the plan was to be shown and nothing else.
  returned: success
  type: bool
  sample: false
rows:
  description: The rows of the plan, in their order.
  returned: success
  type: list
  elements: dict
  sample:
    - {host: node1, component: Ray, found: 2.59.0, wanted: 2.60.0, reboot: false, order: 300, note: ""}
components:
  description: What something is done to.
  returned: success
  type: list
  elements: str
  sample: [Ray]
ray:
  description: The version that Ray comes to have, the C(places) of its release by host, the C(hosts) on which it changes, whether the head
    C(stops), and the hosts of which releases that are not needed any more are removed (C(prunes)).
  returned: success
  type: dict
  sample: {version: 2.60.0, places: {node1: /opt/ray/2.60.0}, hosts: [node1], stops: true, prunes: [node1]}
notes:
  description: What else is to be said.
  returned: success
  type: list
  elements: str
  sample: []
"""
