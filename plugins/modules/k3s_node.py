#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Give nodes of a k3s cluster their labels and taints, empty them, or take them out."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_node
short_description: Label, drain or delete nodes of a k3s cluster
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Asks the Kubernetes API through the kubectl that k3s brings along. Run it on a server, for whichever node.
  - V(present) gives all of O(nodes) their labels and taints in one call, and lets pods onto nodes that this module had cordoned.
    What it set is remembered in the node's annotations C(rackforge.io/labels) and C(rackforge.io/taints). So a label that is taken out
    of the list
    goes, unless somebody has changed it since, and labels that somebody else set stay. A node that its owner cordoned stays so.
  - V(drained) keeps new pods away from the node and evicts those that run there, except those of DaemonSets. Data in emptyDir volumes
    is lost,
    as it is whenever a pod moves. When pods cannot be evicted in time the module fails and names them, and the node takes pods again.
  - V(undrained) lets pods onto a node that this module had cordoned, for O(kept_by) or for a weaker one.
  - V(absent) drains the node if it is Ready, deletes it with the secret of its node password, and waits until it is gone. Without the
    secret a machine
    that was installed anew may join under the same name.
attributes:
  check_mode:
    support: full
    description: Says what would be done.
  diff_mode:
    support: full
    description: Shows labels, taints and whether pods may come, before and after.
  idempotent:
    support: full
    description: Compares with what the API has.
options:
  state:
    description: What the nodes become.
    type: str
    choices: [present, drained, undrained, absent]
    default: present
  nodes:
    description: The nodes that are V(present), with their labels and taints.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The node's name in Kubernetes.
        type: str
        required: true
      labels:
        description: All of our labels. When it is not given, labels are left alone.
        type: dict
      taints:
        description: All of our taints, as V(key=value:Effect) or V(key:Effect). When it is not given, taints are left alone.
        type: list
        elements: str
  name:
    description: The node that is V(drained), V(undrained) or V(absent).
    type: str
  new_version:
    description:
      - With V(drained), the version of k3s that the node is to get. A node that runs it already is left alone.
      - The module fails for a downgrade, for a server that would leave out a minor version, for an agent that would become newer than a
        server,
        and where another node would be left more than 3 minor versions behind (the version skew policy of Kubernetes).
      - It also fails for one of several servers when those that are Ready without it are no majority of all servers. A server is restarted
        for its new version, and etcd accepts changes only while a majority answers (etcd documentation, FAQ).
    type: str
  back:
    description: Whether O(new_version) may be an older patch of the minor version that the node runs.
    type: bool
    default: false
  drain:
    description: With V(absent), whether a Ready node is drained first.
    type: bool
    default: true
  force:
    description: Whether a drain also deletes pods that no controller makes again.
    type: bool
    default: false
  kept_by:
    description:
      - Who keeps a V(drained) node out of service, or brings one back that is V(undrained), from the weakest to the strongest.
      - V(run) is one run, and the next call with V(present) lets pods come again. V(upgrade) is an upgrade that may take several runs.
        V(owner) is the owner, whom nobody else overrules.
      - With V(drained) and V(upgrade) the module fails for one of several servers as it does with O(new_version), since the machine may be booted.
    type: str
    choices: [run, upgrade, owner]
    default: run
  timeout:
    description:
      - Seconds that a drain may take, that a deleted node may take to go, and that nodes which must be V(present) may take to
        show up.
    type: int
    default: 300
  kubeconfig:
    description: The administrator's kubeconfig on the server.
    type: path
    default: /etc/rancher/k3s/k3s.yaml
"""

EXAMPLES = r"""
- name: Give the nodes their labels and taints
  rackforge.gpu_cluster.k3s_node:
    nodes:
      - {name: node2, labels: {registry: "yes"}, taints: ["dedicated=gpu:NoSchedule"]}
      - {name: node3, labels: {}, taints: []}

- name: Empty a node that is to be upgraded
  rackforge.gpu_cluster.k3s_node:
    name: node2
    state: drained
    new_version: v1.34.1+k3s1

- name: Take a node out of the cluster
  rackforge.gpu_cluster.k3s_node:
    name: node2
    state: absent
"""

RETURN = r"""
nodes:
  description: Names of the nodes that changed.
  returned: always
  type: list
  elements: str
  sample: [node2]
other_labels:
  description: Keys of the labels that nodes of the cluster have which are not among O(nodes).
  returned: when O(state) is V(present)
  type: list
  elements: str
  sample: [kubernetes.io/hostname, rackforge.io/gpu-nvidia]
upgrade_needed:
  description: Whether the node runs another version than O(new_version); without one, true.
  returned: when O(state) is V(drained)
  type: bool
  sample: true
running_version:
  description: The version that the node runs, empty where there is no such node.
  returned: when O(state) is V(drained), V(undrained) or V(absent)
  type: str
  sample: v1.33.5+k3s1
"""

import json
import os
import time
from collections.abc import Mapping
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_cluster import (
    ClusterNode,
    evictable,
    parse_nodes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_drain import (
    blocked_by_budget,
    explain_drain,
    keepers,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_kubectl import (
    Kubectl,
    KubectlError,
    metadata,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_members import (
    NOTE_OF,
    MemberError,
    NodeChange,
    WantedNode,
    cordon_patch,
    is_closed,
    may_open,
    plan_present,
    uncordon_patch,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_paths import KUBECONFIG
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_version import (
    UpgradeError,
    check_majority,
    needs_upgrade,
)

POLL_SECONDS = 1.0
#: How often a patch is made anew when somebody else changed the node at the same time.
TRIES = 5
#: What kubectl gets beyond the time of a drain to say what happened.
GRACE_SECONDS = 30
_PASSWORDS = "kube-system"


def new_node(name: str) -> NodeChange:
    """Return the change of a node that is not there yet."""
    return NodeChange(name, {}, {}, {"state": "new"})


class Members:
    """The nodes of one cluster."""

    def __init__(self, kubectl: Kubectl, check: bool, params: Mapping[str, Any]) -> None:
        self._kubectl = kubectl
        self._check = check
        self._timeout = params["timeout"]
        self._force = params["force"]
        self._kept_by = params["kept_by"]
        self.other_labels: list[str] = []

    def present(self, wanted: list[WantedNode]) -> list[NodeChange]:
        """Return what changed on the nodes, each of which now is as wanted."""
        items = self._items([each.name for each in wanted])
        missing = [each.name for each in wanted if each.name not in items]
        if missing and self._check:
            here = [self._bring(each, items[each.name]) for each in wanted if each.name in items]
            return [*(each for each in here if each), *(new_node(name) for name in missing)]
        if missing:
            known = ", ".join(sorted(map(str, items))) or "none"
            raise KubectlError(
                f"the cluster has no node {', '.join(missing)}, it has {known}; run provision.yml "
                "for these hosts first"
            )
        made = [self._bring(each, items[each.name]) for each in wanted]
        return [change for change in made if change]

    def _items(self, names: list[str]) -> dict[Any, Any]:
        """Return the API's nodes by name; one that has just been started may take a moment."""
        deadline = time.monotonic() + self._timeout
        while True:
            items = {metadata(item).get("name"): item for item in self._kubectl.get("nodes")}
            complete = all(name in items for name in names)
            if complete or self._check or time.monotonic() > deadline:
                others = [item for name, item in items.items() if name not in names]
                labels = (metadata(item).get("labels") or {} for item in others)
                self.other_labels = sorted({str(key) for mine in labels for key in mine})
                return items
            time.sleep(POLL_SECONDS)

    def _bring(self, wanted: WantedNode, item: Any) -> Optional[NodeChange]:
        """Patch one node, made anew from what the API has whenever somebody else was faster."""
        for attempt in range(TRIES):
            rows = (item.get("spec") or {}).get("taints") or []
            change = plan_present(parse_nodes([item])[0], rows, wanted)
            if change is None or self._check:
                return change
            version = metadata(item).get("resourceVersion")
            try:
                self._patch(wanted.name, change.patch, version)
                return change
            except KubectlError as error:
                if error.reason != "Conflict" or attempt == TRIES - 1:
                    raise
            item = self._kubectl.get("node", wanted.name)
            if item is None:
                raise KubectlError(f"{wanted.name} left the cluster in this moment")
        return None

    def _patch(self, name: str, patch: Any, version: Optional[str] = None) -> None:
        if version:
            metadata = {**patch.get("metadata", {}), "resourceVersion": version}
            patch = {**patch, "metadata": metadata}
        self._kubectl.run(["patch", "node", name, "--type=merge", f"--patch={json.dumps(patch)}"])

    def drained(self, node: ClusterNode) -> bool:
        """Return whether anything had to be done; the node is cordoned and empty then."""
        closed = is_closed(node, self._kept_by)
        if closed and not self.pods(node.name):
            return False
        if self._check:
            return True
        if not closed:
            self._patch(node.name, cordon_patch(self._kept_by))
        try:
            self._drain(node.name)
        except KubectlError:
            # Nothing follows, so a node that was in service goes on serving.
            if not node.unschedulable:
                self._patch(node.name, uncordon_patch())
            raise
        return True

    def undrained(self, node: ClusterNode) -> bool:
        """Return whether pods may come again, since nobody stronger keeps them away."""
        if not may_open(node, self._kept_by):
            return False
        if not self._check:
            self._patch(node.name, uncordon_patch())
        return True

    def _drain(self, name: str) -> None:
        options = ["--ignore-daemonsets", "--delete-emptydir-data", f"--timeout={self._timeout}s"]
        options += ["--force"] if self._force else []
        result = self._kubectl.attempt(
            ["drain", name, *options], seconds=self._timeout + GRACE_SECONDS
        )
        if result.rc != 0:
            text = f"{result.out}\n{result.err}"
            pods = self._pods(name)
            kept = self._keepers(text, pods)
            raise KubectlError(explain_drain(name, text, self._timeout, evictable(pods), kept))

    def _keepers(self, text: str, pods: list[Any]) -> list[str]:
        """Return the budgets of the pods whose eviction was refused."""
        refused = blocked_by_budget(text)
        if not refused:
            return []
        told = [metadata(pod) for pod in pods]
        names = [f"{each.get('namespace')}/{each.get('name')}" for each in told]
        kept = [pod for pod, name in zip(pods, names) if name in refused]
        try:
            return keepers(self._kubectl.get("poddisruptionbudgets"), kept)
        except KubectlError:
            # What kubectl said of the drain is told without their names.
            return []

    def pods(self, name: str) -> list[str]:
        """Return the pods of a node that a drain takes off it."""
        return evictable(self._pods(name))

    def _pods(self, name: str) -> list[Any]:
        way = ["--all-namespaces", f"--field-selector=spec.nodeName={name}", "--output=json"]
        return list(self._kubectl.json(["get", "pods", *way]).get("items") or [])

    def absent(self, name: str, node: Optional[ClusterNode], drain: bool) -> bool:
        """Return whether there was anything to take out: the node, or its password's secret."""
        secret = f"{name}.node-password.k3s"
        way = [f"--namespace={_PASSWORDS}", "--ignore-not-found", "--output=name"]
        has_secret = bool(self._kubectl.run(["get", "secret", secret, *way]).strip())
        if self._check or not (node or has_secret):
            return bool(node or has_secret)
        if node:
            # The pods of a node that is down cannot say that they ended: they go with it.
            if drain and node.ready:
                self.drained(node)
            self._kubectl.run(["delete", "node", name, "--ignore-not-found", "--wait=false"])
            self._wait_gone(name)
        self._kubectl.run(
            ["delete", "secret", secret, f"--namespace={_PASSWORDS}", "--ignore-not-found"]
        )
        return True

    def _wait_gone(self, name: str) -> None:
        deadline = time.monotonic() + self._timeout
        while True:
            item = self._kubectl.get("node", name)
            if item is None:
                return
            if time.monotonic() > deadline:
                holders = ", ".join(metadata(item).get("finalizers") or []) or "nothing named"
                raise KubectlError(
                    f"{name} is still in the cluster {self._timeout} s after it was deleted, held "
                    f"by {holders}; see 'journalctl --unit k3s.service' on a server"
                )
            time.sleep(POLL_SECONDS)


def run_present(module: AnsibleModule, members: Members) -> dict[str, Any]:
    """Return the module's answer for O(state=present)."""
    wanted = [WantedNode.from_params(row) for row in module.params["nodes"]]
    if module.check_mode and not os.path.exists(module.params["kubeconfig"]):
        # Before the first start there is no API to be asked, and every node is new.
        names = [each.name for each in wanted]
        return {"changed": bool(wanted), "nodes": names, "other_labels": [], "diff": {}}
    changes = members.present(wanted)
    return {
        "other_labels": members.other_labels,
        "changed": bool(changes),
        "nodes": [change.name for change in changes],
        "diff": {
            "before": {change.name: change.before for change in changes},
            "after": {change.name: change.after for change in changes},
        },
    }


def run_leaving(module: AnsibleModule, members: Members, kubectl: Kubectl) -> dict[str, Any]:
    """Return the module's answer for one node: drained, undrained or absent."""
    params, name = module.params, module.params["name"]
    nodes = parse_nodes(kubectl.get("nodes"))
    node = next((each for each in nodes if each.name == name), None)
    result: dict[str, Any] = {"running_version": node.version if node else ""}
    if params["state"] == "absent":
        changed = members.absent(name, node, params["drain"])
        after: dict[str, Any] = {}
    elif node is None:
        known = ", ".join(each.name for each in nodes) or "none"
        raise KubectlError(f"the cluster has no node {name}, it has {known}; run provision.yml")
    elif params["state"] == "undrained":
        changed = members.undrained(node)
        after = {"unschedulable": False} if changed else {}
    else:
        wanted = params["new_version"]
        # In check mode the nodes before this one have not really gone ahead.
        others = [] if module.check_mode else nodes
        back = params["back"]
        result["upgrade_needed"] = needs_upgrade(node, wanted, others, back) if wanted else True
        if result["upgrade_needed"] and (wanted or params["kept_by"] == "upgrade"):
            check_majority(node, nodes)
        changed = result["upgrade_needed"] and members.drained(node)
        after = {"unschedulable": True} if changed else {}
    before = {"unschedulable": node.unschedulable} if node and changed else {}
    diff = {"before": {name: before} if before else {}, "after": {name: after} if after else {}}
    return {**result, "changed": changed, "nodes": [name] if changed else [], "diff": diff}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {
                "type": "str",
                "choices": ["present", "drained", "undrained", "absent"],
                "default": "present",
            },
            "nodes": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "labels": {"type": "dict"},
                    "taints": {"type": "list", "elements": "str"},
                },
            },
            "name": {"type": "str"},
            "new_version": {"type": "str"},
            "back": {"type": "bool", "default": False},
            "drain": {"type": "bool", "default": True},
            "force": {"type": "bool", "default": False},
            "kept_by": {"type": "str", "choices": list(NOTE_OF), "default": "run"},
            "timeout": {"type": "int", "default": 300},
            "kubeconfig": {"type": "path", "default": KUBECONFIG},
        },
        required_if=[("state", state, ("name",)) for state in ("drained", "undrained", "absent")],
        supports_check_mode=True,
    )
    params = module.params
    kubectl = Kubectl(Command(module), params["kubeconfig"])
    members = Members(kubectl, module.check_mode, params)
    try:
        if params["state"] == "present":
            result = run_present(module, members)
        else:
            result = run_leaving(module, members, kubectl)
    except (KubectlError, MemberError, UpgradeError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
