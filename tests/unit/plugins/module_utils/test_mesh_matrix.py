"""Claims about the matrix of the mesh that reports show."""

from __future__ import annotations

import json

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import PathMtu

from tests.unit.plugins.module_utils.mesh_scene import CONTROL, Scene


def cells(scene: Scene) -> dict[tuple[str, str], dict[str, object]]:
    """Return the cells of the matrix by source and destination."""
    plain = scene.matrix().to_plain()["cells"]
    return {(each["source"], each["destination"]): each for each in plain}


def test_a_good_cell_is_a_minimal_record() -> None:
    assert cells(Scene(3))[("node2", "node3")] == {
        "source": "node2",
        "destination": "node3",
        "state": "good",
        "rtt_ms": 0.2,
        "tested": 10002,
        "good": 10002,
    }


def test_a_cell_names_what_failed_by_service() -> None:
    scene = Scene(3)
    scene.fail("node2", "node3", "filtered", tcp="8076,15000", udp="")
    cell = cells(scene)[("node2", "node3")]
    assert (cell["state"], cell["tested"], cell["good"]) == ("partly", 10002, 10000)
    assert cell["faults"] == [
        {
            "service": "ray-object-manager",
            "protocol": "tcp",
            "verdict": "filtered",
            "ports": "8076",
        },
        {"service": "ray-workers", "protocol": "tcp", "verdict": "filtered", "ports": "15000"},
    ]


def test_a_pair_without_any_good_port_is_closed() -> None:
    scene = Scene(3)
    scene.fail("node2", "node3", "filtered")
    assert cells(scene)[("node2", "node3")]["state"] == "closed"


def test_a_pair_that_nobody_reported_is_unknown() -> None:
    scene = Scene(3)
    scene.without.add("node2")
    assert cells(scene)[("node2", "node3")] == {
        "source": "node2",
        "destination": "node3",
        "state": "unknown",
        "tested": 0,
        "good": 0,
    }


def test_a_smaller_mtu_is_in_the_cell() -> None:
    scene = Scene(3)
    scene.mtu[("node1", "node2")] = PathMtu(1500, 1400, 1400, stalled=True)
    cell = cells(scene)[("node1", "node2")]
    assert (cell["state"], cell["mtu"]) == (
        "partly",
        {"expected": 1500, "sent": 1400, "received": 1400, "stalled": True},
    )


def test_a_translated_source_is_in_the_cell() -> None:
    scene = Scene(3)
    scene.seen_as[("node1", "node2")] = "198.19.1.77"
    assert cells(scene)[("node1", "node2")]["faults"] == [
        {"service": "", "protocol": "ip", "verdict": "translated", "ports": "198.19.1.77"}
    ]


def test_the_control_node_is_the_last_source_and_no_pair_of_nodes() -> None:
    scene = Scene(3, control=True)
    found = scene.matrix()
    assert found.sources == ("node1", "node2", "node3", CONTROL)
    assert found.destinations == ("node1", "node2", "node3")
    assert found.summary["pairs"] == 6


def test_the_summary_counts_pairs_ports_and_times() -> None:
    scene = Scene(3)
    scene.fail("node2", "node3", "filtered")
    assert scene.matrix().summary == {
        "nodes": 3,
        "pairs": 6,
        "states": {"good": 5, "partly": 0, "closed": 1, "unknown": 0},
        "tested": 60016,
        "good": 50014,
        "rtt_ms": {"min": 0.2, "median": 0.2, "max": 0.2},
    }


def test_a_healthy_mesh_of_a_hundred_nodes_fits_into_the_page() -> None:
    assert len(json.dumps(Scene(100).matrix().to_plain(), separators=(",", ":"))) < 1_200_000
