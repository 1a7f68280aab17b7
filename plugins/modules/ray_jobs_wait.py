#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action of this name; it runs on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ray_jobs_wait
short_description: Wait until the jobs of a Ray cluster have ended
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Asks the head every 5 seconds for jobs that have not ended, submitted ones and drivers that connected by themselves, and says once a
    minute which ones it waits for. Run it on the head, where the token lies.
  - Fails with the list when the time is over.
  - A head that does not answer has no jobs where its C(ray.service) is not active. Where it is, the API gets 30 seconds, 180 when the unit was
    just started; then the module fails, since jobs may run that it cannot name.
  - New jobs are not kept away meanwhile.
extends_documentation_fragment:
  - rackforge.gpu_cluster.attributes.read_only
options:
  address:
    description: The head's dashboard, such as V(http://192.0.2.10:8265).
    type: str
    required: true
  token_file:
    description: File on the node with the cluster's token; leave it out where authentication is off.
    type: path
  running_token_file:
    description:
      - The token that the running Ray was started with. Where the file exists it is used in place of O(token_file), which may hold a new one
        that Ray gets with its next start.
    type: path
  wait:
    description: Seconds to wait; V(true) waits without a limit, V(false) not at all.
    type: raw
    default: false
  force:
    description: Whether jobs may be lost. They are named in a warning then, and not waited for; a head that does not answer is let pass.
    type: bool
    default: false
  first:
    description: Whether nothing was changed yet. Jobs that O(wait) would wait for are let pass then, since they are waited for later.
    type: bool
    default: false
  force_variable:
    description: Variable of the playbook that sets O(force), for messages.
    type: str
    default: upgrade_force
  wait_variable:
    description: Variable of the playbook that sets O(wait), for messages. Empty where the playbook does not wait.
    type: str
    default: upgrade_wait_for_jobs
"""

EXAMPLES = r"""
- name: Wait for jobs at most an hour
  rackforge.gpu_cluster.ray_jobs_wait:
    address: http://192.0.2.10:8265
    token_file: /etc/ray/auth_token
    running_token_file: /run/ray/auth_token
    wait: 3600
"""

RETURN = r"""
unfinished_jobs:
  description: Jobs that had not ended at the last look.
  returned: when the head was asked
  type: list
  elements: dict
  sample: []
lost_jobs:
  description: Those of them that O(force) gives up.
  returned: when the head was asked
  type: list
  elements: dict
  sample:
    - {job_id: raysubmit_1, type: SUBMISSION, status: RUNNING, entrypoint: python train.py}
waited_seconds:
  description: How long was waited.
  returned: when the head was asked
  type: float
  sample: 35.2
"""
