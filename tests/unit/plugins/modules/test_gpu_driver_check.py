"""Claims about the gpu_driver_check module."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    GpuNode,
    from_plain,
)
from ansible_collections.rackforge.gpu_cluster.plugins.modules import gpu_driver_check
from ansible_collections.rackforge.gpu_cluster.plugins.modules.gpu_driver_check import main

from tests.unit.plugins.modules.conftest import Node

NODES = Path(__file__).parents[4] / "tests" / "fixtures" / "gpu" / "nodes"
RUN = "timeout --kill-after=5 120 docker run"


def facts(name: str) -> dict[str, Any]:
    """Return ansible_facts.gpu of a node of the fixtures, which no container was asked on."""
    values = json.loads((NODES / name / "node.json").read_text())
    return from_plain(GpuNode, {**values, "container": None}).to_facts()


def docker(node: Node, answer: tuple[int, str, str]) -> None:
    """Have Docker Engine answer, and nvidia-smi need no library."""
    node.answers("docker", (0, "", ""))
    node.answers("nvidia-smi", (0, "", ""))
    node.answers("timeout", (0, "", ""))
    node.answers(RUN, answer)


def test_a_healthy_node_passes_without_a_program(node: Node) -> None:
    result = node.run(main, gpu=facts("h100-hgx-8"), host="gpu01")
    assert (result["changed"], result["findings"], result["report"]) == (False, [], "")
    assert result["summary"] == "gpu01: 8 GPUs, no problem found"
    assert result["ansible_facts"]["gpu"] == facts("h100-hgx-8")
    assert node.calls == []


def test_an_error_fails_with_a_report_that_a_terminal_can_show(node: Node) -> None:
    result = node.run(main, gpu=facts("library-mismatch"), host="gpu01")
    assert result["failed"] is True
    assert result["msg"] == (
        "gpu01: 2 GPUs, 1 error. Nothing was changed.\n"
        "\n"
        "SEVERITY  HOST   FINDING\n"
        "ERROR     gpu01  library-mismatch\n"
        "          The kernel runs another version of NVIDIA's driver than the one whose library "
        "is\n"
        "          installed. The driver was changed without a boot, and every program that asks "
        "it fails.\n"
        "          Ray would report 0 GPUs on this node and give no reason.\n"
        "          seen:     module 580.95.05, library 580.105.08, package 580.105.08\n"
        "          expected: one version\n"
        "          fix:      ansible -i inv.ini gpu01 --become -m ansible.builtin.reboot"
    )
    assert [each["code"] for each in result["findings"]] == ["library-mismatch"]
    assert "ansible_facts" not in result


@pytest.mark.parametrize(
    ("name", "fail_on", "fails"),
    [
        pytest.param("library-mismatch", "error", True, id="an-error"),
        pytest.param("library-mismatch", "warning", True, id="an-error-is-worse-than-a-warning"),
        pytest.param("library-mismatch", "never", False, id="never"),
        pytest.param("link-narrow", "error", False, id="only-a-warning"),
        pytest.param("link-narrow", "warning", True, id="a-warning"),
        pytest.param("slot-limits", "warning", False, id="a-note-never-fails"),
    ],
)
def test_the_border_decides_whether_it_fails(
    node: Node, name: str, fail_on: str, fails: bool
) -> None:
    result = node.run(main, gpu=facts(name), fail_on=fail_on)
    assert result.get("failed", False) is fails
    assert len(result["findings"]) == 1


def test_a_container_that_sees_all_is_recorded(node: Node) -> None:
    docker(node, (0, "GPU 0: a\nGPU 1: b\n", ""))
    result = node.run(main, gpu=facts("a100-two"), container="docker")
    assert result["findings"] == []
    assert result["ansible_facts"]["gpu"]["container"] == {"gpus": 2, "error": None}
    assert [call for call in node.calls if "docker run" in call] == [
        "timeout --kill-after=5 120 docker run --rm --name rackforge-gpu-check --network none"
        " --pull never --device nvidia.com/gpu=all --entrypoint nvidia-smi"
        " rackforge-gpu-check:local -L"
    ]


def test_a_container_that_sees_fewer_is_an_error(node: Node) -> None:
    docker(node, (0, "GPU 0: a\n", ""))
    result = node.run(main, gpu=facts("a100-two"), host="gpu01", container="docker")
    assert result["failed"] is True
    (finding,) = result["findings"]
    assert finding["message"] == (
        "A container that asks for every GPU sees 1, and the driver lists 2 "
        "(0000:31:00.0 and 0000:4b:00.0)."
    )


def test_a_container_on_an_amd_node_asks_with_amd_s_runtime(node: Node) -> None:
    docker(node, (125, "", "docker: Error response from daemon: Unknown runtime specified amd\n"))
    node.answers("ls", (0, "", ""))
    result = node.run(
        main, gpu=facts("mi300x-8"), container="docker", container_image="tools:1", fail_on="never"
    )
    (finding,) = result["findings"]
    assert finding["code"] == "container-failed"
    assert finding["seen"] == "docker: Error response from daemon: Unknown runtime specified amd"
    (run,) = [call for call in node.calls if "docker run" in call]
    assert "--runtime=amd --env AMD_VISIBLE_DEVICES=all --entrypoint ls tools:1" in run


@pytest.mark.parametrize(
    ("name", "check", "driver"),
    [
        pytest.param("driver-missing", False, "required", id="no-driver"),
        pytest.param("driver-hangs", False, "required", id="no-answer"),
        pytest.param("a100-two", True, "required", id="check-mode"),
        pytest.param("a100-two", False, "optional", id="hardware-only"),
    ],
)
def test_no_container_runs_where_it_could_not_tell_anything(
    node: Node, name: str, check: bool, driver: str
) -> None:
    result = node.run(
        main, check=check, gpu=facts(name), container="docker", driver=driver, fail_on="never"
    )
    assert node.calls == []
    assert result["ansible_facts"]["gpu"]["container"] is None


@pytest.mark.parametrize("bound", ["", None], ids=["empty", "null"])
def test_a_bound_that_is_not_set_bounds_nothing(node: Node, bound: str | None) -> None:
    result = node.run(main, gpu=facts("driver-591.44"), max_version=bound)
    assert result["findings"] == []


def test_without_facts_the_node_is_read(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = from_plain(GpuNode, facts("no-gpu"))
    monkeypatch.setattr(gpu_driver_check, "read_gpu_node", lambda _command: seen)
    result = node.run(main, host="gpu01", fail_on="never")
    assert result["summary"] == "gpu01: 0 GPUs, 1 error"
    assert node.run(main, expect_gpus=False)["findings"] == []


@pytest.mark.parametrize(
    "gpu",
    [
        pytest.param({"gpus": [{"vendor": "intel", "pci_address": "x"}]}, id="another-vendor"),
        pytest.param({"gpus": [{"vendor": "nvidia"}]}, id="no-address"),
        pytest.param({"gpus": ["text"]}, id="text"),
        pytest.param({"gpus": 3}, id="number"),
    ],
)
def test_facts_that_are_none_are_refused_without_a_traceback(
    node: Node, gpu: dict[str, Any]
) -> None:
    result = node.run(main, gpu=gpu)
    assert result["failed"] is True
    assert result["msg"].startswith(
        "The option gpu is not what gpu_info returns as ansible_facts.gpu: "
    )
    assert "Leave it out to have the node read" in result["msg"]


def test_a_command_names_what_the_node_joins(node: Node) -> None:
    result = node.run(
        main, gpu=facts("held-by-nouveau"), host="gpu01", leads=["k3s_server"], fail_on="never"
    )
    (finding,) = result["findings"]
    assert "--limit k3s_server,gpu01 " in finding["fix"]
