"""The module that loads GPUs, with the driver and the processes in the hands of the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_burn import Load, Target
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverGpu,
    DriverView,
    Gpu,
    GpuNode,
    Stack,
    Vendor,
)
from ansible_collections.rackforge.gpu_cluster.plugins.modules import gpu_burn

from tests.unit.plugins.modules.conftest import Node

GPU = Gpu(Vendor.NVIDIA, "0000:3b:00.0", index=0, uuid="GPU-a", model="NVIDIA A10")
XID = "[  9.1] NVRM: Xid (PCI:0000:3b:00): 79, pid=1, GPU has fallen off the bus."
GOOD = Load(passes=3, operations=6_000_000_000_000, seconds=2.0, memory_mib=100)


@pytest.fixture
def burns(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say what the node has, what its kernel logs meanwhile and how the load ends."""

    def prepare(node: GpuNode, load: Load = GOOD, log: Sequence[str] = ()) -> None:
        later = replace(node, kernel_log=(*node.kernel_log, *log))
        states = iter([node, later])
        monkeypatch.setattr(gpu_burn, "read_gpu_node", lambda _command: next(states))
        view = DriverView("nvml", (DriverGpu(0, temperature_c=60),))
        monkeypatch.setattr(gpu_burn, "ASK", {Vendor.NVIDIA: lambda _command, _limit: [view]})

        def run_all(targets: Sequence[Target], *_rest: object) -> dict[Target, Load]:
            return dict.fromkeys(targets, load)

        monkeypatch.setattr(gpu_burn, "run_all", run_all)

    return prepare


def test_a_good_gpu_passes_with_its_report(node: Node, burns: Callable[..., None]) -> None:
    burns(GpuNode(gpus=(GPU,)))
    result = node.run(gpu_burn.main, seconds=2)
    assert not result["failed"]
    assert result["left_out"] == []
    assert [(each["gpu"], each["passed"], each["teraflops"]) for each in result["reports"]] == [
        ("0", True, 3.0)
    ]
    assert "1 of 1 GPUs passed" in result["text"]


def test_an_xid_that_came_meanwhile_fails_that_gpu(node: Node, burns: Callable[..., None]) -> None:
    burns(GpuNode(gpus=(GPU,)), log=[XID])
    result = node.run(gpu_burn.main, seconds=2)
    assert result["failed"]
    assert result["reports"][0]["problems"] == ["Xid 79 in the kernel's log"]


def test_an_old_xid_does_not_count(node: Node, burns: Callable[..., None]) -> None:
    burns(GpuNode(gpus=(GPU,), kernel_log=(XID,)))
    assert not node.run(gpu_burn.main, seconds=2)["failed"]


def test_a_gpu_that_cannot_be_loaded_fails_the_test(node: Node, burns: Callable[..., None]) -> None:
    unseen = Gpu(Vendor.NVIDIA, "0000:5e:00.0")
    burns(GpuNode(gpus=(GPU, unseen)))
    result = node.run(gpu_burn.main, seconds=2)
    assert result["failed"]
    assert result["left_out"] == ["0000:5e:00.0: its driver does not list it"]


def test_without_a_gpu_the_driver_s_reason_is_told(node: Node, burns: Callable[..., None]) -> None:
    silent = Stack(Vendor.NVIDIA, error="nvml: driver not loaded (9)")
    burns(GpuNode(gpus=(replace(GPU, index=None),), stacks=(silent,)))
    result = node.run(gpu_burn.main)
    assert result["msg"] == (
        "No GPU can be loaded: nvml: driver not loaded (9); 0000:3b:00.0: its driver does not list"
        " it. What is wrong, and what to do, says provision.yml's GPU check (module"
        " gpu_driver_check)"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(
            {"memory_fraction": 1.2},
            "memory_fraction: saw 1.2, expected above 0 and at most 0.95",
            id="fraction",
        ),
        pytest.param({"seconds": 0}, "seconds: saw 0, expected 1 or more", id="seconds"),
    ],
)
def test_what_cannot_be_is_refused(node: Node, arguments: dict[str, Any], words: str) -> None:
    assert node.run(gpu_burn.main, **arguments)["msg"] == words


def test_check_mode_loads_nothing(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_burn, "read_gpu_node", None)
    assert node.run(gpu_burn.main, check=True)["skipped"]
