# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ray's own Python is asked to run: a question to the head's GCS, which workers may reach.

The dashboard's API tells the same, and a firewall keeps it from workers.
"""

from __future__ import annotations

#: Prints one line of JSON. Its argument is the address of the GCS. Ray 2.52 to 2.60 know the calls.
VIEW_SCRIPT = r"""
import json, sys
from ray._raylet import GcsClient
gcs = GcsClient(address=sys.argv[1])
nodes = [
    {"node_id": node_id.hex(), "address": node.node_manager_address,
     "state": "DEAD" if node.state else "ALIVE"}
    for node_id, node in gcs.get_all_node_info(timeout=10).items()
]
jobs = [
    {"job_id": job_id.hex(), "node_id": job.driver_address.node_id.hex(), "pid": job.driver_pid,
     "entrypoint": job.entrypoint, "namespace": job.config.ray_namespace}
    for job_id, job in gcs.get_all_job_info(timeout=10).items() if not job.is_dead
]
print(json.dumps({"nodes": nodes, "jobs": jobs}))
"""
