# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection says of a machine that was switched on with other parts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.gpu.machine import gpu_settings, model_called
from tests.testinfra.gpu_faults import DRIVER, NEWER, PROVISION, GpuNode, finding

BAR1 = finding(
    "error",
    "bar1-zero",
    "The BIOS gave memory region BAR1 of 1 GPU of 2 no address space, so the driver cannot use it: "
    "0000:43:00.0.",
    "NVRM: This PCI I/O region assigned to your NVIDIA device is invalid: / NVRM: BAR1 is 0M @ 0x0 "
    "(PCI:0000:43:00.0)",
    "BAR1 with an address; let the kernel assign it anew, and switch 'Above 4G Decoding' on in the "
    "BIOS",
    "os_base_kernel_arguments=\"['pci=realloc']\"   (in the inventory; then "
    f"{PROVISION}, which boots the node)",
    "os_base_kernel_arguments",
)


NEEDS = (
    "This node has 4 NVSwitches: until the fabric manager runs, programs fail with 'system not yet "
    "initialized'."
)


@pytest.fixture(scope="module")
def switches(node: GpuNode) -> GpuNode:
    """A machine with NVSwitches, whose BIOS had no room for the second GPU's window."""
    node.power_cycle({"nvswitches": "4", "gpu.1.bar1_mib": "0"})
    return node


def test_no_room_for_a_window_and_no_fabric_manager(switches: GpuNode) -> None:
    judged = switches.judge(container="docker")
    assert judged.gpu["container"] == {"gpus": 1, "error": None}
    assert judged.findings == [
        BAR1,
        finding(
            "error",
            "fabric-manager-missing",
            f"{NEEDS} It is not installed.",
            "no package nvidia-fabricmanager",
            "nvidia-fabricmanager 580.105.08",
            f"{PROVISION} -e nvidia_fabric_manager=present",
            "nvidia_fabric_manager",
        ),
    ]


def test_fabric_manager_of_another_version(switches: GpuNode) -> None:
    with switches.added(f"{NEWER}-1", "nvidia-fabricmanager"):
        assert switches.judge().findings == [
            BAR1,
            finding(
                "error",
                "fabric-manager-mismatch",
                f"{NEEDS} It starts only with a driver of exactly its own version.",
                "fabric manager 590.48.01, driver 580.105.08",
                "fabric manager 580.105.08",
                f"{PROVISION} -e nvidia_driver_version=580.105.08",
                "nvidia_driver_version",
            ),
        ]


def test_fabric_manager_that_does_not_run(switches: GpuNode) -> None:
    with switches.added(f"{DRIVER}-1", "nvidia-fabricmanager"):
        stopped = switches.judge().findings
        switches.run("systemctl start nvidia-fabricmanager.service")
        running = switches.judge().findings
    assert running == [BAR1]
    assert stopped == [
        BAR1,
        finding(
            "error",
            "fabric-manager-stopped",
            f"{NEEDS} It does not run.",
            "nvidia-fabricmanager.service is not active",
            "active",
            "systemctl enable --now nvidia-fabricmanager.service; journalctl -u "
            "nvidia-fabricmanager -n 20   (on the node)",
        ),
    ]


@pytest.fixture
def secured(node: GpuNode) -> Iterator[GpuNode]:
    """A machine with Secure Boot, on which the module was built without a signature."""
    build = f"dkms install -m nvidia -v {DRIVER}"
    node.set({"kernel.unsigned": "yes"})
    node.run(build)
    node.power_cycle({"secure_boot": "on"})
    yield node
    node.run(build)


def test_module_that_secure_boot_refuses(secured: GpuNode) -> None:
    assert secured.judge(container="docker").findings == [
        finding(
            "error",
            "secure-boot-unsigned",
            "Secure Boot is on, and the driver's kernel module is not signed with a key that the "
            "firmware knows: the kernel does not load it.",
            "Secure Boot on, module without a signature",
            "a module signed with an enrolled key, or Secure Boot off",
            "mokutil --import /var/lib/dkms/mok.pub   (on the node; then boot it and confirm the "
            "key at its console, or switch Secure Boot off in the BIOS)",
        )
    ]


def test_no_gpu_on_the_bus(node: GpuNode) -> None:
    node.power_cycle({"gpu.0.fault": "absent", "gpu.1.fault": "absent"})
    assert node.judge(container="docker").findings == [
        finding(
            "error",
            "no-gpu",
            "The inventory says has_gpu=true, and the node's PCI bus has no GPU of NVIDIA or AMD.",
            "no display controller or accelerator of vendor 10de or 1002",
            "at least one GPU",
            "lspci -Dnn | grep -E '\\[(10de|1002):'   (on the node; if it has none: has_gpu=false "
            "in the inventory)",
            "has_gpu",
        )
    ]


def test_sixteen_gpus_all_reach_a_container(node: GpuNode) -> None:
    more = [gpu_settings(node.name, number, model_called("h100")) for number in range(2, 16)]
    node.power_cycle({key: value for each in more for key, value in each.items()})
    judged = node.judge(container="docker")
    assert judged.gpu["container"] == {"gpus": 16, "error": None}
    assert (judged.gpu["count"], judged.gpu["usable_count"]) == (16, 16)
    assert judged.findings == []


def test_nothing_is_said_of_the_mended_node(node: GpuNode) -> None:
    node.mend()
    judged = node.judge(container="docker")
    assert judged.gpu["container"] == {"gpus": 2, "error": None}
    assert judged.findings == []
