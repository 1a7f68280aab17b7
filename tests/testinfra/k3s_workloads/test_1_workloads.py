# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The administrator's kubeconfig, and workloads that come to the cluster and leave it again."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.k3s.releases import kubectl
from tests.testinfra.playbooks import provision
from tests.testinfra.ray_cluster import node_address, until

FOLDER = "/var/lib/rancher/k3s/server/manifests/rackforge"
GREETING = "{apiVersion: v1, kind: ConfigMap, metadata: {name: greeting}, data: {word: hello}}\n"
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {cluster: "{{ cluster_name }}"}
spec:
  replicas: {{ replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: rancher/mirrored-pause:3.6}]}
"""
SHOP = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n"
PRICES = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "prices"}}\n'
HUB = {
    "name": "hub",
    "chart": "hub",
    "repo": "https://charts.example.org/",
    "version": "1.2.3",
    "namespace": "hub",
    "values": {"size": "small"},
}
#: What the manifests and the chart bring, by namespace, kind and name.
OBJECTS = {
    "greeting": "--namespace=default configmap/greeting",
    "web": "--namespace=default deployment/web",
    "shop": "--namespace=shop configmap/prices",
    "hub": "--namespace=kube-system helmchart/hub",
}


@dataclass(frozen=True)
class Run:
    """How a run ended, and what the cluster had right after it, by name; None is not there."""

    code: int
    said: str
    found: dict[str, Any]

    @property
    def uids(self) -> dict[str, str]:
        """Return what tells an object from one that was made anew, for those that are there."""
        return {name: row["metadata"]["uid"] for name, row in self.found.items() if row}


def looked_up(server: Any) -> dict[str, Any]:
    """Return the objects as the API has them now, None for one that it does not have."""
    answers = {
        name: server.check_output(f"k3s kubectl get {where} --ignore-not-found -o json")
        for name, where in OBJECTS.items()
    }
    return {name: json.loads(answer) if answer else None for name, answer in answers.items()}


def files(server: Any) -> list[str]:
    """Return what lies in the folder of manifests that this collection writes to."""
    return sorted(server.run(f"find {FOLDER} -type f -printf '%f\\n'").stdout.splitlines())


def run(inventory: Path, server: Any, **variables: Any) -> Run:
    """Return how provision.yml ended, and what was in the cluster when it had."""
    code, said = provision(inventory, **variables)
    return Run(code, said, looked_up(server))


@pytest.fixture(scope="module")
def server(nodes: list[Any]) -> Any:
    return nodes[0]


@pytest.fixture(scope="module")
def kubeconfig(inventory: Path) -> Path:
    return inventory.parent / "secrets" / inventory.parent.name / "kubeconfig"


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """A file, a template and a folder, as k3s_manifests takes them, by name."""
    place = tmp_path_factory.mktemp("manifests")
    (place / "shop").mkdir()
    (place / "greeting.yaml").write_text(GREETING)
    (place / "web.yaml.j2").write_text(WEB)
    (place / "shop" / "1-shop.yml").write_text(SHOP)
    (place / "shop" / "2-prices.json").write_text(PRICES)
    return {
        "greeting": {"name": "greeting", "src": str(place / "greeting.yaml")},
        "web": {"name": "web", "src": str(place / "web.yaml.j2"), "vars": {"replicas": 2}},
        "shop": {"name": "shop", "src": str(place / "shop"), "namespace": "shop"},
    }


@pytest.fixture(scope="module")
def deployed(inventory: Path, server: Any, manifests: dict[str, dict[str, Any]]) -> Run:
    """A run with all of them and a chart."""
    return run(inventory, server, k3s_manifests=[*manifests.values()], k3s_charts=[HUB])


@pytest.fixture(scope="module")
def one_less(
    inventory: Path, server: Any, manifests: dict[str, dict[str, Any]], deployed: Run
) -> Run:
    """The run after that, from whose inventory the template was taken out."""
    assert deployed.code == 0
    kept = [manifest for name, manifest in manifests.items() if name != "web"]
    return run(inventory, server, k3s_manifests=kept, k3s_charts=[HUB])


@pytest.fixture(scope="module")
def none_left(inventory: Path, server: Any, one_less: Run) -> Run:
    """The run after that, whose inventory has no workloads."""
    assert one_less.code == 0
    return run(inventory, server)


def test_the_kubeconfig_is_for_its_owner_only_and_leads_to_the_node_address(
    kubeconfig: Path, server: Any
) -> None:
    assert kubeconfig.stat().st_mode & 0o777 == 0o600
    clusters = yaml.safe_load(kubeconfig.read_text())["clusters"]
    assert [row["cluster"]["server"] for row in clusters] == [
        f"https://{node_address(server)}:6443"
    ]


def test_a_distributions_kubectl_lists_the_nodes_from_the_control_node(
    kubeconfig: Path, nodes: list[Any]
) -> None:
    told = [f"--kubeconfig={kubeconfig}", "--request-timeout=30s"]
    # A proxy of this machine is no way to the lab.
    clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run(
        [str(kubectl()), *told, "get", "nodes", "-o", "name"],
        env=clean, text=True, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == [f"node/{node.backend.host}" for node in nodes]


def test_a_file_a_template_a_folder_and_a_chart_are_deployed(
    deployed: Run, server: Any, inventory: Path
) -> None:
    assert deployed.code == 0
    found = deployed.found
    assert found["greeting"]["data"] == {"word": "hello"}
    assert found["web"]["metadata"]["labels"]["cluster"] == inventory.parent.name
    assert found["shop"]["metadata"]["name"] == "prices"
    spec = found["hub"]["spec"]
    assert (spec["repo"], spec["version"]) == ("https://charts.example.org/", "1.2.3")
    assert (spec["chart"], spec["targetNamespace"]) == ("hub", "hub")
    assert yaml.safe_load(spec["valuesContent"]) == {"size": "small"}
    modes = server.check_output(f"find {FOLDER} -type f -printf '%m\\n'").split()
    assert modes == ["600"] * 4


def test_the_run_has_waited_until_pods_run_and_the_charts_job_is_complete(
    deployed: Run, server: Any
) -> None:
    assert deployed.found["web"]["spec"]["replicas"] == 2
    assert deployed.found["web"]["status"]["availableReplicas"] == 2
    said = server.check_output(
        "k3s kubectl --namespace kube-system get job helm-install-hub -o json"
    )
    ended = {row["type"]: row["status"] for row in json.loads(said)["status"]["conditions"]}
    assert ended["Complete"] == "True"


def test_what_is_taken_out_is_gone_and_the_others_stay_as_they_were(
    deployed: Run, one_less: Run, server: Any
) -> None:
    assert one_less.code == 0
    assert one_less.found["web"] is None
    stayed = {name: uid for name, uid in deployed.uids.items() if name != "web"}
    assert one_less.uids == stayed
    pods = "k3s kubectl get pods --selector app=web -o name"
    until(lambda: server.check_output(pods) == "", "no pod of the deployment")


def test_without_workloads_nothing_of_them_is_left(none_left: Run, server: Any) -> None:
    assert none_left.code == 0
    assert none_left.found == dict.fromkeys(OBJECTS)
    shop = "k3s kubectl get namespace shop --ignore-not-found"
    until(lambda: server.check_output(shop) == "", "no namespace of the folder")
    assert files(server) == []
