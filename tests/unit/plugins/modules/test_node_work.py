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
    node.answers("timeout 20 docker ps", (0, "ray\npostgres\n", ""))
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
