#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask a server for the nodes and pods of its cluster, and wait for nodes to be as they should."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_cluster_info
short_description: Read the nodes of a k3s cluster and its pods that are not ready
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Asks the Kubernetes API through the kubectl that k3s brings along. Run it on a server, where the administrator's kubeconfig lies.
    Elsewhere it says how the node's own unit stands, and that no API can be asked there.
  - With O(wait_for) or O(expected) it waits, a bounded time, until these nodes are as they should be. What is wrong with the others
    then stands in RV(problems); the module does not fail because of them.
  - One request may take 10 seconds, all requests of one look 30.
extends_documentation_fragment:
  - rackforge.gpu_cluster.attributes.read_only
options:
  wait_for:
    description: Names of nodes that must be Ready.
    type: list
    elements: str
    default: []
  expected:
    description: Nodes that must be Ready and as said here. What is left out is not judged.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The node's name in Kubernetes.
        type: str
        required: true
      host:
        description: Its name in the inventory, for messages; when it is not given, O(expected[].name).
        type: str
      address:
        description: Its node address.
        type: str
      kind:
        description: What it is in the cluster.
        type: str
        choices: [server, agent]
      version:
        description: The version of k3s that it runs, which the API reports, whatever the file on its disk.
        type: str
      gpus:
        description: How many GPUs it must offer to pods.
        type: int
      gpu_resource:
        description: The resource that they are offered as, such as V(nvidia.com/gpu) or V(amd.com/gpu). Needed with O(expected[].gpus).
        type: str
  version:
    description: The version of k3s that nodes of O(expected) run for which O(expected[].version) is not given.
    type: str
    default: ""
  timeout:
    description: Seconds to wait for the API to answer and for the nodes.
    type: int
    default: 0
  kubeconfig:
    description: The administrator's kubeconfig on the server.
    type: path
    default: /etc/rancher/k3s/k3s.yaml
"""

EXAMPLES = r"""
- name: Look at the cluster
  rackforge.gpu_cluster.k3s_cluster_info:

- name: Wait for a server and a worker with two GPUs
  rackforge.gpu_cluster.k3s_cluster_info:
    expected:
      - {name: node1, address: 192.0.2.10, kind: server, version: v1.33.5+k3s1}
      - {name: node2, address: 192.0.2.11, kind: agent, version: v1.33.5+k3s1, gpus: 2, gpu_resource: nvidia.com/gpu}
    timeout: 300
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
unit_state:
  description:
    - How the unit of k3s stands on this node as systemd says (V(active), V(inactive), V(failed), V(activating) ...), V(missing) where
      there is
      none, V(unknown) where systemd does not answer.
  returned: always
  type: str
  sample: active
unit:
  description: The unit's name; empty where there is none.
  returned: always
  type: str
  sample: k3s.service
ca_hash:
  description: SHA-256 of the CA of the cluster's servers, which joining nodes need; empty where the node is no server.
  returned: always
  type: str
  sample: 6f2d1e3b7c0a4f5e8d9c6b1a2f3e4d5c6b7a8f9e0d1c2b3a4f5e6d7c8b9a0f1e
server_version:
  description: The version of the server that answered.
  returned: always
  type: str
  sample: v1.33.5+k3s1
nodes:
  description:
    - Nodes as the API shows them. C(gpus) are those that pods can ask for, C(capacity_gpus) those that the device plugin knows;
      C(reasons) say why
      a node is not ready or what troubles it.
    - C(kept_by) says for whom pods are kept away from a node that is C(unschedulable), as O(rackforge.gpu_cluster.k3s_node#module:kept_by)
      does, V(other) where this collection did not do it, as with kubectl; empty where they may come.
  returned: always
  type: list
  elements: dict
  sample:
    - name: node1
      ready: true
      reasons: []
      roles: [control-plane, master]
      version: v1.33.5+k3s1
      address: 192.0.2.10
      labels: {kubernetes.io/hostname: node1}
      taints: ["dedicated=gpu:NoSchedule"]
      unschedulable: false
      kept_by: ""
      gpus: {nvidia.com/gpu: 2}
      capacity_gpus: {nvidia.com/gpu: 2}
pods_not_ready:
  description: Pods that are neither ready nor done.
  returned: always
  type: list
  elements: dict
  sample:
    - namespace: default
      name: train-0
      node: node1
      phase: Pending
      reason: ImagePullBackOff
      message: 'Back-off pulling image "registry.example/none:1"'
      restarts: 0
problems:
  description: Nodes of O(wait_for) and O(expected) that are not as they should be, with a sentence that says what was seen and what to do.
  returned: always
  type: list
  elements: dict
  sample:
    - {name: node2, what: missing, text: "node2: the cluster has no node of this name, expected it Ready; see 'journalctl ...' on node2"}
report:
  description: RV(error) or RV(problems) as text, with the pods that wait; empty when all is well.
  returned: always
  type: str
  sample: "node2: the cluster has no node of this name, expected it Ready; see 'journalctl ...' on node2"
waited_seconds:
  description: How long the module waited.
  returned: always
  type: float
  sample: 3.2
"""

import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_cluster import (
    ClusterNode,
    WaitingPod,
    parse_nodes,
    parse_waiting_pods,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_expect import (
    ExpectedNode,
    as_expected,
    judge_nodes,
    report,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_kubectl import (
    Kubectl,
    KubectlError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_members import who_closed
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_paths import (
    KUBECONFIG,
    UNITS,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_unit import ca_hash

POLL_SECONDS = 2.0
LOOK_SECONDS = 30
ARGUMENTS: dict[str, Any] = {
    "wait_for": {"type": "list", "elements": "str", "default": []},
    "expected": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "host": {"type": "str"},
            "address": {"type": "str"},
            "kind": {"type": "str", "choices": ["server", "agent"]},
            "version": {"type": "str"},
            "gpus": {"type": "int"},
            "gpu_resource": {"type": "str"},
        },
    },
    "version": {"type": "str", "default": ""},
    "timeout": {"type": "int", "default": 0},
    "kubeconfig": {"type": "path", "default": KUBECONFIG},
}


def read_unit(command: Command) -> dict[str, str]:
    """Return which unit of k3s this node has, and how it stands."""
    for unit in UNITS.values():
        result = command.run(["systemctl", "show", unit, "--property", "LoadState,ActiveState"])
        lines = dict(line.split("=", 1) for line in result.out.splitlines() if "=" in line)
        if lines.get("LoadState") in ("loaded", "masked"):
            return {"unit": unit, "unit_state": lines.get("ActiveState") or "unknown"}
        if result.rc != 0 or "LoadState" not in lines:
            return {"unit": "", "unit_state": "unknown"}
    return {"unit": "", "unit_state": "missing"}


def public(node: ClusterNode) -> dict[str, Any]:
    """Return a node as plain data, without its annotations: some have what a server was told."""
    told = {key: value for key, value in asdict(node).items() if key != "annotations"}
    return {**told, "kept_by": who_closed(node)}


def look(kubectl: Kubectl, wanted: Sequence[ExpectedNode]) -> dict[str, Any]:
    """Return the nodes, and what is wrong with those that are wanted."""
    nodes = parse_nodes(kubectl.get("nodes"))
    problems = [problem.to_dict() for problem in judge_nodes(nodes, wanted)]
    return {
        "reachable": True,
        "error": "",
        "nodes": [public(node) for node in nodes],
        "problems": problems,
    }


def silent(why: str, wanted: Sequence[ExpectedNode]) -> dict[str, Any]:
    """Return what can be said of a cluster whose API does not answer."""
    problems = [
        {
            "name": each.name,
            "what": "unknown",
            "text": f"{each.name}: not known, since the API did not answer ({why})",
        }
        for each in wanted
    ]
    return {"reachable": False, "error": why, "nodes": [], "problems": problems}


def watch(kubectl: Kubectl, wanted: Sequence[ExpectedNode], timeout: float) -> dict[str, Any]:
    """Return the first look at which all is well, or the last one before the time is over."""
    started = time.monotonic()
    while True:
        try:
            seen = look(kubectl, wanted)
        except KubectlError as error:
            seen = silent(str(error), wanted)
        waited = time.monotonic() - started
        if (seen["reachable"] and not seen["problems"]) or waited >= timeout:
            return {**seen, "waited_seconds": round(waited, 1)}
        time.sleep(POLL_SECONDS)


def read_rest(kubectl: Kubectl, seen: dict[str, Any]) -> dict[str, Any]:
    """Return the pods that wait, the server's version, and what all of it means in words."""
    pods: list[WaitingPod] = []
    version: Any = None
    if seen["reachable"]:
        try:
            pods = parse_waiting_pods(kubectl.get("pods"))
            version = kubectl.json(["version", "--output=json"]).get("serverVersion")
        except KubectlError as error:
            # It went away in this moment; what it said of the nodes before still holds.
            seen = {**seen, "reachable": False, "error": str(error)}
    told = version.get("gitVersion") if isinstance(version, dict) else ""
    return {
        **seen,
        "pods_not_ready": [asdict(pod) for pod in pods],
        "server_version": str(told or ""),
        "report": report(seen["error"], seen["problems"], pods),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params, command = module.params, Command(module)
    rows = [
        {**row, "version": row.get("version") or params["version"]} for row in params["expected"]
    ]
    wanted = as_expected(rows, params["wait_for"])
    unit = read_unit(command)
    kubectl = Kubectl(command, params["kubeconfig"], LOOK_SECONDS)
    if os.path.exists(params["kubeconfig"]):
        seen = watch(kubectl, wanted, params["timeout"])
    else:
        why = f"{params['kubeconfig']} is not there: no server of k3s has run here"
        seen = {**silent(why, wanted), "waited_seconds": 0.0}
    module.exit_json(changed=False, ca_hash=ca_hash(), **read_rest(kubectl, seen), **unit)


if __name__ == "__main__":
    main()
