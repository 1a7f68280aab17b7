#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bootstrap_report
short_description: Show how bootstrap went on every machine
version_added: 0.1.0
description:
  - Runs once for the whole play, on the control node. Prints one row for each host that
    M(rackforge.gpu_cluster.bootstrap_node) registered a result for, the findings below it, and the lines that make Ansible
    log in with the cluster's key.
  - Never fails.
author:
  - rackforge contributors (@rackforge)
options:
  register:
    description: Name of the variable that the result was registered under.
    type: str
    default: __bootstrap
  key_file:
    description: Path of the cluster's private key on the control node.
    type: path
    required: true
  state:
    description: What was asked for.
    type: str
    default: present
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
  - module: rackforge.gpu_cluster.bootstrap_node
"""

EXAMPLES = r"""
- name: Show how every machine stands
  rackforge.gpu_cluster.bootstrap_report:
    key_file: "{{ inventory_dir }}/secrets/research/ssh_key"
"""

RETURN = r"""
summary:
  description: One line about all of it.
  returned: always
  type: str
  sample: 2 of 3 machines ready.
inventory_lines:
  description: Lines for the inventory; empty when no machine is ready.
  returned: always
  type: list
  elements: str
  sample: ["[all:vars]", ansible_user=ubuntu, ansible_ssh_private_key_file=/home/me/secrets/research/ssh_key]
findings:
  description: The findings of all hosts.
  returned: always
  type: list
  elements: dict
  sample: []
failed_hosts:
  description: The hosts that are not ready.
  returned: always
  type: list
  elements: str
  sample: [gpu03]
"""
