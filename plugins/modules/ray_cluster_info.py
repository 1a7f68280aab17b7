#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask a Ray head for its nodes and jobs, and wait for nodes to join."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ray_cluster_info
short_description: Read a Ray cluster's nodes and jobs from its head
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Asks the dashboard API for version, nodes and jobs. Run it on the head, where the token lies.
  - With O(wait_for) it waits, a bounded time, until a node with each of these addresses is ALIVE. Nodes that do not come are
    returned in RV(missing); the module does not fail because of them.
  - With O(only) it waits in the same way until no other node is ALIVE. Those that stay are returned in RV(others).
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
  wait_for:
    description: Node addresses that must be ALIVE.
    type: list
    elements: str
    default: []
  only:
    description: Node addresses that may be ALIVE; empty when any may.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait for the API to answer, for O(wait_for) and for O(only).
    type: int
    default: 10
"""

EXAMPLES = r"""
- name: Wait for two nodes
  rackforge.gpu_cluster.ray_cluster_info:
    address: http://192.0.2.10:8265
    token_file: /etc/ray/auth_token
    wait_for: [192.0.2.10, 192.0.2.11]
    timeout: 120
"""

RETURN = r"""
reachable:
  description: Whether the API answered.
  returned: always
  type: bool
  sample: true
error:
  description: Why it did not; empty when it did.
  returned: always
  type: str
  sample: ""
version:
  description: The head's version of Ray.
  returned: always
  type: str
  sample: 2.60.0
nodes:
  description: Nodes as the head knows them, dead ones too.
  returned: always
  type: list
  elements: dict
  sample:
    - {node_id: 75c507f3, address: 192.0.2.10, state: ALIVE, is_head: true, resources: {CPU: 2.0}, labels: {}}
jobs:
  description: Jobs as the head knows them.
  returned: always
  type: list
  elements: dict
  sample:
    - {job_id: raysubmit_1, type: SUBMISSION, status: SUCCEEDED, entrypoint: python train.py}
unfinished_jobs:
  description: Those of them that have not ended.
  returned: always
  type: list
  elements: dict
  sample: []
missing:
  description: Those of O(wait_for) that did not become ALIVE in time.
  returned: always
  type: list
  elements: str
  sample: []
others:
  description: Addresses that are ALIVE and not among O(only).
  returned: always
  type: list
  elements: str
  sample: []
seen_at:
  description: When that was, in seconds since 1970 by the clock of the node that was asked.
  returned: always
  type: float
  sample: 1795500010.5
waited_seconds:
  description: How long the module waited.
  returned: always
  type: float
  sample: 3.2
"""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_cluster import (
    RayAnswerError,
    as_data,
    missing_addresses,
    other_addresses,
    parse_jobs,
    parse_nodes,
    parse_version,
    unfinished,
)

POLL_SECONDS = 1.0
REQUEST_SECONDS = 10


class Head:
    """The dashboard API of one head."""

    def __init__(self, address: str, token: str) -> None:
        self._address = address.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        # A proxy is for the outside world, never for a node of the cluster.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str) -> Any:
        """Return the parsed answer to one request."""
        request = urllib.request.Request(self._address + path, headers=self._headers)
        with self._opener.open(request, timeout=REQUEST_SECONDS) as answer:
            text = answer.read()
        try:
            return json.loads(text)
        except ValueError as error:
            raise RayAnswerError(f"{path}: saw no JSON, is this a Ray dashboard?") from error

    def look(self, wanted: list[str], only: list[str]) -> dict[str, Any]:
        """Return everything this module tells about the cluster."""
        version = parse_version(self.get("/api/version"))
        nodes = parse_nodes(self.get("/api/v0/nodes?detail=true&limit=10000"))
        jobs = parse_jobs(self.get("/api/jobs/"))
        return {
            "reachable": True,
            "error": "",
            "version": version,
            "nodes": as_data(nodes),
            "jobs": as_data(jobs),
            "unfinished_jobs": as_data(unfinished(jobs)),
            "missing": missing_addresses(nodes, wanted),
            "others": other_addresses(nodes, only),
        }


def explain(error: Exception) -> str:
    """Return one line that says why the API did not answer."""
    if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403):
        return f"the API refused the token (HTTP {error.code})"
    if isinstance(error, (urllib.error.HTTPError, http.client.HTTPException)):
        return f"the API answered strangely: {error!r}"
    return str(getattr(error, "reason", error)) or repr(error)


def silent(why: str, wanted: list[str]) -> dict[str, Any]:
    """Return what can be said of a cluster whose head does not answer."""
    empty: dict[str, Any] = {
        "version": "", "nodes": [], "jobs": [], "unfinished_jobs": [], "others": []
    }  # fmt: skip
    return {"reachable": False, "error": why, "missing": wanted, **empty}


def watch(head: Head, wanted: list[str], only: list[str], timeout: float) -> dict[str, Any]:
    """Return the first look that misses nothing and has nothing else, or the last one before the time is over."""
    started = time.monotonic()
    while True:
        try:
            seen = head.look(wanted, only)
        except (OSError, ValueError, http.client.HTTPException) as error:
            seen = silent(explain(error), wanted)
        waited = time.monotonic() - started
        settled = seen["reachable"] and not seen["missing"] and not seen["others"]
        if settled or waited >= timeout:
            return {**seen, "waited_seconds": round(waited, 1), "seen_at": round(time.time(), 1)}
        time.sleep(POLL_SECONDS)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "token_file": {"type": "path", "no_log": False},
            "running_token_file": {"type": "path", "no_log": False},
            "wait_for": {"type": "list", "elements": "str", "default": []},
            "only": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    token, path = "", module.params["token_file"]
    running = module.params["running_token_file"]
    if path:
        path = running if running and os.path.exists(running) else path
        try:
            with open(path, encoding="utf-8") as file:
                token = file.read().strip()
        except OSError as error:
            why = f"the token cannot be read ({error}); run provision.yml first"
            module.exit_json(
                changed=False,
                **silent(why, module.params["wait_for"]),
                waited_seconds=0.0,
                seen_at=round(time.time(), 1),
            )
    head = Head(module.params["address"], token)
    params = module.params
    result = watch(head, params["wait_for"], params["only"], params["timeout"])
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
