# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node on which the nvidia role was: driver and toolkit are stand-ins of the lab."""

from __future__ import annotations

import json
from typing import Any

import pytest

FILES = (
    "/usr/bin/sh /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6 "
    "/lib/x86_64-linux-gnu/libdl.so.2 /lib/x86_64-linux-gnu/libm.so.6"
)


@pytest.fixture
def node(nodes: list[Any]) -> Any:
    """The scenario's only node."""
    return nodes[0]


def test_the_driver_sees_both_gpus(node: Any) -> None:
    assert node.check_output("nvidia-smi -L | wc -l") == "2"


def test_a_container_sees_both_gpus_by_their_cdi_names(node: Any) -> None:
    node.check_output(f"tar --create --dereference {FILES} 2>/dev/null | docker import - small")
    argv = "docker run --rm --network none --device nvidia.com/gpu=all small"
    try:
        assert node.check_output(f"{argv} /usr/bin/nvidia-smi -L | wc -l") == "2"
    finally:
        node.check_output("docker rmi --force small")


def test_nouveau_is_gone_for_good(node: Any) -> None:
    assert not node.file("/sys/module/nouveau").exists
    assert "blacklist nouveau" in node.check_output("modprobe --showconfig").splitlines()


def test_an_upgrade_of_everything_leaves_driver_and_toolkit_alone(node: Any) -> None:
    node.check_output("apt-get update")
    upgrade = node.check_output("apt-get --simulate dist-upgrade")
    moved = [line for line in upgrade.splitlines() if line.startswith("Inst") and "nvidia" in line]
    assert moved == []


def test_newer_branches_are_on_offer_and_not_chosen(node: Any) -> None:
    offered = node.check_output("apt-cache madison nvidia-driver-cuda")
    policy = node.check_output("apt-cache policy nvidia-driver-cuda")
    assert "610.43.02" in offered
    assert "Candidate: 580.105.08-1" in policy


def test_the_persistence_daemon_comes_back_after_a_boot(node: Any) -> None:
    assert node.service("nvidia-persistenced").is_enabled
    assert node.service("nvidia-persistenced").is_running


def test_the_engines_settings_have_cdi_and_nothing_else_of_ours(node: Any) -> None:
    assert json.loads(node.file("/etc/docker/daemon.json").content_string) == {
        "features": {"cdi": True}
    }
