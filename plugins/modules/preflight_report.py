#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_report
short_description: Report everything that is wrong with the inventory and its nodes
version_added: 0.1.0
description:
  - Runs once for the whole play, on the control node. Judges the groups, the variables of every
    host, what M(rackforge.gpu_cluster.node_probe) and M(rackforge.gpu_cluster.gpu_driver_check) registered for it, what the GPU roles
    would do, and what M(rackforge.gpu_cluster.port_mesh) saw of the paths between the nodes.
  - Prints all findings in one table, errors first, then by host, each with what was seen, what was
    expected and what to type about it. Of warnings and notes it prints twenty and counts the others.
  - Writes C(preflight.json) and C(report.html) into O(directory). docs/preflight-report.md describes both.
  - Fails with one line when there is an error.
author:
  - rackforge contributors (@rackforge)
options:
  register:
    description: Name of the variable that the probe's result was registered under.
    type: str
    default: __preflight_probe
  gpu_register:
    description:
      - Variable that M(rackforge.gpu_cluster.gpu_driver_check) was registered under for hosts with C(has_gpu); its findings join the report.
      - What provision.yml mends itself (C(bar1-zero)) is a warning here.
    type: str
    default: __preflight_gpus
  groups:
    description: The groups whose hosts are nodes of the cluster.
    type: list
    elements: str
    default: [ray_head, ray_worker, k3s_server, k3s_agent, monitoring, registry]
  own_variables:
    description:
      - Names of variables that belong to the owner of the inventory. They are never taken for
        misspelt ones of this collection.
    type: list
    elements: str
    default: []
  ignore:
    description:
      - Codes of findings that do not count. They are in the report as ignored, and a line on the terminal names them.
      - A code without a finding is a note, one that there is not a warning. Some cannot be ignored, since no cluster could be built.
    type: list
    elements: str
    default: []
  profiles:
    description: What the nodes are for besides what the groups say; see P(rackforge.gpu_cluster.port_mesh_plan#filter).
    type: list
    elements: str
    default: []
  ports:
    description: How ports were tested, for the report.
    type: str
    default: "off"
  directory:
    description:
      - Directory on the control node for C(preflight.json) and C(report.html), made where it is missing; when it is not given, C(preflight)
        beside the inventory. Nothing is written when empty.
      - A directory that cannot be written to is a warning.
    type: str
  tolerate_unreachable:
    description:
      - Whether workers that cannot be reached leave the run going for the others. They are
        reported as errors all the same.
      - A head that cannot be reached always stops the run.
    type: bool
    default: false
  fail_on_error:
    description: Whether errors fail the task. The findings are returned only when it does not fail.
    type: bool
    default: true
extends_documentation_fragment:
  - rackforge.gpu_cluster.attributes.read_only
attributes:
  action:
    description: Runs on the control node only.
    support: full
  bypass_host_loop:
    description: Runs once for all hosts of the play.
    support: full
seealso:
  - module: rackforge.gpu_cluster.node_probe
"""

EXAMPLES = r"""
- name: Ask every node what it is
  rackforge.gpu_cluster.node_probe:
    my_iface: "{{ my_iface | default('') }}"
  register: __preflight_probe

- name: Report every problem before the first change
  rackforge.gpu_cluster.preflight_report:
    tolerate_unreachable: true
  register: report
"""

RETURN = r"""
findings:
  description: All findings in the order of the table.
  returned: when the task does not fail
  type: list
  elements: dict
  sample:
    - severity: error
      code: my-iface-missing
      host: node2
      message: The node has no interface eth9.
      seen: eth0 198.18.1.3/24, eth1 198.19.1.3/24
      expected: an interface eth9, as my_iface says
      fix: node2 my_iface=eth1
      variable: my_iface
ignored:
  description: The findings that O(ignore) takes out.
  returned: when the task does not fail
  type: list
  elements: dict
  sample: []
page:
  description: Path of report.html.
  returned: when it was written and the task does not fail
  type: str
  sample: /home/ops/cluster/preflight/report.html
document:
  description: Path of preflight.json.
  returned: when it was written and the task does not fail
  type: str
  sample: /home/ops/cluster/preflight/preflight.json
counts:
  description: How many findings there are of each severity.
  returned: when the task does not fail
  type: dict
  sample:
    error: 1
    warning: 0
    note: 0
fatal_count:
  description: How many of the findings stop a run.
  returned: when the task does not fail
  type: int
  sample: 1
unreachable_nodes:
  description: The nodes that could not be reached.
  returned: when the task does not fail
  type: list
  elements: str
  sample: [node3]
summary:
  description: One line about all of it.
  returned: when the task does not fail
  type: str
  sample: "Preflight of 3 nodes, 1 not reached: 1 error."
"""
