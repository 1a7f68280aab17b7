"""Claims about the management profile: bundles, labels, findings and the table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.filter.management_findings import (
    management_findings,
)
from ansible_collections.rackforge.gpu_cluster.plugins.filter.management_labels import (
    management_labels,
)
from ansible_collections.rackforge.gpu_cluster.plugins.filter.management_manifests import (
    management_manifests,
)
from ansible_collections.rackforge.gpu_cluster.plugins.filter.management_nodes import (
    management_nodes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.filter.management_table import (
    management_table,
)

DB = {"name": "db", "src": "b/db", "namespace": "registries"}
METRICS_DB = {"name": "metrics-db", "src": "b/m", "namespace": "metrics-system", "replicas": 2}
BLOCKS = {"name": "blocks", "namespace": "registries", "port": 3001, "node_port": 30100}
HIDDEN = {"name": "hidden", "namespace": "utils", "port": 5000}
AGENTS = ["a1", "a2", "a3", "a4"]


def named(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "src": name, "namespace": name} for name in names]


def test_bundles_come_in_the_documents_order_and_others_after_them() -> None:
    given = named("mine", "services", "metrics", "db", "yours", "utils", "metrics-db", "registries")
    assert [each["name"] for each in management_manifests(given)] == [
        "db",
        "registries",
        "utils",
        "metrics-db",
        "metrics",
        "services",
        "mine",
        "yours",
    ]


def test_a_bundle_has_the_documents_replicas_and_size() -> None:
    (found,) = management_manifests([{**DB, "vars": {"image": "x"}}])
    assert found == {
        "name": "db",
        "src": "b/db",
        "namespace": "registries",
        "create_namespace": True,
        "vars": {"replicas": 3, "size": "10Gi", "namespace": "registries", "image": "x"},
        "wait_for": [],
    }


@pytest.mark.parametrize(
    ("bundles", "words"),
    [
        pytest.param([{**DB, "src": ""}], "bundle db: src is missing", id="no-src"),
        pytest.param([{"src": "x"}], "name is missing", id="no-name"),
        pytest.param([DB, DB], "bundle db stands twice", id="twice"),
        pytest.param([{**DB, "replicas": 0}], "replicas is 0", id="none"),
        pytest.param([{**DB, "replicas": "many"}], "replicas is 'many'", id="words"),
    ],
)
def test_a_wrong_bundle_is_refused(bundles: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        management_manifests(bundles)


@pytest.mark.parametrize(
    ("bundles", "chosen", "expected"),
    [
        pytest.param([], (), {}, id="nothing-asked-for"),
        pytest.param(
            [DB], (), {name: {"registry": "yes"} for name in AGENTS[:3]}, id="as-many-as-replicas"
        ),
        pytest.param([METRICS_DB], ([], ["s1"]), {"s1": {"metrics-db": "yes"}}, id="by-name"),
        pytest.param(
            [DB, METRICS_DB],
            (["a4"], ["a4"]),
            {"a4": {"registry": "yes", "metrics-db": "yes"}},
            id="both-on-one",
        ),
    ],
)
def test_who_carries_the_labels(
    bundles: list[dict[str, Any]], chosen: tuple[list[str], ...], expected: dict[str, Any]
) -> None:
    assert management_labels(bundles, AGENTS, *chosen) == expected


def line(kind: str, namespace: str, name: str, *columns: Any) -> str:
    """Return an object as kubectl writes it: with tabs, and JSON for what is no text."""
    texts = [each if isinstance(each, str) else json.dumps(each) for each in columns]
    return "\t".join([kind, namespace, name, *texts])


def service(name: str, namespace: str = "registries", **ports: int) -> str:
    return line("Service", namespace, name, "", {"app": name}, [ports], "", "")


def pod(app: str, ready: str = "True", phase: str = "Running") -> str:
    return line("Pod", "registries", f"{app}-0", {"app": app}, "", "", phase, ready)


#: Every cluster has it; it chooses no pods.
API = line("Service", "default", "kubernetes", {"component": "x"}, "", [{"port": 443}], "", "")


def answer(*lines: str) -> str:
    return "\n".join([API, *lines]) + "\n"


HERE = service("blocks", port=3001, nodePort=30100)


@pytest.mark.parametrize(
    ("text", "ready"),
    [
        pytest.param(answer(), "missing", id="missing"),
        pytest.param(answer(HERE), "no pod", id="no-pod"),
        pytest.param(answer(HERE, pod("blocks")), "yes (1/1)", id="ready"),
        pytest.param(
            answer(HERE, pod("blocks"), pod("blocks", "False")), "no (1/2)", id="half-ready"
        ),
        pytest.param(
            answer(HERE, pod("blocks"), pod("blocks", "False", "Succeeded")),
            "yes (1/1)",
            id="ended-pods-do-not-count",
        ),
        pytest.param(
            answer(service("blocks", port=1, nodePort=30100)), "no port 3001", id="other-port"
        ),
        pytest.param(answer(service("blocks", port=3001)), "no NodePort 30100", id="not-exposed"),
        pytest.param(
            answer(service("blocks", "other", port=3001, nodePort=30100)),
            "missing",
            id="another-namespace",
        ),
    ],
)
def test_how_a_service_is(text: str, ready: str) -> None:
    (row,) = management_table([BLOCKS], text, "192.0.2.1")["rows"]
    assert row["ready"] == ready


def test_the_table_has_a_line_for_each_service() -> None:
    lines = management_table([BLOCKS, HIDDEN], answer(HERE, pod("blocks")), "n1")["lines"]
    assert lines == [
        "SERVICE  INTERNAL URL                                     NODEPORT URL     READY",
        "blocks   http://blocks.registries.svc.cluster.local:3001  http://n1:30100  yes (1/1)",
        "hidden   http://hidden.utils.svc.cluster.local:5000       Not exposed      missing",
    ]


@pytest.mark.parametrize(
    ("name", "url"),
    [
        pytest.param("odd", "http://odd.registries.svc.cluster.local:1", id="first-column"),
        pytest.param("oddly", "http://oddly.registries.svc.cluster.local:1", id="in-its-url"),
    ],
)
def test_a_service_is_found_under_either_of_the_documents_names(name: str, url: str) -> None:
    odd = {"name": "odd", "host": "oddly", "namespace": "registries", "port": 1}
    (row,) = management_table([odd], answer(service(name, port=1)), "x")["rows"]
    assert (row["service"], row["internal_url"], row["ready"]) == ("odd", url, "no pod")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "saw nothing, expected a line for each service", id="empty"),
        pytest.param("oops", "saw 'oops', expected kind, namespace, name", id="words"),
        pytest.param(service("a", port=1)[:-1], "expected kind, namespace, name", id="cut-off"),
        pytest.param(line("Pod", "a", "b", "{", "", "", "", ""), "expected kind", id="no-json"),
    ],
)
def test_an_answer_of_another_form_is_told(text: str, words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        management_table([BLOCKS], text, "x")


def test_the_question_is_for_what_is_read_and_not_for_what_pods_are_given(
    repository: Path,
) -> None:
    path = repository / "roles" / "k3s" / "vars" / "main" / "management.yml"
    question = yaml.safe_load(path.read_text())["__k3s_management_question"]
    assert question[-1] == (
        "--output=jsonpath={range .items[*]}"
        r"{.kind}{'\t'}{.metadata.namespace}{'\t'}{.metadata.name}{'\t'}{.metadata.labels}{'\t'}"
        r"{.spec.selector}{'\t'}{.spec.ports}{'\t'}{.status.phase}{'\t'}"
        r"{.status.conditions[?(@.type=='Ready')].status}{'\n'}"
        "{end}"
    )


def test_a_service_without_a_port_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="expected name, namespace and port"):
        management_table([{"name": "x", "namespace": "y"}], answer(), "x")


def settings(**more: Any) -> dict[str, Any]:
    """Return a cluster that has nothing against the profile."""
    nodes = [
        {"host": host, "name": host, "is_agent": True, "memory_mib": 16000, "disk_mib": 90000}
        for host in AGENTS
    ]
    return {
        "bundles": [DB],
        "services": [BLOCKS],
        "labels": management_labels([DB], AGENTS),
        "nodes": nodes,
        "cluster": {
            "reachable": True,
            "error": "",
            "nodes": [{"name": host, "ready": True, "reasons": []} for host in AGENTS],
        },
        "kubectl": answer(),
        "node_ports": [30000, 32767],
        "minimum_workers": 3,
        **more,
    }


def rows_of(host: str, **sizes: int | None) -> list[dict[str, Any]]:
    return [{**row, **(sizes if row["host"] == host else {})} for row in settings()["nodes"]]


def seen(host: str, **more: Any) -> dict[str, Any]:
    cluster = settings()["cluster"]
    rows = [{**row, **(more if row["name"] == host else {})} for row in cluster["nodes"]]
    return {**cluster, "nodes": rows}


SQUATTER = service("squatter", "default", port=80, nodePort=30100)


@pytest.mark.parametrize(
    ("more", "code", "errors"),
    [
        pytest.param(
            {"cluster": {"reachable": False, "error": "refused"}}, "no-cluster", 1, id="no-answer"
        ),
        pytest.param({"minimum_workers": 5}, "too-few-workers", 1, id="workers"),
        pytest.param({"nodes": rows_of("a2", memory_mib=4000)}, "memory-too-small", 0, id="memory"),
        pytest.param({"nodes": rows_of("a2", disk_mib=20000)}, "disk-too-small", 0, id="disk"),
        pytest.param(
            {"cluster": seen("a1", ready=False, reasons=["cni plugin not initialized"])},
            "node-not-ready",
            1,
            id="no-cni",
        ),
        pytest.param({"cluster": seen("a1", name="other")}, "not-a-member", 1, id="stranger"),
        pytest.param({"labels": {"gone": {"registry": "yes"}}}, "unknown-node", 1, id="label"),
        pytest.param(
            {"labels": {"a1": {"registry": "yes"}}}, "replicas-share-a-node", 0, id="few-nodes"
        ),
        pytest.param({"bundles": [{**DB, "size": "10 GB"}]}, "size-unknown", 1, id="size"),
        pytest.param({"kubectl": answer(SQUATTER)}, "node-port-taken", 1, id="squatter"),
        pytest.param({"node_ports": [31000, 32767]}, "node-port-taken", 1, id="outside-range"),
        pytest.param(
            {"services": [BLOCKS, {**HIDDEN, "node_port": 30100}]}, "node-port-taken", 1, id="twice"
        ),
    ],
)
def test_what_speaks_against_the_profile(more: dict[str, Any], code: str, errors: int) -> None:
    found = management_findings(settings(**more))
    assert f"management-{code}" in found["text"]
    assert found["errors"] == errors


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="all-well"),
        pytest.param({"kubectl": answer(HERE)}, id="own-service"),
        pytest.param(
            {"kubectl": answer(service("renamed", port=1, nodePort=30100))}, id="own-namespace"
        ),
        pytest.param(
            {"nodes": rows_of("a1", memory_mib=None, disk_mib=None)}, id="unknown-is-no-finding"
        ),
        pytest.param({"nodes": rows_of("a1", memory_mib=7700)}, id="sold-as-8-gb"),
        pytest.param(
            {"bundles": [], "labels": {}, "kubectl": answer(SQUATTER)}, id="no-bundles-no-ports"
        ),
    ],
)
def test_a_cluster_that_suits_has_no_finding(more: dict[str, Any]) -> None:
    found = management_findings(settings(**more))
    assert found == {"text": "", "errors": 0, "summary": "no problem found"}


def test_all_findings_come_at_once() -> None:
    found = management_findings(
        settings(
            minimum_workers=9,
            nodes=rows_of("a2", memory_mib=1),
            kubectl=answer(SQUATTER),
            cluster=seen("a1", ready=False),
        )
    )
    assert (found["errors"], found["summary"]) == (3, "3 errors, 1 warning")
    assert "memory-too-small" in found["text"]


def test_members_have_their_sizes_by_their_facts() -> None:
    disks = [{"mount": "/", "size_mib": 900}, {"mount": "/data", "size_mib": 5000}]
    facts = {"gpu_cluster": {"memory_mib": 64000, "system": {"disks": disks}}}
    hostvars = {"S_1": {"ansible_facts": facts}, "a1": {"k3s_node_name": "worker"}}
    assert management_nodes(hostvars, ["S_1"], ["a1"]) == [
        {"host": "S_1", "name": "s-1", "is_agent": False, "memory_mib": 64000, "disk_mib": 900},
        {"host": "a1", "name": "worker", "is_agent": True, "memory_mib": None, "disk_mib": None},
    ]


def test_the_documents_services_are_all_there(repository: Path) -> None:
    path = repository / "roles" / "k3s" / "vars" / "main" / "management.yml"
    services = yaml.safe_load(path.read_text())["__k3s_management_services_of_document"]
    ports = [each["node_port"] for each in services if "node_port" in each]
    assert len(services) == 24
    assert ports == [
        *range(30100, 30113),
        *(30150, 30151),
        *range(30200, 30204),
        *(30500, 30600),
    ]
    assert sum("node_port" not in each for each in services) == 3
    table = management_table(services, answer(), "192.0.2.1")
    assert table["rows"][5]["internal_url"] == (
        "http://adhoc-serviers-registry-svc.registries.svc.cluster.local:6000"
    )
