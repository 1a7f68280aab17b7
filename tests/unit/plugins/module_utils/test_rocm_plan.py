"""Claims about what the role rocm brings to a node, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.rocm_plan import (
    NodeFacts,
    as_plan,
    kernel_packages,
    prefix_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.rocm_versions import RocmError

ROCM = ["rocm-core", "rocminfo", "rocm-smi-lib", "amd-smi-lib"]
SYSTEMS = {
    "ubuntu-22.04": {"id": "ubuntu", "version_id": "22.04", "family": "Debian"},
    "ubuntu-24.04": {"id": "ubuntu", "version_id": "24.04", "family": "Debian"},
    "debian-12": {"id": "debian", "version_id": "12", "family": "Debian"},
    "debian-13": {"id": "debian", "version_id": "13", "family": "Debian"},
    "el-8.10": {"id": "rocky", "version_id": "8.10", "family": "RedHat"},
    "el-9.6": {"id": "rhel", "version_id": "9.6", "family": "RedHat"},
    "el-10.1": {
        "id": "almalinux",
        "version_id": "10.1",
        "family": "RedHat",
        "name": "AlmaLinux 10.1",
    },
    "suse": {"id": "sles", "version_id": "15.6", "family": "Suse", "name": "SLES 15 SP6"},
}


def inputs(**changes: Any) -> dict[str, Any]:
    """Return the role's inputs with their defaults, as a template hands them over."""
    values = {
        "version": "7.2.1",
        "driver_source": "repository",
        "driver_version": None,
        "system": None,
        "packages": ROCM,
        "package_dir": None,
        "repository_url": "https://repo.radeon.com",
        "secure_boot_enrolled": False,
        "container_engines": ["docker"],
        "toolkit_source": "repository",
        "toolkit_version": None,
        "toolkit_package_dir": None,
        "toolkit_repository_url": None,
    }
    return {**values, **changes}


def facts(system: str = "ubuntu-24.04", **gpu: Any) -> dict[str, Any]:
    """Return what node_probe and gpu_info found: headers there, no driver loaded yet."""
    known = {"kernel": "6.8.0-124-generic", "kernel_headers": True, "secure_boot": False}
    probed = {"os": SYSTEMS[system], "architecture": "x86_64", "kernel": "6.8.0-124-generic"}
    return {"gpu_cluster": probed, "gpu": {**known, **gpu}}


LOADED: dict[str, Any] = {"gpus": [{"vendor": "amd", "kernel_driver": "amdgpu"}]}


def test_a_new_node_gets_driver_and_rocm_first_and_the_toolkit_afterwards() -> None:
    found = as_plan(inputs(), facts())
    assert found["packages"] == [
        "linux-modules-extra-6.8.0-124-generic",
        "linux-headers-generic",
        "amdgpu-dkms",
        *ROCM,
    ]
    assert found["toolkit_packages"] == ["amd-container-toolkit"]
    assert (found["driver_version"], found["rocm_version"]) == ("30.30.1", "7.2.1")
    assert found["prefix"] == "/opt/rocm-7.2.1"
    assert list(found["files"]) == [
        "/etc/apt/sources.list.d/amdgpu.list",
        "/etc/apt/sources.list.d/rocm.list",
        "/etc/apt/sources.list.d/amd-container-toolkit.list",
        "/etc/apt/preferences.d/rocm-pin-600",
    ]


def test_where_the_driver_runs_the_toolkit_comes_at_once() -> None:
    assert as_plan(inputs(), facts(**LOADED))["packages"][-1] == "amd-container-toolkit"


def test_an_integrated_gpu_counts_as_a_driver_that_runs() -> None:
    seen = facts(integrated=[{"driver": "amdgpu"}])
    assert as_plan(inputs(), seen)["packages"][-1] == "amd-container-toolkit"


def test_the_owners_driver_is_left_alone() -> None:
    found = as_plan(inputs(driver_source="existing"), facts(secure_boot=True))
    assert found["packages"] == ROCM
    assert found["driver_version"] is None
    assert "/etc/apt/sources.list.d/amdgpu.list" not in found["files"]


def test_with_everything_the_owners_nothing_comes() -> None:
    asked = inputs(driver_source="existing", packages=[], toolkit_source="existing")
    found = as_plan(asked, facts("suse"))
    assert (found["packages"], found["toolkit_packages"], found["files"]) == ([], [], {})


def test_without_a_container_engine_no_toolkit_comes() -> None:
    found = as_plan(inputs(container_engines=[]), facts("el-10.1", **LOADED))
    assert found["toolkit_packages"] == []
    assert list(found["files"]) == ["/etc/yum.repos.d/amdgpu.repo", "/etc/yum.repos.d/rocm.repo"]


def test_files_instead_of_repositories() -> None:
    asked = inputs(
        package_dir="/srv/amd", toolkit_source="packages", toolkit_package_dir="/srv/toolkit"
    )
    found = as_plan(asked, facts(**LOADED))
    assert found["files"] == {}
    assert found["packages"][-5:] == ["amdgpu-dkms", *ROCM]
    assert found["toolkit_packages"] == ["amd-container-toolkit"]


@pytest.mark.parametrize(
    ("system", "kernel", "headers", "expected"),
    [
        pytest.param(
            "ubuntu-22.04",
            "5.15.0-161-generic",
            False,
            [
                "linux-headers-5.15.0-161-generic",
                "linux-modules-extra-5.15.0-161-generic",
                "linux-headers-generic",
            ],
            id="jammy-first-kernel",
        ),
        pytest.param(
            "ubuntu-22.04",
            "6.8.0-124-generic",
            True,
            ["linux-modules-extra-6.8.0-124-generic", "linux-headers-generic-hwe-22.04"],
            id="jammy-with-the-kernel-of-noble",
        ),
        pytest.param(
            "ubuntu-24.04",
            "6.14.0-32-generic",
            None,
            [
                "linux-headers-6.14.0-32-generic",
                "linux-modules-extra-6.14.0-32-generic",
                "linux-headers-generic-hwe-24.04",
            ],
            id="noble-unknown-headers-are-asked-for",
        ),
        pytest.param(
            "ubuntu-24.04",
            "6.8.0-1030-azure",
            False,
            ["linux-headers-6.8.0-1030-azure", "linux-modules-extra-6.8.0-1030-azure"],
            id="a-clouds-kernel",
        ),
        pytest.param(
            "debian-12",
            "6.1.0-40-amd64",
            False,
            ["linux-headers-6.1.0-40-amd64", "linux-headers-amd64"],
            id="bookworm",
        ),
        pytest.param(
            "debian-13",
            "6.12.57+deb13-cloud-amd64",
            True,
            ["linux-headers-cloud-amd64"],
            id="trixie",
        ),
        pytest.param("debian-13", "6.18.5-mine", True, [], id="a-kernel-of-ones-own"),
        pytest.param(
            "el-8.10",
            "4.18.0-553.el8_10.x86_64",
            False,
            ["kernel-devel-4.18.0-553.el8_10.x86_64"],
            id="el-8",
        ),
        pytest.param(
            "el-9.6",
            "5.14.0-570.el9_6.x86_64",
            False,
            [
                "kernel-devel-5.14.0-570.el9_6.x86_64",
                "kernel-devel-matched-5.14.0-570.el9_6.x86_64",
            ],
            id="el-9",
        ),
        pytest.param("el-10.1", "6.12.0-124.el10_1.x86_64", True, [], id="el-10-headers-there"),
        pytest.param("ubuntu-24.04", "", None, [], id="unknown-kernel"),
    ],
)
def test_kernel_packages_of_each_platform(
    system: str, kernel: str, headers: bool | None, expected: list[str]
) -> None:
    node = NodeFacts(os={}, kernel=kernel, kernel_headers=headers)
    assert kernel_packages(node, system) == expected


@pytest.mark.parametrize(
    ("asked", "seen", "expected"),
    [
        pytest.param(
            {},
            facts(secure_boot=True),
            "Secure Boot is on, and the kernel would refuse the module that amdgpu-dkms builds",
            id="secure-boot",
        ),
        pytest.param(
            {},
            facts(stacks=[{"vendor": "nvidia"}, {"vendor": "amd", "runtime_version": "7.1.1"}]),
            r"ROCm 7\.1\.1 is installed, and rocm_version is 7\.2\.1; parts of two releases do not "
            r"work together\. Nothing was changed; set rocm_version=7\.1\.1 for this node",
            id="another-rocm",
        ),
        pytest.param(
            {"packages": [], "driver_version": "6.4.3"},
            facts(stacks=[{"vendor": "amd", "runtime_version": "7.1.1"}]),
            r"rocm_driver_version is '6\.4\.3', which is not known to work with ROCm 7\.2\.1",
            id="another-rocm-is-fine-where-it-is-left-alone",
        ),
        pytest.param({}, facts("suse"), r"this node has SLES 15 SP6 \(sles-15\.6\)", id="suse"),
        pytest.param(
            {},
            {**facts(), "gpu_cluster": {"os": SYSTEMS["ubuntu-24.04"], "architecture": "aarch64"}},
            r"this node is aarch64, and AMD makes driver and ROCm for x86_64\. Nothing was "
            "changed; set has_gpu=false",
            id="arm",
        ),
        pytest.param(
            {"toolkit_source": "packages"},
            facts(),
            "rocm_toolkit_source=packages, but rocm_toolkit_package_dir is not set",
            id="no-folder",
        ),
        pytest.param({}, facts("el-10.1"), "AMD makes its container toolkit for", id="no-toolkit"),
        pytest.param(
            {"version": "8"}, facts(), "rocm_version is '8', expected one of", id="version"
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    asked: dict[str, Any], seen: dict[str, Any], expected: str
) -> None:
    with pytest.raises(RocmError, match=expected):
        as_plan(inputs(**asked), seen)


def test_an_enrolled_key_makes_secure_boot_no_obstacle() -> None:
    found = as_plan(inputs(secure_boot_enrolled=True), facts(secure_boot=True))
    assert "amdgpu-dkms" in found["packages"]


def test_a_system_may_be_named_by_hand() -> None:
    found = as_plan(inputs(system="el-9.7", container_engines=[]), facts("suse"))
    assert "el/9.7/main" in found["files"]["/etc/yum.repos.d/amdgpu.repo"]


def test_the_same_rocm_in_another_spelling_is_the_same() -> None:
    seen = facts(stacks=[{"vendor": "amd", "runtime_version": "7.2.0"}])
    assert as_plan(inputs(version="7.2"), seen)["prefix"] == "/opt/rocm-7.2.0"


def test_versions_that_yaml_took_for_numbers_are_texts() -> None:
    assert as_plan(inputs(version=7.1, driver_version=30.2), facts())["driver_version"] == "30.20"


def test_facts_that_are_missing_are_not_guessed() -> None:
    assert NodeFacts.from_facts({}) == NodeFacts(os={})


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param("7.2", "/opt/rocm-7.2.0", id="two-numbers"),
        pytest.param("6.4.4", "/opt/rocm-6.4.4", id="three-numbers"),
    ],
)
def test_the_folder_of_a_release_has_three_numbers(version: str, expected: str) -> None:
    assert prefix_of(version) == expected
