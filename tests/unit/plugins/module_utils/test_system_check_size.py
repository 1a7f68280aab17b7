"""Claims about nodes that are too small, too full, or mounted wrongly."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_size import (
    check_shared_memory,
    check_sizes,
    check_space,
    check_tmp,
)

from tests.unit.plugins.system_nodes import PATHS, brief, disk, facts, inventory, node


def disks(*given: dict[str, Any]) -> dict[str, Any]:
    """Return facts of a node with these file systems."""
    return facts(1, system={"disks": list(given)})


@pytest.mark.parametrize(
    ("profile", "group", "given", "expected"),
    [
        pytest.param("ray", "ray_head", {"cpu_count": 8}, [], id="ray-8-processors"),
        pytest.param(
            "ray",
            "ray_head",
            {"cpu_count": 7},
            [("warning", "cpu-too-few", "7 processors")],
            id="ray-7-processors",
        ),
        pytest.param("ray", "ray_worker", {"memory_mib": 15_600}, [], id="ray-sold-as-16-gib"),
        pytest.param(
            "ray",
            "ray_worker",
            {"memory_mib": 14_000},
            [("warning", "memory-too-small", "13.7 GiB")],
            id="ray-14-gib",
        ),
        pytest.param("k3s", "k3s_agent", {"cpu_count": 2, "memory_mib": 3_700}, [], id="k3s-least"),
        pytest.param(
            "k3s",
            "k3s_agent",
            {"cpu_count": 1, "memory_mib": 2_000},
            [
                ("warning", "cpu-too-few", "1 processor"),
                ("warning", "memory-too-small", "2.0 GiB"),
            ],
            id="k3s-agent-too-small",
        ),
        pytest.param(
            "k3s",
            "k3s_server",
            {"memory_mib": 1_000},
            [("error", "memory-too-small", "1000 MiB")],
            id="k3s-server-that-does-not-stay-up",
        ),
        pytest.param(
            "k3s",
            "k3s_agent",
            {"memory_mib": 400},
            [("error", "memory-too-small", "400 MiB")],
            id="k3s-agent-that-does-not-stay-up",
        ),
        pytest.param(
            "management",
            "k3s_agent",
            {"memory_mib": 4_000},
            [("warning", "memory-too-small", "3.9 GiB")],
            id="worker-of-a-management-cluster",
        ),
        pytest.param("management", "k3s_server", {"memory_mib": 4_000}, [], id="its-master"),
        pytest.param("monitoring", "monitoring", {"cpu_count": 1}, [], id="no-document"),
        pytest.param("k3s", "ray_worker", {"cpu_count": 1}, [], id="group-of-another-profile"),
    ],
)
def test_a_node_is_measured_by_its_documents(
    profile: str, group: str, given: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    found = brief(check_sizes, node("n1", group, facts=facts(1, **given)), profiles=(profile,))
    assert found == [(severity, "n1", code, seen) for severity, code, seen in expected]


@pytest.mark.parametrize(
    ("whole", "root", "expected"),
    [
        pytest.param(200 * 1024, 70 * 1024, [], id="volume-group-gives-root-a-part"),
        pytest.param(100 * 1024, 95 * 1024, ["100.0 GiB"], id="small-disk"),
        pytest.param(None, 190 * 1024, [], id="only-the-file-system-is-known"),
        pytest.param(None, 50 * 1024, ["50.0 GiB"], id="small-file-system"),
        pytest.param(None, None, [], id="nothing-is-known"),
    ],
)
def test_system_disk_is_the_disk_and_not_its_first_partition(
    whole: int | None, root: int | None, expected: list[str]
) -> None:
    given = facts(1, system={"system_disk_mib": whole, "disks": [disk("/", size_mib=root)]})
    found = brief(check_sizes, node("n1", facts=given))
    assert found == [("warning", "n1", "disk-too-small", seen) for seen in expected]


def test_the_source_of_a_minimum_is_told() -> None:
    (finding,) = check_sizes(inventory(node("n1", facts=facts(1, memory_mib=8_000))))
    assert finding.expected == (
        "at least 16.0 GiB (Neutree, Node requirements: 8 vCPU, 16 GiB, system disk 200 GiB)"
    )


@pytest.mark.parametrize(
    ("values", "free", "expected"),
    [
        pytest.param({}, 20 * 1024, [], id="image-fits"),
        pytest.param({}, 10_000, [("warning", "9.8 GiB free")], id="larger-image-does-not"),
        pytest.param({}, 4_000, [("error", "3.9 GiB free")], id="no-image-fits"),
        pytest.param({"ray_runtime": "venv"}, 4_096, [], id="venv-fits"),
        pytest.param({"ray_runtime": "venv"}, 900, [("error", "900 MiB free")], id="no-venv-fits"),
    ],
)
def test_ray_needs_room_where_its_programs_go(
    values: dict[str, str], free: int, expected: list[tuple[str, str]]
) -> None:
    place = "/opt" if values else "/var/lib/docker"
    others = [path for path in PATHS if path != place]
    given = disks(disk("/", *others), disk("/data", place, free_mib=free))
    found = brief(check_space, node("n1", values=values, facts=given))
    assert found == [(severity, "n1", "space-too-small", seen) for severity, seen in expected]


def test_room_is_judged_where_docker_was_told_to_put_its_data() -> None:
    given = facts(
        1,
        system={
            "docker_root": "/data/docker",
            "disks": [disk("/", free_mib=100), disk("/data", "/data/docker")],
        },
    )
    assert brief(check_space, node("n1", facts=given)) == [
        ("warning", "n1", "disk-nearly-full", "100 MiB of 390.6 GiB free around /var/lib/ray")
    ]


def test_ray_that_is_installed_needs_no_room_for_itself() -> None:
    full = {"disks": [disk("/", free_mib=21_000, size_mib=400_000)], "installed": {"ray": True}}
    assert brief(check_space, node("n1", facts=facts(1, system=full))) == []
    full["disks"] = [disk("/", free_mib=3_000, size_mib=50_000)]
    assert brief(check_space, node("n1", facts=facts(1, system=full))) == []


def test_a_disk_where_ray_stops_is_told() -> None:
    full = {"disks": [disk("/", free_mib=2_500, size_mib=50_000)], "installed": {"ray": True}}
    assert brief(check_space, node("n1", facts=facts(1, system=full))) == [
        ("warning", "n1", "disk-nearly-full", "2.4 GiB of 48.8 GiB free around /var/lib/ray")
    ]


def test_a_disk_where_the_kubelet_evicts_is_an_error_told_once() -> None:
    given = disks(disk("/", free_mib=19_000))
    assert brief(check_space, node("n1", "k3s_server", facts=given), profiles=("k3s",)) == [
        ("error", "n1", "disk-pressure", "18.6 GiB of 390.6 GiB free around /var/lib/rancher")
    ]


@pytest.mark.parametrize(
    ("total", "free", "expected"),
    [
        pytest.param(None, None, [], id="file-system-without-a-number"),
        pytest.param(500_000, 60_000, [], id="small-file-system-with-a-tenth"),
        pytest.param(
            20_000_000, 60_000, [("warning", "60000 of 20000000 inodes free")], id="few-left"
        ),
        pytest.param(20_000_000, 12, [("error", "12 of 20000000 inodes free")], id="none-left"),
    ],
)
def test_inodes_run_out_before_bytes(
    total: int | None, free: int | None, expected: list[tuple[str, str]]
) -> None:
    given = disks(disk("/", inodes=total, inodes_free=free))
    found = brief(check_space, node("n1", facts=given))
    assert found == [(severity, "n1", "inodes-too-few", seen) for severity, seen in expected]


def test_a_file_system_of_others_may_be_full_or_read_only() -> None:
    system = [path for path in PATHS if path != "/home"]
    home = disk("/home", "/home", free_mib=0, inodes_free=0, read_only=True)
    assert brief(check_space, node("n1", facts=disks(disk("/", *system), home))) == []


def test_a_system_that_cannot_be_written_is_an_error() -> None:
    found = brief(check_space, node("n1", facts=disks(disk("/", read_only=True))))
    assert found == [("error", "n1", "disk-read-only", "/ is mounted read-only")]


@pytest.mark.parametrize(
    ("values", "shm", "expected"),
    [
        pytest.param({}, 64, [], id="containers-get-their-own"),
        pytest.param({"ray_runtime": "venv"}, 257_822, [], id="half-of-the-memory"),
        pytest.param({"ray_runtime": "venv"}, None, [], id="unknown"),
        pytest.param({"ray_runtime": "venv"}, 64, ["/dev/shm of 64 MiB"], id="too-small"),
        pytest.param(
            {"ray_runtime": "venv", "ray_object_store_memory_mib": "50"},
            64,
            [],
            id="store-is-small",
        ),
        pytest.param(
            {"ray_runtime": "venv", "ray_object_store_fraction": 0.6},
            257_822,
            ["/dev/shm of 251.8 GiB"],
            id="store-is-large",
        ),
        pytest.param(
            {"ray_runtime": "venv", "ray_object_store_fraction": "half"}, 64, [], id="no-number"
        ),
    ],
)
def test_shared_memory_holds_the_object_store(
    values: dict[str, Any], shm: int | None, expected: list[str]
) -> None:
    found = brief(check_shared_memory, node("n1", values=values, facts=facts(1, shm_mib=shm)))
    assert found == [("warning", "n1", "shm-too-small", seen) for seen in expected]


@pytest.mark.parametrize(
    ("values", "given", "expected"),
    [
        pytest.param({}, {"free_mib": 64}, [], id="enough-for-ansible"),
        pytest.param({}, {"free_mib": 63}, [("tmp-too-small", "63 MiB free")], id="full"),
        pytest.param({}, {"noexec": True}, [], id="noexec-is-no-matter-to-containers"),
        pytest.param(
            {"ray_runtime": "venv"},
            {"noexec": True, "free_mib": 500},
            [("tmp-too-small", "500 MiB free"), ("tmp-noexec", "/tmp is mounted noexec")],
            id="venv",
        ),
    ],
)
def test_tmp_has_room_and_starts_programs(
    values: dict[str, str], given: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    found = brief(check_tmp, node("n1", values=values, facts=disks(disk("/tmp", "/tmp", **given))))
    assert found == [("warning", "n1", code, seen) for code, seen in expected]
