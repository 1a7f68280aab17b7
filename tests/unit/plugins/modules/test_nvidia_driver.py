"""Claims about bringing an installed NVIDIA driver to run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_driver import (
    Module,
    Move,
    missing_module,
    move_for,
    refused_load,
)
from ansible_collections.rackforge.gpu_cluster.plugins.modules import nvidia_driver
from ansible_collections.rackforge.gpu_cluster.plugins.modules.nvidia_driver import main

from tests.unit.plugins.modules.conftest import Node

OK = (0, "", "")
ACTIVE = (0, "ActiveState=active\nSubState=running\nUnitFileState=enabled\n", "")
STOPPED = (0, "ActiveState=inactive\nSubState=dead\nUnitFileState=disabled\n", "")
MISSING = (0, "ActiveState=inactive\nSubState=dead\nUnitFileState=\n", "")
NO_MODULE = (1, "", "modinfo: ERROR: Module nvidia not found.\n")


@pytest.mark.parametrize(
    ("module", "move", "why"),
    [
        pytest.param(Module("6.12", "580.95.05", "580.95.05"), Move.NOTHING, "", id="runs"),
        pytest.param(
            Module("6.12", None, "580.95.05", nouveau=True),
            Move.BOOT,
            "nouveau holds the GPUs until the next boot",
            id="nouveau",
        ),
        pytest.param(
            Module("6.12", None, "580.95.05"),
            Move.LOAD,
            "driver 580.95.05 is installed and not loaded",
            id="not-loaded",
        ),
        pytest.param(
            Module("6.12", "575.57.08", "580.95.05"),
            Move.RELOAD,
            "driver 575.57.08 is loaded and 580.95.05 is installed",
            id="older-one-loaded",
        ),
        pytest.param(
            Module("6.12", None, None, other_kernels=("6.14",)),
            Move.BOOT,
            "the driver is built for kernel 6.14, and 6.12 runs",
            id="newer-kernel-waits",
        ),
        pytest.param(Module("6.12", "580.95.05", None), Move.NOTHING, "", id="file-is-gone"),
    ],
)
def test_a_boot_is_asked_for_only_where_nothing_else_helps(
    module: Module, move: Move, why: str
) -> None:
    assert move_for(module) == (move, why)


def test_a_module_that_was_not_built_is_told() -> None:
    assert missing_module(Module("6.12")) == (
        "the driver's packages are here, but no kernel module was built for 6.12; 'dkms status' "
        "and 'cat /var/lib/dkms/nvidia/*/build/make.log' on this node tell why (mostly the headers "
        "of 6.12 are missing), and 'dkms autoinstall' tries again"
    )
    assert missing_module(Module("6.12", on_disk="580.95.05")) == ""


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param(
            "modprobe: ERROR: could not insert 'nvidia': Key was rejected by service",
            "Secure Boot is on",
            id="secure-boot",
        ),
        pytest.param(
            "could not insert 'nvidia': No such device", "finds no GPU that it drives", id="no-gpu"
        ),
        pytest.param("Exec format error", "not built for kernel 6.12", id="other-kernel"),
        pytest.param("?", "'dmesg | grep -i -e nvrm -e nvidia'", id="anything-else"),
    ],
)
def test_a_module_that_is_not_taken_is_explained(said: str, words: str) -> None:
    assert words in refused_load(said, "6.12")


@pytest.fixture
def gpu_node(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A node with the driver 580.95.05 on its disk and nothing loaded."""
    monkeypatch.setattr(nvidia_driver, "LOADED", str(tmp_path / "version"))
    monkeypatch.setattr(nvidia_driver, "NOUVEAU", str(tmp_path / "nouveau"))
    monkeypatch.setattr(nvidia_driver, "KERNELS", str(tmp_path / "modules"))
    node.answers("modinfo", (0, "580.95.05\n", ""))
    node.answers("modprobe", OK)
    node.answers("systemctl", OK)
    node.answers("systemctl show nvidia-persistenced", STOPPED)
    return node


def load(folder: Path, version: Optional[str]) -> None:
    """Have a version of the module loaded."""
    (folder / "version").write_text(f"{version}\n")


def test_the_driver_is_loaded_and_kept_initialised(gpu_node: Node) -> None:
    result = gpu_node.run(main)
    assert (result["changed"], result["reboot_required"]) == (True, False)
    assert result["done"] == [
        "load nvidia",
        "enable nvidia-persistenced.service",
        "start nvidia-persistenced.service",
    ]
    assert "modprobe nvidia_uvm" in gpu_node.calls


def test_a_driver_that_runs_is_left_alone(gpu_node: Node, tmp_path: Path) -> None:
    load(tmp_path, "580.95.05")
    gpu_node.answers("systemctl show nvidia-persistenced", ACTIVE)
    result = gpu_node.run(main)
    assert (result["changed"], result["version"]) == (False, "580.95.05")
    assert not [call for call in gpu_node.calls if call.startswith("modprobe")]


def test_nouveau_is_left_to_a_boot_and_the_daemon_to_it_too(gpu_node: Node, tmp_path: Path) -> None:
    os.mkdir(tmp_path / "nouveau")
    result = gpu_node.run(main)
    assert (result["reboot_required"], result["reboot_reasons"]) == (
        True,
        ["nouveau holds the GPUs until the next boot"],
    )
    assert result["done"] == ["enable nvidia-persistenced.service"]


def test_an_older_module_in_use_is_left_to_a_boot(gpu_node: Node, tmp_path: Path) -> None:
    load(tmp_path, "575.57.08")
    busy = (1, "", "modprobe: FATAL: Module nvidia is in use.\n")
    gpu_node.answers("modprobe --remove", busy)
    result = gpu_node.run(main)
    assert result["reboot_reasons"] == [
        "driver 575.57.08 is loaded and 580.95.05 is installed, and the older one is in use"
    ]


def test_the_fabric_manager_runs_where_it_is_asked_for(gpu_node: Node) -> None:
    gpu_node.answers("systemctl show nvidia-fabricmanager", STOPPED)
    result = gpu_node.run(main, fabric_manager=True)
    assert "start nvidia-fabricmanager.service" in result["done"]


def test_a_driver_without_the_daemon_is_told_by_nvidia_smi(gpu_node: Node, tmp_path: Path) -> None:
    load(tmp_path, "580.95.05")
    gpu_node.answers("systemctl show nvidia-persistenced", MISSING)
    gpu_node.answers("nvidia-smi --query-gpu=persistence_mode", (0, "Disabled\nEnabled\n", ""))
    gpu_node.answers("nvidia-smi -pm 1", OK)
    assert gpu_node.run(main)["done"] == ["nvidia-smi -pm 1"]


def test_check_mode_on_a_fresh_node_predicts(gpu_node: Node) -> None:
    gpu_node.answers("modinfo", NO_MODULE)
    gpu_node.answers("systemctl show nvidia-persistenced", MISSING)
    result = gpu_node.run(main, check=True, driver_may_come=True)
    assert (result["changed"], result["reboot_required"]) == (True, False)
    assert result["done"][0] == "load nvidia"
    assert not [call for call in gpu_node.calls if call.startswith(("modprobe", "systemctl st"))]


def test_check_mode_foresees_the_boot_that_nouveau_makes_needed(
    gpu_node: Node, tmp_path: Path
) -> None:
    os.mkdir(tmp_path / "nouveau")
    gpu_node.answers("modinfo", NO_MODULE)
    result = gpu_node.run(main, check=True, driver_may_come=True)
    assert result["reboot_reasons"] == ["nouveau holds the GPUs until the next boot"]


def test_a_missing_module_is_an_error_and_no_boot(gpu_node: Node) -> None:
    gpu_node.answers("modinfo", NO_MODULE)
    assert "no kernel module was built for" in gpu_node.run(main)["msg"]


def test_a_module_for_a_kernel_that_waits_asks_for_the_boot(gpu_node: Node, tmp_path: Path) -> None:
    gpu_node.answers("modinfo", NO_MODULE)
    folder = tmp_path / "modules" / "9.9.9-later" / "updates" / "dkms"
    folder.mkdir(parents=True)
    (folder / "nvidia.ko.xz").write_text("")
    reasons = gpu_node.run(main)["reboot_reasons"]
    assert reasons == [f"the driver is built for kernel 9.9.9-later, and {os.uname().release} runs"]


def test_a_refused_module_is_an_error_in_words(gpu_node: Node) -> None:
    said = "modprobe: ERROR: could not insert 'nvidia': Key was rejected by service\n"
    gpu_node.answers("modprobe nvidia", (1, "", said))
    result = gpu_node.run(main)
    assert result["failed"] is True
    assert "Secure Boot is on and the module's key is not enrolled" in result["msg"]
