#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action of this name; it runs on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: secret_rotation
short_description: Replace secrets of the control node, and keep the old ones until the end
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - V(begun) makes a new secret of 256 random bits and keeps the old one beside it, in a file whose name ends with C(.previous).
    Where that was done before, nothing is made, so that a run that was cut off is gone on with.
  - V(ended) removes the old one. Call it when the cluster has proven itself with the new one.
  - It runs on the control node. The value stands in no argument, no result and no log.
attributes:
  check_mode:
    support: full
    description: Says what would be done.
  diff_mode:
    support: none
    description: A secret is never shown.
  idempotent:
    support: full
    description: Between V(begun) and V(ended) a secret is replaced once.
options:
  secrets:
    description: The files on the control node.
    type: list
    elements: path
    required: true
  state:
    description: Whether the rotation begins or ends.
    type: str
    choices: [begun, ended]
    default: begun
"""

EXAMPLES = r"""
- name: Have a new token beside the old one
  rackforge.gpu_cluster.secret_rotation:
    secrets: ["{{ inventory_dir }}/secrets/lab/ray_auth_token"]
  run_once: true

- name: Forget the old token
  rackforge.gpu_cluster.secret_rotation:
    secrets: ["{{ inventory_dir }}/secrets/lab/ray_auth_token"]
    state: ended
  run_once: true
"""

RETURN = r"""
unfinished:
  description: Those of the secrets whose rotation an earlier run had begun.
  returned: success
  type: list
  elements: str
  sample: []
"""
