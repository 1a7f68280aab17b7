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
  - Fails with the list when the time is over. A head that does not answer has no jobs that could be lost.
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
  wait:
    description: Seconds to wait; V(true) waits without a limit, V(false) not at all.
    type: raw
    default: false
  force:
    description: Whether jobs may be lost. They are named in a warning then, and not waited for.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Wait for jobs at most an hour
  rackforge.gpu_cluster.ray_jobs_wait:
    address: http://192.0.2.10:8265
    token_file: /etc/ray/auth_token
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
