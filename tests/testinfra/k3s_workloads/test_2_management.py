# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The management profile on a small cluster: its check, labels, order and table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.testinfra.playbooks import changes, ended, start
from tests.testinfra.ray_cluster import node_address

WORKLOAD = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: "{{ app }}"
  annotations: {example.org/size: "{{ size }}"}
spec:
  replicas: {{ replicas }}
  selector: {matchLabels: {app: "{{ app }}"}}
  template:
    metadata: {labels: {app: "{{ app }}"}}
    spec:
      nodeSelector: {{ chosen | default({}) | to_json }}
      containers: [{name: "{{ app }}", image: rancher/mirrored-pause:3.6}]
---
apiVersion: v1
kind: Service
metadata:
  name: "{{ app }}-svc"
spec:
  type: "{{ 'NodePort' if node_port | default(0) else 'ClusterIP' }}"
  selector: {app: "{{ app }}"}
  ports:
    - {{ {'port': 8080, 'nodePort': node_port | default(none)} | to_json }}
"""
#: What an inventory lists, in another order than that of the profile.
SERVICES = [
    {"name": "panel-svc", "namespace": "panels", "port": 8080, "node_port": 30480},
    {"name": "registry-db-svc", "namespace": "stores", "port": 8080},
    {"name": "absent-svc", "namespace": "panels", "port": 8081, "node_port": 30481},
]
LABELS = ("registry", "metrics-db")


@dataclass(frozen=True)
class Profile:
    """The variables of the profile, and which nodes its databases run on."""

    variables: dict[str, Any]
    registry_node: str
    metrics_node: str


def manage(inventory: Path, **variables: Any) -> tuple[int, str]:
    """Return exit status and output of management.yml."""
    return ended(start(inventory, "management.yml", "-e", json.dumps(variables)))


def asked(server: Any, words: str) -> list[dict[str, Any]]:
    """Return the objects that the cluster has."""
    answer = server.check_output(f"k3s kubectl get {words} -o json")
    return list(json.loads(answer)["items"])


def labelled(server: Any) -> dict[str, set[str]]:
    """Return the nodes that carry each label of the profile with the value yes."""
    rows = [row["metadata"] for row in asked(server, "nodes")]
    return {
        label: {row["name"] for row in rows if row["labels"].get(label) == "yes"}
        for label in LABELS
    }


def ready_at(pod: dict[str, Any]) -> str:
    """Return when a pod became ready."""
    rows = pod["status"]["conditions"]
    return str(next(row for row in rows if row["type"] == "Ready")["lastTransitionTime"])


def table_of(said: str) -> dict[str, list[str]]:
    """Return the cells of the table that a run ends with, by service."""
    lines = re.findall(r'"(\S+-svc  .*?)"', said)
    return {cells[0]: cells[1:] for cells in (re.split(r"  +", line) for line in lines)}


@pytest.fixture(scope="module")
def server(nodes: list[Any]) -> Any:
    return nodes[0]


@pytest.fixture(scope="module")
def profile(nodes: list[Any], tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """Three bundles of one folder; each database has a node of its own, one of them the server."""
    place = tmp_path_factory.mktemp("bundles")
    (place / "workload.yaml.j2").write_text(WORKLOAD)
    metrics_node, registry_node = (str(node.backend.host) for node in nodes[:2])
    panel = {"app": "panel", "node_port": 30480}
    metrics = {"app": "metrics-db", "chosen": {"metrics-db": "yes"}}
    registry = {"app": "registry-db", "chosen": {"registry": "yes"}}
    bundles = [
        {"name": "panels", "namespace": "panels", "replicas": 1, "vars": panel},
        {"name": "metrics-db", "namespace": "stores", "replicas": 1, "vars": metrics},
        {"name": "db", "namespace": "stores", "replicas": 2, "size": "2Gi", "vars": registry},
    ]
    variables = {
        "management_bundles": [{**bundle, "src": str(place)} for bundle in bundles],
        "management_registry_nodes": [registry_node],
        "management_metrics_nodes": [metrics_node],
        "management_services": SERVICES,
    }
    return Profile(variables, registry_node, metrics_node)


@pytest.fixture(scope="module")
def installed(inventory: Path, profile: Profile, server: Any) -> Iterator[str]:
    """What a run said that installs it on fewer workers than the document asks for."""
    code, said = manage(inventory, management_minimum_workers=1, **profile.variables)
    assert code == 0
    yield said
    if any(labelled(server).values()):
        manage(inventory, management_minimum_workers=1)


def test_too_few_workers_are_refused_before_the_first_change(
    inventory: Path, profile: Profile, server: Any
) -> None:
    code, said = manage(inventory, **profile.variables)
    assert code != 0
    assert "The cluster has fewer workers than the management services ask for." in said
    assert "at least 3 hosts in k3s_agent" in said
    assert "lower management_minimum_workers knowingly" in said
    assert "Traceback" not in said
    assert changes(said) == {}
    assert labelled(server) == {"registry": set(), "metrics-db": set()}
    assert asked(server, "deployments --namespace stores") == []


@pytest.mark.usefixtures("installed")
def test_the_nodes_of_the_databases_carry_their_labels(profile: Profile, server: Any) -> None:
    assert labelled(server) == {
        "registry": {profile.registry_node},
        "metrics-db": {profile.metrics_node},
    }


@pytest.mark.usefixtures("installed")
def test_the_databases_run_on_their_nodes_with_their_replicas_and_size(
    profile: Profile, server: Any
) -> None:
    rows = [row for name in ("stores", "panels") for row in asked(server, f"pods -n {name}")]
    places = sorted((row["metadata"]["labels"]["app"], row["spec"]["nodeName"]) for row in rows)
    assert places[0] == ("metrics-db", profile.metrics_node)
    assert [app for app, _node in places[1:2]] == ["panel"]
    assert places[2:] == [("registry-db", profile.registry_node)] * 2
    sizes = {
        row["metadata"]["name"]: row["metadata"]["annotations"]["example.org/size"]
        for row in asked(server, "deployments -n stores")
    }
    assert sizes == {"registry-db": "2Gi", "metrics-db": "10Gi"}


@pytest.mark.usefixtures("installed")
def test_each_bundle_runs_before_the_next_one_begins(server: Any) -> None:
    begun = {
        row["metadata"]["name"]: row["metadata"]["creationTimestamp"]
        for name in ("stores", "panels")
        for row in asked(server, f"deployments -n {name}")
    }
    ready: dict[str, str] = {}
    for row in asked(server, "pods -n stores"):
        app = row["metadata"]["labels"]["app"]
        ready[app] = max(ready.get(app, ""), ready_at(row))
    order = [
        begun["registry-db"],
        ready["registry-db"],
        begun["metrics-db"],
        ready["metrics-db"],
        begun["panel"],
    ]
    assert order == sorted(order)
    assert begun["registry-db"] < begun["metrics-db"] < begun["panel"]


def test_the_table_shows_urls_and_whether_each_service_is_ready(
    installed: str, server: Any
) -> None:
    address = node_address(server)
    inside = "svc.cluster.local"
    assert table_of(installed) == {
        "panel-svc": [
            f"http://panel-svc.panels.{inside}:8080",
            f"http://{address}:30480",
            "yes (1/1)",
        ],
        "registry-db-svc": [
            f"http://registry-db-svc.stores.{inside}:8080",
            "Not exposed",
            "yes (2/2)",
        ],
        "absent-svc": [
            f"http://absent-svc.panels.{inside}:8081",
            f"http://{address}:30481",
            "missing",
        ],
    }


@pytest.mark.usefixtures("installed")
def test_bundles_that_are_taken_out_are_gone_with_their_labels(
    inventory: Path, server: Any
) -> None:
    code, said = manage(inventory, management_minimum_workers=1)
    assert code == 0
    assert list(changes(said)) == [str(server.backend.host)]
    assert asked(server, "deployments --namespace stores") == []
    assert asked(server, "services --namespace panels") == []
    assert labelled(server) == {"registry": set(), "metrics-db": set()}
    server.check_output("k3s kubectl delete namespace stores panels --timeout=60s")
