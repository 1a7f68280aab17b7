"""Claims about the programs that keep NVIDIA's driver in use."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_processes import (
    driver_users,
    read_processes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_work import (
    OTHER_NAMESPACE,
    Process,
)


@pytest.mark.parametrize(
    ("name", "device", "expected"),
    [
        pytest.param("python", "/dev/nvidia0", True, id="computes"),
        pytest.param("python", "/dev/nvidia-uvm", True, id="cuda-memory"),
        pytest.param("dcgm-exporter", "/dev/nvidiactl", True, id="monitoring"),
        pytest.param("Xorg", "/dev/nvidia-modeset", True, id="screen"),
        pytest.param("ray::Train", "/dev/nvidia0", True, id="ray"),
        pytest.param("nvidia-persiste", "/dev/nvidia0", False, id="persistence-daemon"),
        pytest.param("nv-fabricmanage", "/dev/nvidiactl", False, id="fabric-manager"),
        pytest.param("python", "/dev/kfd", False, id="amd"),
        pytest.param("python", "/home/dev/nvidia0", False, id="other-file"),
    ],
)
def test_only_the_drivers_own_services_do_not_count(name: str, device: str, expected: bool) -> None:
    seen = [Process(1, name, name, ("/dev/null", device))]
    assert (driver_users(seen) == seen) is expected


def test_every_process_counts_where_none_is_left_out() -> None:
    daemon = Process(7, "nvidia-persiste", "nvidia-persistenced", ("/dev/nvidia0",))
    assert driver_users([daemon], without=()) == [daemon]


def test_processes_are_read_with_what_they_have_open(tmp_path: Path) -> None:
    process = tmp_path / "4711"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_bytes(b"py\xffthon\n")
    (process / "cmdline").write_bytes(b"python\0train.py\0")
    (process / "fd" / "3").symlink_to("/dev/nvidia0")
    (tmp_path / "8").mkdir()  # It ended while it was read.
    (tmp_path / "self").mkdir()
    assert read_processes(str(tmp_path)) == [
        Process(4711, "py\ufffdthon", "python train.py", ("/dev/nvidia0",)),
        Process(8, ""),
    ]


def test_without_proc_there_are_none(tmp_path: Path) -> None:
    assert read_processes(str(tmp_path / "proc")) == []


def process(folder: Path, cgroup: str, namespace: str) -> None:
    """Lay down a process that has a GPU open."""
    (folder / "fd").mkdir(parents=True)
    (folder / "fd" / "3").symlink_to("/dev/nvidia0")
    (folder / "cgroup").write_text(cgroup)
    if namespace:
        (folder / "ns").mkdir()
        (folder / "ns" / "pid").symlink_to(f"pid:[{namespace}]")


IDENTIFIER = "2b0d" * 16


@pytest.mark.parametrize(
    ("cgroup", "namespace", "node", "expected"),
    [
        pytest.param("0::/user.slice/session-3.scope\n", "1", "0::/init.scope\n", "", id="node"),
        pytest.param(
            f"0::/system.slice/docker-{IDENTIFIER}.scope\n",
            "2",
            "0::/init.scope\n",
            IDENTIFIER[:12],
            id="docker",
        ),
        pytest.param(
            f"0::/system.slice/docker-{IDENTIFIER}.scope\n",
            "1",
            "0::/init.scope\n",
            IDENTIFIER[:12],
            id="docker-with-the-nodes-pids",
        ),
        pytest.param("0::/lxc/web\n", "2", "0::/init.scope\n", OTHER_NAMESPACE, id="lxc"),
        pytest.param(
            f"0::/docker/{IDENTIFIER}/user.slice\n",
            "1",
            f"0::/docker/{IDENTIFIER}/init.scope\n",
            "",
            id="node-in-a-container",
        ),
        pytest.param("0::/lxc/web\n", "", "0::/init.scope\n", "", id="not-readable"),
    ],
)
def test_a_process_in_a_container_is_told_from_one_of_the_node(
    tmp_path: Path, cgroup: str, namespace: str, node: str, expected: str
) -> None:
    process(tmp_path / "1", node, "1")
    process(tmp_path / "4711", cgroup, namespace)
    found = {each.pid: each.container for each in read_processes(str(tmp_path))}
    assert found == {1: "", 4711: expected}
