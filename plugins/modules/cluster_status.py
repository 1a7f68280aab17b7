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
  - Puts together what was registered for the nodes of a cluster, and prints it once as a table or as one JSON document.
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
    - The cluster. Its C(state) is V(running) (every node is alive and offers all of its GPUs), V(degraded), V(down) (the head does not
      answer) or V(absent) (nothing is installed).
    - A node's C(state) is V(alive), V(not-joined), V(stopped), V(not-installed), V(unreachable) or V(unknown), and C(reason)
      says why it is not alive.
    - With O(servers) or O(agents) there is C(k3s) as well; without O(heads) and O(workers) only C(cluster), C(state) and C(k3s). Its
      C(state) is
      V(running) (every server answers, every node is ready and offers all of its GPUs), V(degraded), V(down) (no server answers) or
      V(absent).
    - A node's C(state) in it is V(ready), V(not-ready), V(not-joined), V(stopped), V(not-installed), V(unreachable) or V(unknown). Its
      C(gpus) have
      C(offered) (pods can ask for them) and C(found) (the PCI bus shows them; null where the node was not asked). C(silent) has the
      servers that
      did not answer, and why; C(asked) the one whose answer this is.
    - With O(monitoring) there is C(monitoring). Its C(state) is V(running), V(degraded) (C(problems) says why), V(not-installed),
      V(unreachable) or V(unknown); C(targets) is the number of those expected, C(firing) has the alerts that fire, the gravest first.
    - A node's C(gpus) are null where the node was not asked. Else C(count) are those on the PCI bus, C(usable) those of them that
      answer their driver,
      C(offered) those that Ray offers; C(models) has the number of each model, C(text) the same in short, C(problem) why the numbers
      differ.
  returned: always
  type: dict
  sample:
    cluster: lab
    state: running
    dashboard: http://192.0.2.10:8265
    ray_version: 2.60.0
    error: ""
    jobs: []
    nodes:
      - name: node1
        role: head
        state: alive
        address: 192.0.2.10
        version: 2.60.0
        restarts: 0
        resources: {CPU: 64.0, GPU: 2.0, memory: 270582939648.0}
        reason: ""
        gpus: {count: 2, usable: 2, offered: 2, models: {NVIDIA H100 80GB HBM3: 2}, text: 2 x H100, problem: ""}
    monitoring:
      host: node3
      state: running
      url: http://192.0.2.12:9090/user/
      targets: 14
      problems: []
      firing: [{severity: critical, alert: GpuFailed, node: node2}]
    k3s:
      cluster: lab
      state: degraded
      api: https://192.0.2.10:6443
      asked: node1
      silent: {}
      server_version: v1.33.5+k3s1
      nodes:
        - name: node1
          role: server
          state: ready
          cordoned: false
          address: 192.0.2.10
          version: v1.33.5+k3s1
          gpus: {offered: 0, found: 2, problem: "it offers 0 nvidia.com/gpu, expected 2; run verify.yml, which says why"}
          pods_not_ready: 1
          reason: ""
      pods_not_ready:
        - namespace: kube-system
          name: nvidia-device-plugin-x7k2p
          node: node1
          phase: Pending
          reason: ImagePullBackOff
          message: Back-off pulling image
          restarts: 0
"""
