# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the gpu_programs module, with a list in place of the node's processes."""

from __future__ import annotations

import os
import signal

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_work import (
    OTHER_NAMESPACE,
    Process,
)
from ansible_collections.rackforge.gpu_cluster.plugins.modules import gpu_programs
from ansible_collections.rackforge.gpu_cluster.plugins.modules.gpu_programs import main

from tests.unit.plugins.modules.conftest import Node


class Machine:
    """A machine with one program on a GPU, which ends at a signal, or at none."""

    def __init__(self, ends_at: int, container: str) -> None:
        self.ends_at = ends_at
        self.container = container
        self.sent: list[int] = []

    def read(self, _proc: str) -> list[Process]:
        """Return what runs."""
        if self.ends_at in self.sent:
            return []
        return [Process(4711, "python3", "python3 train.py", ("/dev/nvidia0",), self.container)]

    def kill(self, _pid: int, number: int) -> None:
        """Take a signal."""
        self.sent.append(number)


def machine(monkeypatch: pytest.MonkeyPatch, ends_at: int, container: str = "") -> Machine:
    """Return a machine whose program ends at a signal."""
    made = Machine(ends_at, container)
    monkeypatch.setattr(gpu_programs, "read_processes", made.read)
    monkeypatch.setattr(os, "kill", made.kill)
    monkeypatch.setattr(gpu_programs, "POLL_SECONDS", 0.0)
    return made


def test_a_program_is_asked_first(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    made = machine(monkeypatch, signal.SIGTERM)
    result = node.run(main, timeout=0)
    assert (result["ended"], made.sent) == (["4711 python3 train.py"], [signal.SIGTERM])


def test_one_that_does_not_listen_is_killed(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    made = machine(monkeypatch, signal.SIGKILL)
    assert node.run(main, timeout=0)["changed"] is True
    assert made.sent == [signal.SIGTERM, signal.SIGKILL]


def test_one_that_comes_back_is_named(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, 0)
    assert "4711 python3 train.py. Stop what starts" in node.run(main, timeout=0)["msg"]


def test_check_mode_ends_nothing(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    made = machine(monkeypatch, signal.SIGTERM)
    assert (node.run(main, check=True)["changed"], made.sent) == (True, [])


@pytest.mark.parametrize(
    ("container", "words"),
    [
        pytest.param(OTHER_NAMESPACE, "in another PID namespace", id="other-namespace"),
        pytest.param("2b0dabcdef01", "in container web", id="container"),
        pytest.param("3c0dabcdef01", "in container 3c0dabcdef01", id="not-the-engines"),
    ],
)
def test_one_in_a_container_is_left_alone_and_named(
    node: Node, monkeypatch: pytest.MonkeyPatch, container: str, words: str
) -> None:
    made = machine(monkeypatch, signal.SIGTERM, container)
    node.answers("timeout 20 docker ps", (0, "2b0dabcdef01 web\n", ""))
    node.answers("docker", (1, "", "unexpected"))
    result = node.run(main, timeout=0)
    assert (result["changed"], result["ended"], made.sent) == (False, [], [])
    assert result["left"] == [f"4711 python3 train.py ({words})"]


def test_a_job_in_rays_own_container_is_ended(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    made = machine(monkeypatch, signal.SIGTERM, "1a0dabcdef01")
    node.answers("docker", (1, "", "unexpected"))
    node.answers("timeout 20 docker ps", (0, "1a0dabcdef01 ray\n2b0dabcdef01 web\n", ""))
    result = node.run(main, timeout=0)
    assert (result["left"], made.sent) == ([], [signal.SIGTERM])
