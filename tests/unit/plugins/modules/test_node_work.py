# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the node_work module, with a folder in place of /proc."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import node_work
from ansible_collections.rackforge.gpu_cluster.plugins.modules.node_work import main

from tests.unit.plugins.modules.conftest import Node


@pytest.fixture(autouse=True)
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with one process, which has no GPU open."""
    monkeypatch.setattr(node_work, "PROC", str(tmp_path / "proc"))
    monkeypatch.setattr(node_work, "MACHINE_ID", str(tmp_path / "machine-id"))
    (tmp_path / "machine-id").write_text("aa11\n")
    run_process(tmp_path / "proc" / "1", "systemd", b"/sbin/init\0", "/dev/null")
    boot = tmp_path / "proc/sys/kernel/random"
    boot.mkdir(parents=True)
    (boot / "boot_id").write_text("b00t\n")
    return tmp_path / "proc"


def run_process(folder: Path, name: str, command: bytes, open_file: str) -> None:
    """Lay down a process as the kernel shows it."""
    (folder / "fd").mkdir(parents=True)
    (folder / "comm").write_text(f"{name}\n")
    (folder / "cmdline").write_bytes(command)
    (folder / "fd" / "3").symlink_to(open_file)


def test_a_quiet_node_has_no_obstacle(node: Node) -> None:
    node.answers("systemctl is-active ray.service", (4, "inactive\n", ""))
    result = node.run(main, check=True)
    assert (result["obstacles"], result["containers"], result["gpu_processes"]) == ([], [], [])
    assert result["changed"] is False


def test_work_is_named(node: Node, proc: Path) -> None:
    run_process(proc / "4711", "python3", b"python3\0train.py\xff\0", "/dev/nvidia1")
    node.answers("systemctl is-active ray.service", (0, "active\n", ""))
    node.answers("docker", (1, "", "unexpected"))
    node.answers(
        "timeout 20 docker ps", (0, "1a0d ray\n2b0d postgres\n3c0d rackforge-gpu-exporter\n", "")
    )
    result = node.run(main, jobs=[{"job_id": "j1", "entrypoint": "python x.py"}])
    assert result["obstacles"] == [
        "Ray jobs have not ended: j1 python x.py",
        "containers of yours run: postgres",
        "programs of yours use a GPU: 4711 python3 train.py\ufffd",
    ]


def test_the_control_node_is_recognised(node: Node) -> None:
    node.answers("systemctl is-active ray.service", (4, "inactive\n", ""))
    result = node.run(main, control={"machine_id": "aa11", "boot_id": "b00t"})
    assert result["obstacles"] == ["this is the machine that Ansible runs on, boot it yourself"]


def test_an_engine_that_does_not_answer_runs_no_containers(node: Node) -> None:
    node.answers("systemctl is-active ray.service", (4, "inactive\n", ""))
    node.answers("docker", (1, "", "unexpected"))
    node.answers("timeout 20 docker ps", (124, "", ""))
    assert node.run(main)["containers"] == []


def in_a_namespace(folder: Path, number: int) -> None:
    """Have a process live in a PID namespace."""
    (folder / "ns").mkdir()
    (folder / "ns" / "pid").symlink_to(f"pid:[{number}]")


@pytest.mark.parametrize("ends_programs", [False, True])
def test_a_program_of_another_pid_namespace_is_named_and_stays_an_obstacle(
    node: Node, proc: Path, ends_programs: bool
) -> None:
    run_process(proc / "4711", "python3", b"python3\0serve.py\0", "/dev/nvidia0")
    run_process(proc / "4712", "python3", b"python3\0train.py\0", "/dev/nvidia0")
    in_a_namespace(proc / "1", 1)
    in_a_namespace(proc / "4711", 2)
    in_a_namespace(proc / "4712", 1)
    node.answers("systemctl is-active ray.service", (4, "inactive\n", ""))
    result = node.run(main, jobs=[], ends_programs=ends_programs)
    named = "4711 python3 serve.py (in another PID namespace)"
    assert result["gpu_processes"] == [named, "4712 python3 train.py"]
    others = "" if ends_programs else ", 4712 python3 train.py"
    assert result["obstacles"] == [f"programs of yours use a GPU: {named}{others}"]


def test_the_exporter_of_this_collection_is_no_work(node: Node, proc: Path) -> None:
    run_process(proc / "4711", "gpuagent", b"gpuagent\0", "/dev/kfd")
    identifier = "3c0d" * 16
    (proc / "4711" / "cgroup").write_text(f"0::/system.slice/docker-{identifier}.scope\n")
    node.answers("systemctl is-active ray.service", (4, "inactive\n", ""))
    node.answers("docker", (1, "", "unexpected"))
    node.answers("timeout 20 docker ps", (0, f"{identifier[:12]} rackforge-gpu-exporter\n", ""))
    assert node.run(main, jobs=[])["obstacles"] == []
