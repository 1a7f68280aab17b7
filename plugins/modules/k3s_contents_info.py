#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what of the owner's a k3s cluster holds, and who belongs to it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_contents_info
short_description: Read which pods and volumes of the owner's a k3s cluster holds
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Asks the API of a server what would be lost with the cluster. Run it on a server. It does not fail when the API does not answer.
  - Pods of Kubernetes' own namespaces, and those that the manifests and charts in the manifest directory of this collection made, are
    left out. That directory is on the first server; another server knows nothing of it and tells these pods as well.
  - Pods that are being deleted, or whose Deployment or Job has been deleted, are waited for, since they end by themselves and may be saving
    their work. Those that are left after O(timeout) are told like all others.
extends_documentation_fragment:
  - rackforge.gpu_cluster.attributes.read_only
options:
  manifests:
    description: Directory with the manifests that this collection deploys.
    type: path
    default: /var/lib/rancher/k3s/server/manifests/rackforge
  timeout:
    description: Seconds to wait for pods that are being deleted.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: See what the cluster holds
  rackforge.gpu_cluster.k3s_contents_info:
  register: contents
"""

RETURN = r"""
present:
  description: Whether k3s is installed on this node.
  returned: always
  type: bool
  sample: true
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
members:
  description: The cluster's nodes.
  returned: always
  type: list
  elements: dict
  sample:
    - {name: node1, ready: true, server: true}
pods:
  description: Pods of the owner's that have not ended. C(again) tells that a controller makes the pod again elsewhere.
  returned: always
  type: list
  elements: dict
  sample:
    - {name: default/train-1, node: node2, again: false}
volumes:
  description: Claimed volumes, by the claim. C(nodes) are those that the data lies on, empty where it lies outside the cluster.
  returned: always
  type: list
  elements: dict
  sample:
    - {name: default/results, nodes: [node2]}
"""

import os
import time
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_cluster import parse_nodes
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_contents import (
    CONTROLLERS,
    being_deleted,
    claimed_volumes,
    owners_pods,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_kubectl import (
    Kubectl,
    KubectlError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_paths import (
    BINARY,
    MANIFESTS_DIR,
)

#: A node with a control plane has this role.
SERVER_ROLE = "control-plane"


def deployed(kubectl: Kubectl, folder: str) -> list[Any]:
    """Return the live objects of the manifests in ``folder``; none where that cannot be told."""
    if not os.path.isdir(folder) or not os.listdir(folder):
        return []
    try:
        answer = kubectl.json(
            ["get", "--recursive", f"--filename={folder}", "--ignore-not-found", "--output=json"]
        )
    except KubectlError:
        return []  # Then more is told than is lost, never less.
    items = answer.get("items")
    return items if isinstance(items, list) else [answer]


def settled(kubectl: Kubectl, timeout: int) -> tuple[list[Any], list[Any]]:
    """Return the pods and what makes pods, once no pod is being deleted or the time is over."""
    end = time.monotonic() + timeout
    while True:
        pods, controllers = kubectl.get("pods"), kubectl.get(",".join(CONTROLLERS))
        if not being_deleted(pods, controllers) or time.monotonic() >= end:
            return pods, controllers
        time.sleep(1)


def look(kubectl: Kubectl, folder: str, timeout: int) -> dict[str, Any]:
    """Return what the API tells."""
    members = [
        {"name": node.name, "ready": node.ready, "server": SERVER_ROLE in node.roles}
        for node in parse_nodes(kubectl.get("nodes"))
    ]
    found, controllers = settled(kubectl, timeout)
    pods = owners_pods(found, controllers, deployed(kubectl, folder))
    volumes = claimed_volumes(kubectl.get("persistentvolumes"))
    return {
        "reachable": True,
        "error": "",
        "members": members,
        "pods": [asdict(pod) for pod in pods],
        "volumes": [asdict(volume) for volume in volumes],
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "manifests": {"type": "path", "default": f"{MANIFESTS_DIR}/rackforge"},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    present = os.path.exists(BINARY)
    empty: dict[str, Any] = {"members": [], "pods": [], "volumes": []}
    try:
        if not present:
            raise KubectlError(f"there is no {BINARY}", "silent")
        seen = look(Kubectl(Command(module)), module.params["manifests"], module.params["timeout"])
    except KubectlError as error:
        seen = {"reachable": False, "error": str(error), **empty}
    module.exit_json(changed=False, present=present, **seen)


if __name__ == "__main__":
    main()
