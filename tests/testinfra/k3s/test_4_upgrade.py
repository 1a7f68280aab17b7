# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another version of k3s: refused by provision.yml, brought by k3s_upgrade.yml node by node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab.k3s import inputs
from tests.testinfra.playbooks import ended, provision, start

NEW = "v1.34.1+k3s1"
OLD = "v1.33.5+k3s1"
NODES = [f"mol-k3s-n{number}" for number in (1, 2, 3)]
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: rancher/mirrored-pause:3.6}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec:
  minAvailable: 1
  selector: {matchLabels: {app: web}}
"""


def seen(server: Any) -> dict[str, tuple[str, bool, bool]]:
    """Return version, readiness and whether pods may come, by node."""
    rows = json.loads(server.check_output("k3s kubectl get nodes -o json"))["items"]
    return {
        row["metadata"]["name"]: (
            row["status"]["nodeInfo"]["kubeletVersion"],
            any(
                each["type"] == "Ready" and each["status"] == "True"
                for each in row["status"]["conditions"]
            ),
            not row["spec"].get("unschedulable", False),
        )
        for row in rows
    }


@pytest.fixture(scope="module")
def server(nodes: list[Any]) -> Any:
    return nodes[0]


@pytest.fixture
def web(server: Any) -> str:
    """Two pods that a budget keeps from leaving at once, and their names."""
    server.check_output(f"cat > /run/web.yaml <<'END'\n{WEB}END")
    server.check_output("k3s kubectl apply --validate=false -f /run/web.yaml")
    server.check_output("k3s kubectl rollout status deployment/web --timeout=120s")
    return str(server.check_output("k3s kubectl get pods -l app=web -o name"))


def test_provision_replaces_no_version_of_a_running_cluster(
    inventory: Path, nodes: list[Any], server: Any
) -> None:
    before = [node.check_output("sha256sum /usr/local/bin/k3s") for node in nodes]
    code, said = provision(inventory, **inputs(NEW))
    assert code != 0
    assert f"the node runs {OLD} in a cluster" in " ".join(said.split())
    assert "playbooks/k3s_upgrade.yml" in said
    assert "Traceback" not in said
    assert [node.check_output("sha256sum /usr/local/bin/k3s") for node in nodes] == before
    assert seen(server) == dict.fromkeys(NODES, (OLD, True, True))


def test_an_upgrade_empties_each_node_and_keeps_what_runs(
    inventory: Path, server: Any, web: str
) -> None:
    told = json.dumps(inputs(NEW))
    code, _said = ended(start(inventory, "k3s_upgrade.yml", "-e", told))
    assert code == 0
    assert seen(server) == dict.fromkeys(NODES, (NEW, True, True))
    server.check_output("k3s kubectl rollout status deployment/web --timeout=120s")
    # Pods are not moved, but made anew elsewhere.
    assert server.check_output("k3s kubectl get pods -l app=web -o name") != web
    server.check_output("k3s kubectl delete -f /run/web.yaml")
