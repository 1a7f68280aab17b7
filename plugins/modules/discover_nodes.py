#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: discover_nodes
short_description: Look for machines over SSH and write an inventory of them
version_added: 0.1.0
description:
  - Runs once, on the control node. Tries one TCP port, that of SSH, at every address (128 at a time), logs in where it is open
    (16 at a time) and runs one shell script that reads and changes nothing. Machines need no Python.
  - Keys are tried with the control node's own C(ssh); the connection's password (C(-k)) is used with paramiko where no key is accepted.
  - "The inventory has O(output) as its name. A file that is there is never overwritten: F(inv-2.ini) is written beside F(inv.ini),
    unless it would say the same."
  - C(my_iface) is the interface on the network that most machines share; among several a private one, then the fastest, then one without
    a default route. C(has_gpu) is true for NVIDIA's display devices and AMD's accelerators. The head is a machine without a GPU,
    if there is one. Whatever is doubtful has a comment with CHECK.
  - A machine found at two addresses is written once; clones that share a machine-id are told apart by their hardware addresses.
author:
  - rackforge contributors (@rackforge)
options:
  targets:
    description: IPv4 addresses and networks, at most 4096 addresses.
    type: list
    elements: str
    required: true
  user:
    description: The user to log in as; unset, whoever Ansible or ssh would take.
    type: str
    default: ""
  port:
    description: The port of the SSH servers.
    type: int
    default: 22
  private_key_file:
    description: A key to try besides the user's own ones.
    type: path
    default: ""
  output:
    description: Path of the inventory on the control node.
    type: path
    default: inv.ini
  timeout:
    description: Seconds to wait for a port to open.
    type: int
    default: 3
  accept_new_host_keys:
    description: Whether the key of a machine that was never seen is taken for the right one and recorded. A changed key is refused.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Scans and asks, and writes no file.
  diff_mode:
    support: full
    description: Shows the inventory.
  idempotent:
    support: full
    description: A second run over the same machines finds the file that it would write.
  action:
    description: Runs on the control node only.
    support: full
  bypass_host_loop:
    description: Runs once for all hosts of the play.
    support: full
"""

EXAMPLES = r"""
- name: Ask every machine what it is, and write an inventory
  rackforge.gpu_cluster.discover_nodes:
    targets: [203.0.113.0/28, 198.51.100.7]
    user: ubuntu
    output: inv.ini
"""

RETURN = r"""
path:
  description: Where the inventory is.
  returned: success
  type: str
  sample: /home/me/inv.ini
hosts:
  description: The addresses of the machines in it.
  returned: success
  type: list
  elements: str
  sample: [203.0.113.2, 203.0.113.3]
refused:
  description: Addresses that answered and did not let us in, with the reason.
  returned: success
  type: dict
  sample:
    203.0.113.9: "Permission denied (publickey,password)."
checks:
  description: How many lines say CHECK.
  returned: success
  type: int
  sample: 3
summary:
  description: One line about all of it.
  returned: success
  type: str
  sample: 2 machines in /home/me/inv.ini, 3 lines with CHECK.
"""
