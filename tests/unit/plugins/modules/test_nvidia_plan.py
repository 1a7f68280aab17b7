"""Claims about the nvidia_plan module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    Gpu,
    GpuNode,
    Vendor,
)
from ansible_collections.rackforge.gpu_cluster.plugins.modules import nvidia_plan
from ansible_collections.rackforge.gpu_cluster.plugins.modules.nvidia_plan import main

from tests.unit.plugins.modules.conftest import Node

FACTS = GpuNode(gpus=(Gpu(Vendor.NVIDIA, "0000:3b:00.0", device_id="0x2330"),)).to_facts()
URI = "https://developer.download.nvidia.com/compute/cuda/repos/debian13/x86_64/"


@pytest.fixture
def bare(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A Debian node without a driver."""
    monkeypatch.setattr(nvidia_plan, "SOURCES", (str(tmp_path / "*.sources"),))
    monkeypatch.setattr(nvidia_plan, "KEYS", (str(tmp_path / "mok.pub"),))
    node.answers("dpkg-query --show", (0, "bash\t5.2-1\tinstalled\n", ""))
    return node


def arguments(**more: Any) -> dict[str, Any]:
    """Return the module's usual arguments."""
    return {
        "gpu": FACTS,
        "source": "repository",
        "branch": "580",
        "min_version": "530",
        "max_version": "590",
        "packages": {"open": ["nvidia-driver-cuda"], "proprietary": ["nvidia-driver"]},
        "repositories": {"driver": URI, "toolkit": ""},
        **more,
    }


def test_the_plan_of_a_fresh_node_changes_nothing(bare: Node) -> None:
    result = bare.run(main, **arguments())
    assert (result["changed"], result["driver"], result["packages"]) == (
        False,
        "install",
        ["nvidia-driver-cuda"],
    )
    assert (result["known_repositories"], result["going"]) == ([], [])


def test_a_repository_of_the_owners_is_known(bare: Node, tmp_path: Path) -> None:
    (tmp_path / "rackforge-nvidia.sources").write_text(f"URIs: {URI}\n")
    assert bare.run(main, **arguments())["known_repositories"] == []
    (tmp_path / "cuda.sources").write_text(f"# deb {URI} /\n")
    assert bare.run(main, **arguments())["known_repositories"] == []
    (tmp_path / "cuda.sources").write_text(f"deb [signed-by=/k.gpg] {URI.rstrip('/')} /\n")
    assert bare.run(main, **arguments())["known_repositories"] == ["driver"]


def test_a_driver_is_ours_when_one_of_our_files_is_there(bare: Node, tmp_path: Path) -> None:
    listing = "nvidia-driver-cuda\t525.147.05-1\tinstalled\n"
    bare.answers("dpkg-query --show", (0, listing, ""))
    pin = tmp_path / "pin"
    refused = bare.run(main, **arguments(own_files=[str(pin)]))
    assert "Set nvidia_replace_driver=true for this node" in refused["msg"]
    pin.write_text("")
    result = bare.run(main, **arguments(own_files=[str(pin)]))
    assert (result["driver"], result["going"]) == ("install", ["nvidia-driver-cuda"])


def test_the_key_of_this_nodes_modules_is_looked_up(bare: Node, tmp_path: Path) -> None:
    facts = {**FACTS, "secure_boot": True}
    assert "Secure Boot is on" in bare.run(main, **arguments(gpu=facts))["msg"]
    (tmp_path / "mok.pub").write_text("")
    bare.answers("mokutil --test-key", (1, f"{tmp_path}/mok.pub is already enrolled\n", ""))
    assert bare.run(main, **arguments(gpu=facts))["driver"] == "install"


@pytest.mark.parametrize(
    ("runfile", "words"),
    [
        pytest.param("driver.run", "nvidia_runfile is 'driver.run', expected", id="renamed"),
        pytest.param(
            "NVIDIA-Linux-x86_64-610.43.02.run",
            "nvidia_driver_version is 610.43.02, expected 530 to 590",
            id="above-the-range",
        ),
    ],
)
def test_a_runfile_is_judged_by_its_name(bare: Node, runfile: str, words: str) -> None:
    assert words in bare.run(main, **arguments(source="runfile", runfile=runfile))["msg"]


def test_rpm_lists_packages_on_el(node: Node) -> None:
    node.answers("rpm --query --all", (0, "nvidia-driver-cuda\t535.261.03\n", ""))
    result = node.run(main, **arguments())
    assert (result["driver"], result["reason"]) == (
        "owner",
        "the driver 535.261.03 that was here stays",
    )


def test_with_fail_on_never_the_reason_is_a_finding(bare: Node) -> None:
    result = bare.run(main, **arguments(branch="610", fail_on="never", host="n1"))
    assert (result["changed"], result.get("failed"), result["findings"]) == (
        False,
        None,
        [
            {
                "severity": "error",
                "code": "driver-choice-outside-range",
                "host": "n1",
                "message": "nvidia_driver_branch is 610, expected 530 to 590, all of 590 included "
                "(nvidia_driver_min_version, nvidia_driver_max_version).",
                "seen": "",
                "expected": "",
                "fix": "nvidia_driver_branch=580   (or nvidia_driver_max_version=610, if your "
                "software runs with it)",
                "variable": "nvidia_driver_branch",
            }
        ],
    )


def test_a_plan_that_can_be_has_no_finding(bare: Node) -> None:
    result = bare.run(main, **arguments(fail_on="never", host="n1"))
    assert (result["findings"], result["driver"]) == ([], "install")


@pytest.mark.parametrize(
    ("more", "code", "variable"),
    [
        pytest.param(
            {"source": "existing"}, "driver-missing", "install_nvidia_driver", id="existing"
        ),
        pytest.param(
            {"min_version": "600"}, "range-invalid", "nvidia_driver_min_version", id="turned-range"
        ),
        pytest.param({"branch": "x"}, "value-invalid", "nvidia_driver_branch", id="no-branch"),
        pytest.param({"version": "x"}, "value-invalid", "nvidia_driver_version", id="no-version"),
        pytest.param(
            {"packages": {}}, "driver-packages-unknown", "nvidia_driver_source", id="no-packages"
        ),
        pytest.param(
            {"gpu": {**FACTS, "secure_boot": True}}, "secure-boot-unsigned", "", id="secure-boot"
        ),
        pytest.param(
            {"source": "runfile", "runfile": "x.run"}, "value-invalid", "nvidia_runfile", id="run"
        ),
        pytest.param(
            {
                "gpu": GpuNode(
                    gpus=(Gpu(Vendor.NVIDIA, "0000:3b:00.0", device_id="0x1db5"),)
                ).to_facts(),
                "branch": "590",
            },
            "driver-branch-unfit",
            "nvidia_driver_branch",
            id="gpu-too-old",
        ),
        pytest.param(
            {
                "gpu": GpuNode(
                    gpus=(Gpu(Vendor.NVIDIA, "0000:3b:00.0", device_id="0x1db5"),)
                ).to_facts(),
                "kernel_module": "open",
            },
            "kernel-module-unfit",
            "nvidia_kernel_module",
            id="open-module-for-volta",
        ),
    ],
)
def test_each_reason_has_its_code_its_input_and_a_line_to_type(
    bare: Node, more: dict[str, Any], code: str, variable: str
) -> None:
    (found,) = bare.run(main, **arguments(fail_on="never", host="n1", **more))["findings"]
    assert (found["code"], found["variable"]) == (code, variable)
    assert found["fix"]
    assert "Nothing was changed" not in found["message"]


def test_packages_of_the_owners_that_stand_in_the_way_are_a_finding(bare: Node) -> None:
    listing = "nvidia-driver-cuda\t525.147.05-1\tinstalled\n"
    bare.answers("dpkg-query --show", (0, listing, ""))
    (found,) = bare.run(main, **arguments(fail_on="never", host="n1"))["findings"]
    assert (found["code"], found["variable"]) == ("driver-not-ours", "nvidia_replace_driver")
    assert "take away or change nvidia-driver-cuda" in found["message"]
