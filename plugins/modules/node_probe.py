#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_probe
short_description: Take a first look at a node, and tell failures as data
version_added: 0.1.0
description:
  - Runs M(rackforge.gpu_cluster.node_info) on the node, the way that the play's tasks would run.
  - A node that cannot be reached, that lets nobody become root or that has no usable Python does
    not fail the task. The result says so, with a finding that explains it.
  - Asks a node once. Only when becoming root failed it asks a second time, as the login user, to
    tell a node that is away from one that refuses root.
author:
  - rackforge contributors (@rackforge)
options:
  my_iface:
    description: See M(rackforge.gpu_cluster.node_info).
    type: str
    default: ""
  cluster_subnet:
    description: See M(rackforge.gpu_cluster.node_info).
    type: str
    default: ""
  ssh_port:
    description:
      - Port that the host's SSH server has or shall have (C(os_base_ssh_port)), 0 for none.
      - When the inventory's port refuses or times out, this one is tried, or 22 where the inventory
        has it already. The host's key must be known. Addresses of the control node itself are never
        tried.
    type: int
    default: 0
  survey:
    description:
      - See M(rackforge.gpu_cluster.node_info). The values under C(system) get C(clock_offset) in addition, the lower and the upper
        bound of how many seconds the node's clock is ahead of the control node's.
    type: bool
    default: false
  timeout:
    description:
      - Seconds that the whole probe may take before the node counts as silent.
      - A node that is off is found within the connection timeout of Ansible already.
    type: int
    default: 60
  leave_out:
    description:
      - When not empty, nothing is asked. The node is reported as unreachable with this text and
        drops out of the run.
      - A playbook uses it for nodes that an earlier probe could not reach, so that the run neither
        waits for them again nor counts them as done.
    type: str
    default: ""
extends_documentation_fragment:
  - rackforge.gpu_cluster.attributes.read_only
attributes:
  action:
    description: Runs on the control node and calls a module on the node.
    support: full
seealso:
  - module: rackforge.gpu_cluster.node_info
  - module: rackforge.gpu_cluster.preflight_report
"""

EXAMPLES = r"""
- name: Ask every node what it is
  rackforge.gpu_cluster.node_probe:
    my_iface: "{{ my_iface | default('') }}"
    cluster_subnet: "{{ cluster_subnet | default('') }}"
  register: probe

- name: Leave out of the run a node that did not answer
  rackforge.gpu_cluster.node_probe:
    leave_out: "{{ probe.findings[0].seen }}"
  when: not probe.reachable
"""

RETURN = r"""
port:
  description: Port to use for the rest of the run.
  returned: when another port than the inventory's answered
  type: int
  sample: 22332
reachable:
  description: Whether the node let Ansible in.
  returned: always
  type: bool
  sample: true
sudo:
  description: Whether tasks run as root there.
  returned: always
  type: bool
  sample: true
findings:
  description: What is wrong, each with severity, code, host, message, seen, expected, fix and variable.
  returned: always
  type: list
  elements: dict
  sample:
    - severity: error
      code: sudo-password-missing
      host: node2
      message: sudo asks alice on node2 for a password, and none was given.
      seen: "sudo: a password is required"
      expected: a sudo password, or sudo without one
      fix: run again with -K
      variable: ansible_become_password
ansible_facts:
  description: The facts of M(rackforge.gpu_cluster.node_info); empty when the node did not answer.
  returned: always
  type: dict
  contains:
    gpu_cluster:
      description: What the node is.
      returned: when the node answered
      type: dict
"""
