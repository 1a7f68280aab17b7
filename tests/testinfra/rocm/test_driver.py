# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
import testinfra

SMALLEST = "/usr/bin/ls /lib64/ld-linux-x86-64.so.2"


@pytest.fixture
def node(request: pytest.FixtureRequest) -> Any:
    """The scenario's node."""
    inventory = request.config.getoption("--ansible-inventory")
    return testinfra.get_host("ansible://mol-rocm-n1", ansible_inventory=inventory)


def test_the_installed_driver_runs(node: Any) -> None:
    assert node.check_output("cat /sys/module/amdgpu/version") == "6.16.13"


def test_rocm_is_the_one_that_was_asked_for(node: Any) -> None:
    assert node.check_output("cut -d - -f 1 /opt/rocm/.info/version") == "7.2.1"


def test_packages_come_from_the_vendor_although_the_distribution_has_some(node: Any) -> None:
    shown = node.check_output("apt-cache policy rocminfo")
    assert "/rocm/apt/7.2.1 " in shown.split("***")[1].split("100 ")[0]


def test_a_container_gets_every_gpu_by_the_runtime(node: Any) -> None:
    libraries = "$(ldd /usr/bin/ls | grep -o '/lib/[^ ]*')"
    packed = f"tar --create --dereference {SMALLEST} {libraries} 2>/dev/null"
    node.check_output(f"{packed} | docker import - lists")
    argv = "docker run --rm --runtime=amd --env AMD_VISIBLE_DEVICES=all lists /usr/bin/ls /dev/dri"
    assert [name for name in node.check_output(argv).split() if name.startswith("render")] == [
        "renderD128",
        "renderD129",
    ]
    node.check_output("docker rmi lists")


def test_the_user_may_use_the_gpus(node: Any) -> None:
    assert {"render", "video"} <= set(node.user("ada").groups)
    assert node.file("/dev/kfd").group == "render"


def test_the_engine_was_told_without_a_restart(node: Any) -> None:
    assert "Reloaded docker.service" in node.check_output("journalctl --unit docker --output cat")
