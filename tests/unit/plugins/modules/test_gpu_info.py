"""Claims about the gpu_info module."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    Gpu,
    GpuNode,
    Vendor,
)
from ansible_collections.rackforge.gpu_cluster.plugins.modules import gpu_info
from ansible_collections.rackforge.gpu_cluster.plugins.modules.gpu_info import main

from tests.unit.plugins.modules.conftest import Node

FOUND = GpuNode(
    gpus=(
        Gpu(Vendor.NVIDIA, "0000:3b:00.0", index=0, model="Quadro RTX 6000"),
        Gpu(Vendor.NVIDIA, "0000:5e:00.0"),
    ),
    nouveau_loaded=False,
)


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """The limits with which the node was read; it has two GPUs."""
    seen: list[float | None] = []

    def read(_command: object, timeout: float | None) -> GpuNode:
        seen.append(timeout)
        return FOUND

    monkeypatch.setattr(gpu_info, "read_gpu_node", read)
    return seen


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_facts_carry_the_node_and_nothing_changes(
    node: Node, limits: list[float | None], check: bool
) -> None:
    result: dict[str, Any] = node.run(main, check=check)
    facts = result["ansible_facts"]["gpu"]
    assert (result["changed"], result["count"], facts["usable_count"]) == (False, 2, 1)
    assert facts["models"] == ["Quadro RTX 6000"]
    assert [gpu["index"] for gpu in result["gpus"]] == [0, None]
    assert limits == [None]


def test_limit_is_handed_on(node: Node, limits: list[float | None]) -> None:
    node.run(main, timeout=120)
    assert limits == [120.0]


@pytest.mark.parametrize(
    ("timeout", "shown"),
    [pytest.param(0, "0", id="none"), pytest.param(-1.5, "-1.5", id="negative")],
)
def test_limit_must_be_more_than_nothing(node: Node, timeout: float, shown: str) -> None:
    result = node.run(main, timeout=timeout)
    assert result["failed"]
    assert result["msg"] == f"timeout is {shown}: give the seconds to wait, more than 0"
