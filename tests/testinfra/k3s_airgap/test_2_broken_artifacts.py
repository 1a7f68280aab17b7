# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with artifacts is found on the control node, before any node is touched."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.lab import k3s
from tests.testinfra.playbooks import provision

BINARY, IMAGES = "k3s", "k3s-airgap-images-amd64.tar.gz"
FAILED = re.compile(r"^(?:fatal|failed): \[", re.MULTILINE)


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    folder = tmp_path / "artifacts"
    shutil.copytree(k3s.release(), folder)
    return folder


def state(nodes: list[Any]) -> list[str]:
    """Return what would show that a node was touched: the service's process and k3s' files."""
    script = (
        "systemctl show --property=MainPID k3s k3s-agent; "
        "find /etc/rancher /usr/local/bin /etc/systemd/system -type f -printf '%p %T@\\n' | sort"
    )
    return [node.check_output(script) for node in nodes]


@pytest.mark.parametrize("name", [BINARY, IMAGES], ids=["binary", "images"])
def test_one_flipped_byte_is_found_before_any_node_is_touched(
    inventory: Path, nodes: list[Any], artifacts: Path, name: str
) -> None:
    before = state(nodes)
    path = artifacts / name
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(bytes(raw))
    code, said = provision(inventory, k3s_artifact_dir=str(artifacts))
    assert code != 0
    assert len(FAILED.findall(said)) == 1
    assert str(path) in said or name in said
    assert state(nodes) == before


@pytest.mark.parametrize(
    ("name", "told"),
    [
        pytest.param(BINARY, "no k3s", id="binary"),
        # Of the forms that an archive has, the smallest is the one to fetch.
        pytest.param(IMAGES, "no k3s-airgap-images-amd64.tar.zst", id="images"),
    ],
)
def test_a_missing_artifact_is_listed_before_any_node_is_touched(
    inventory: Path, nodes: list[Any], artifacts: Path, name: str, told: str
) -> None:
    before = state(nodes)
    (artifacts / name).unlink()
    code, said = provision(inventory, k3s_artifact_dir=str(artifacts))
    assert code != 0
    assert len(FAILED.findall(said)) == 1
    assert told in said
    assert "k3s_download.yml" in said
    assert state(nodes) == before


def test_artifacts_of_another_version_are_named_as_such(inventory: Path, nodes: list[Any]) -> None:
    before = state(nodes)
    newer = "v1.34.1+k3s1"
    sums = {**k3s.inputs()["k3s_checksums"], **k3s.inputs(newer)["k3s_checksums"]}
    code, said = provision(inventory, k3s_artifact_dir=str(k3s.release(newer)), k3s_checksums=sums)
    assert code != 0
    assert newer in said
    assert state(nodes) == before


def test_a_full_disk_is_one_clear_error_and_leaves_the_service_running(
    inventory: Path, nodes: list[Any]
) -> None:
    agent = nodes[1]
    running = agent.check_output("systemctl show --property=MainPID k3s-agent")
    images = "/var/lib/rancher/k3s/agent/images"
    agent.check_output(f"mount -t tmpfs -o size=4k tmpfs {images}")
    try:
        code, said = provision(inventory)
        assert code != 0
        assert re.search(r"[Nn]o space left|free", said)
        assert "mol-k3s-airgap-n2" in said
        assert "Traceback" not in said
    finally:
        agent.check_output(f"umount {images}")
    assert agent.check_output("systemctl show --property=MainPID k3s-agent") == running
