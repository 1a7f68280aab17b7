#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_operation
short_description: Note on the control node what is being done to a cluster, one operation at a time
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Runs once for the whole play, on the control node. Writes into a small JSON file who does what to the cluster, since when and how it
    ended; docs/status.md describes the file.
  - An operation that has begun and not ended is the cluster's lock. While the ansible-playbook that began it runs, another one is refused,
    and told who holds the lock.
  - Where that process is gone, the operation is noted as V(interrupted) (as V(refused) if its O(phase) was V(checks)) and the new one goes on.
  - Operations of one run may lie within each other.
  - A file that cannot be read is kept aside with C(.broken) behind its name, and a new one begun.
  - Does nothing in check mode.
options:
  operation:
    description: The operation's name, which is that of its playbook without C(.yml).
    type: str
    required: true
  state:
    description:
      - V(begun) takes the lock or fails.
      - V(reached) notes the O(phase).
      - V(ended) gives the lock back, and notes the hosts of the play that have failed. Without a V(begun) of this run it does nothing.
    type: str
    choices: [begun, reached, ended]
    required: true
  phase:
    description: What the operation is at; V(checks) as long as it has changed nothing.
    type: str
    default: ""
  nodes:
    description: For V(begun), the nodes that the operation is about. When empty, those of the run.
    type: list
    elements: str
    default: []
  cluster:
    description: The cluster's name, which names the file.
    type: str
    required: true
  directory:
    description: Directory of the file; when it is not given, C(state) beside the inventory.
    type: path
  take_lock:
    description: Whether to pass a holder on another machine, of which it cannot be seen here whether it still runs.
    type: bool
    default: false
attributes:
  action:
    description: Runs on the control node only.
    support: full
  bypass_host_loop:
    description: Runs once for all hosts of the play.
    support: full
  check_mode:
    support: full
    description: Nothing is written.
  diff_mode:
    support: N/A
    description: Changes nothing on a node.
"""

EXAMPLES = r"""
- name: Keep others from changing the cluster
  rackforge.gpu_cluster.cluster_operation:
    operation: upgrade
    state: begun
    cluster: lab
"""

RETURN = r"""
record:
  description: The file.
  returned: always
  type: str
  sample: /srv/cluster/state/lab.json
"""
