#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action of this name; it runs on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_status
short_description: Show how a cluster stands
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Puts together what was registered for the nodes of a cluster and what M(rackforge.gpu_cluster.cluster_operation) noted, and prints it
    once as a table or as one JSON document.
extends_documentation_fragment:
  - rackforge.gpu_cluster.attributes.read_only
options:
  cluster:
    description: The cluster's name.
    type: str
    required: true
  heads:
    description: Hosts of the group C(ray_head).
    type: list
    elements: str
    required: true
  workers:
    description: Hosts of the group C(ray_worker).
    type: list
    elements: str
    required: true
  probe_register:
    description: Variable that M(rackforge.gpu_cluster.node_probe) was registered under.
    type: str
    required: true
  unit_register:
    description: Variable that M(rackforge.gpu_cluster.ray_node_info) was registered under.
    type: str
    required: true
  gpu_register:
    description:
      - Variable that M(rackforge.gpu_cluster.gpu_info) was registered under for hosts with GPUs. Without it a node's GPUs are the
        number that Ray offers.
    type: str
  head_register:
    description: Variable of the head that M(rackforge.gpu_cluster.ray_cluster_info) was registered under.
    type: str
    required: true
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
    description:
      - Variable that M(rackforge.gpu_cluster.k3s_cluster_info) was registered under, on servers and agents. Needed with
        O(servers) and O(agents).
    type: str
  k3s_api_port:
    description: Port of the Kubernetes API; when it is not given, the port catalogue's.
    type: int
  monitoring:
    description: Hosts of the group C(monitoring).
    type: list
    elements: str
    default: []
  monitoring_register:
    description:
      - Variable that M(rackforge.gpu_cluster.monitoring_check) was registered under, with its option O(ignore:report). Needed with
        O(monitoring).
    type: str
  monitoring_url:
    description: Address of the page of panels.
    type: str
  dashboard_port:
    description: Port of the head's dashboard; when it is not given, the port catalogue's.
    type: int
  format:
    description: How the status is printed.
    type: str
    choices: [text, json]
    default: text
  file:
    description: File on the control node that the JSON document is written to as well.
    type: path
  report:
    description: File on the control node that a page for browsers is written to as well.
    type: path
  state_directory:
    description: Directory of the cluster's record; when it is not given, C(state) beside the inventory.
    type: path
"""

EXAMPLES = r"""
- name: Show how the cluster stands
  rackforge.gpu_cluster.cluster_status:
    cluster: lab
    heads: [node1]
    workers: [node2]
    probe_register: probe
    unit_register: unit
    gpu_register: gpus
    head_register: head
    dashboard_port: 8265

- name: Show how a k3s cluster stands
  rackforge.gpu_cluster.cluster_status:
    cluster: lab
    heads: []
    workers: []
    probe_register: probe
    unit_register: unit
    head_register: head
    servers: [node1]
    agents: [node2]
    k3s_register: k3s
"""

RETURN = r"""
status:
  description:
    - The document; docs/status-schema.json is its schema.
    - C(state) is V(Initializing), V(Running), V(Updating), V(Upgrading), V(Failed) or V(Deleting), C(health) is V(healthy), V(degraded) or
      V(failed), C(exit) the status that a run should end with. C(reasons) says why it is not healthy, C(notes) what else is worth knowing.
    - C(running) is the operation that holds the lock, C(unfinished) the one to go on with, C(operations) has those on record.
    - C(ray), C(k3s) and C(monitoring) are the parts, each null where the inventory has no node for it. Their C(state) is V(running),
      V(degraded), V(down) (the head or every server is silent; not for monitoring) or V(absent) (nothing is installed).
    - A Ray node's C(state) is V(alive), V(drained), V(not-joined), V(stopped), V(not-installed), V(unreachable) or V(unknown). Its
      C(gpus) are null where it was not asked; else C(count) are those on the PCI bus, C(usable) those of them that answer their driver,
      C(offered) those that Ray offers.
    - A k3s node's C(state) is V(ready), V(not-ready), V(not-joined), V(stopped), V(not-installed), V(unreachable) or V(unknown). Its
      C(gpus) have C(offered) (pods can ask for them) and C(found) (on the PCI bus; null where the node was not asked).
  returned: always
  type: dict
  sample:
    schema_version: 1
    cluster: lab
    state: Failed
    health: degraded
    exit: 4
    reasons:
      - {node: node2, reason: node2 could not be reached at 192.0.2.11 port 22., planned: false}
    notes: []
    versions:
      - {engine: ray, wanted: 2.60.0, found: {2.60.0: [node1]}}
message:
  description: State, health and the reasons in a sentence, to end a run with.
  returned: always
  type: str
  sample: "Cluster lab: Failed, degraded. node2: node2 could not be reached at 192.0.2.11 port 22."
unwell:
  description: Why each node of the run is not at work, by its name; empty for a healthy cluster.
  returned: always
  type: dict
  sample: {node2: node2 could not be reached at 192.0.2.11 port 22.}
"""
