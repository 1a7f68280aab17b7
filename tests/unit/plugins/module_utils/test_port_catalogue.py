"""Claims about the list of ports itself; that it agrees with the roles is a contract test."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    CATALOGUE,
    groups_of,
    port_named,
)

NEUTREE = "Neutree static node clusters"
CONVECTHUB = "ConvectHub on-prem"
AIGRID = "AIGr.id management cluster"
VAST = "Vast LAN clusters"

# Each document: from, to, protocol, ports.
DOCUMENTS = {
    NEUTREE: {
        ("control node", "every node", "tcp"): {(22, 22)},
        ("control node", "ray nodes", "tcp"): {(54311, 54311), (44217, 44217), (44227, 44227)},
        ("ray nodes", "ray nodes", "tcp"): {
            (10002, 20000),
            (8077, 8077),
            (8076, 8076),
            (56999, 56999),
        },
        ("ray_head", "ray nodes", "tcp"): {(52365, 52365), (8078, 8078)},
        ("control node", "ray_head", "tcp"): {(8265, 8265), (8079, 8079), (8000, 8000)},
        ("ray_worker", "ray_head", "tcp"): {(6379, 6379)},
        ("developers", "ray_head", "tcp"): {(10001, 10001)},
        ("every node", "monitoring", "tcp"): {(8480, 8480)},
    },
    CONVECTHUB: {
        ("control node", "every node", "tcp"): {(22, 22)},
        ("k3s nodes", "k3s_server", "tcp"): {(6443, 6443)},
        ("control node", "k3s_server", "tcp"): {(6443, 6443)},
        ("k3s nodes", "k3s nodes", "udp"): {(8472, 8472)},
        ("k3s nodes", "k3s nodes", "tcp"): {(10250, 10250)},
        ("k3s_server", "k3s_server", "tcp"): {(2379, 2380)},
        ("users", "k3s nodes", "tcp"): {(80, 80), (443, 443)},
    },
    AIGRID: {
        ("k3s nodes", "k3s_server", "tcp"): {(6443, 6443)},
        ("control node", "k3s_server", "tcp"): {(6443, 6443)},
        ("k3s nodes", "k3s nodes", "tcp"): {(10250, 10250), (30000, 32767)},
        ("k3s nodes", "k3s nodes", "udp"): {(30000, 32767)},
        ("k3s_server", "k3s_server", "tcp"): {(2379, 2380)},
        ("itself", "k3s_server", "tcp"): {(10257, 10257), (10259, 10259)},
        ("users", "k3s nodes", "tcp"): {(30000, 32767)},
        ("users", "k3s nodes", "udp"): {(30000, 32767)},
    },
    VAST: {
        ("every node", "every node", "tcp"): {(1, 65535)},
        ("every node", "every node", "udp"): {(1, 65535)},
    },
}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_catalogue_says_what_the_document_says(document: str) -> None:
    rows: dict[tuple[str, str, str], set[tuple[int, int]]] = {}
    for row in CATALOGUE:
        # The monitoring host asks for metrics, of which the documents say the ports alone.
        clients = [client for client in row.clients if client != "monitoring"]
        for client in clients if document in row.source else ():
            rows.setdefault((client, row.role, row.protocol), set()).add((row.number, row.end))
    assert rows == DOCUMENTS[document]


def test_the_monitoring_host_reaches_what_shows_metrics_and_nothing_else() -> None:
    assert {row.name for row in CATALOGUE if "monitoring" in row.clients} == {
        "ray-metrics",
        "ray-autoscaler-metrics",
        "ray-dashboard-metrics",
        "k3s-api",
        "k3s-kubelet",
        "k3s-etcd-metrics",
        "node-exporter",
        "gpu-exporter",
        "docker-metrics",
    }


@pytest.mark.parametrize(
    ("row", "variables", "counts"),
    [
        pytest.param("node-exporter", {}, True, id="always"),
        pytest.param("grafana", {}, False, id="not-chosen"),
        pytest.param("grafana", {"monitoring_grafana": None}, False, id="null"),
        pytest.param("grafana", {"monitoring_grafana": "archive"}, True, id="chosen"),
        pytest.param("docker-metrics", {}, True, id="by-default"),
        pytest.param("docker-metrics", {"ray_runtime": "venv"}, False, id="not-with-venv"),
    ],
)
def test_a_row_counts_where_its_choice_was_made(
    row: str, variables: dict[str, object], counts: bool
) -> None:
    assert port_named(row).counts(variables) is counts


def test_every_profile_has_rows() -> None:
    assert {row.profile for row in CATALOGUE} == {
        "any",
        "ray",
        "k3s",
        "k3s-ha",
        "management",
        "monitoring",
        "lan",
    }


def test_names_stand_for_groups() -> None:
    assert groups_of("ray nodes") == ("ray_head", "ray_worker")
    assert groups_of("k3s nodes") == ("k3s_server", "k3s_agent")
    assert groups_of("monitoring") == ("monitoring",)
    assert groups_of("every node") == (
        "ray_head",
        "ray_worker",
        "k3s_server",
        "k3s_agent",
        "monitoring",
        "registry",
    )


def test_rows_are_found_by_name() -> None:
    assert port_named("ray-gcs").number == 6379
    with pytest.raises(KeyError, match="ray-nothing"):
        port_named("ray-nothing")
