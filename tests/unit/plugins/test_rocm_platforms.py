"""Claims about what the rocm role would bring to each platform, read from its own variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.rackforge.gpu_cluster.plugins.filter.rocm_plan import rocm_plan

ROLE = Path(__file__).parents[3] / "roles" / "rocm"
ROCM = ["rocm-core", "rocminfo", "rocm-smi-lib", "amd-smi-lib"]
KERNELS = {
    "debian-12": "6.1.0-40-amd64",
    "debian-13": "6.12.57+deb13-amd64",
    "ubuntu-22.04": "5.15.0-161-generic",
    "ubuntu-24.04": "6.8.0-124-generic",
    "rocky-8.10": "4.18.0-553.el8_10.x86_64",
    "rhel-9.6": "5.14.0-570.el9_6.x86_64",
    "almalinux-10.1": "6.12.0-124.el10_1.x86_64",
}


def value(system: str, name: str, **inputs: Any) -> Any:
    """Return a variable of the role on a new node with the system, with some inputs set."""
    identity, _dash, version = system.partition("-")
    family = "Debian" if identity in ("debian", "ubuntu") else "RedHat"
    release = {"id": identity, "version_id": version, "family": family, "name": system}
    kernel = KERNELS[system]
    facts = {
        "gpu_cluster": {"os": release, "architecture": "x86_64", "kernel": kernel},
        "gpu": {"kernel": kernel, "kernel_headers": False, "secure_boot": False, "gpus": []},
    }
    loader = DataLoader()
    variables: dict[str, Any] = {"ansible_facts": facts}
    for part in ("defaults/main.yml", "vars/main/platform.yml", "vars/main/touched.yml"):
        variables.update(loader.load_from_file(str(ROLE / part), trusted_as_template=True))
    variables.update(inputs)
    if name != "rocm_prerequisite_packages":
        asked = Templar(loader, variables).template(variables["__rocm_inputs"])
        variables["__rocm_plan"] = rocm_plan(asked, facts)
    return Templar(loader, variables).template(variables[name])


@pytest.mark.parametrize(
    ("system", "kernel_packages", "files"),
    [
        pytest.param(
            "debian-12",
            ["linux-headers-6.1.0-40-amd64", "linux-headers-amd64"],
            ["amdgpu.list", "rocm.list", "amd-container-toolkit.list", "rocm-pin-600"],
            id="debian-12",
        ),
        pytest.param(
            "debian-13",
            ["linux-headers-6.12.57+deb13-amd64", "linux-headers-amd64"],
            ["amdgpu.list", "rocm.list", "amd-container-toolkit.list", "rocm-pin-600"],
            id="debian-13",
        ),
        pytest.param(
            "ubuntu-22.04",
            [
                "linux-headers-5.15.0-161-generic",
                "linux-modules-extra-5.15.0-161-generic",
                "linux-headers-generic",
            ],
            ["amdgpu.list", "rocm.list", "amd-container-toolkit.list", "rocm-pin-600"],
            id="jammy",
        ),
        pytest.param(
            "ubuntu-24.04",
            [
                "linux-headers-6.8.0-124-generic",
                "linux-modules-extra-6.8.0-124-generic",
                "linux-headers-generic",
            ],
            ["amdgpu.list", "rocm.list", "amd-container-toolkit.list", "rocm-pin-600"],
            id="noble",
        ),
        pytest.param(
            "rhel-9.6",
            [
                "kernel-devel-5.14.0-570.el9_6.x86_64",
                "kernel-devel-matched-5.14.0-570.el9_6.x86_64",
            ],
            ["amdgpu.repo", "rocm.repo", "amd-container-toolkit.repo"],
            id="el-9",
        ),
    ],
)
def test_a_new_node_gets_packages_and_files_of_its_platform(
    system: str, kernel_packages: list[str], files: list[str]
) -> None:
    plan = value(system, "__rocm_plan")
    assert plan["packages"] == [*kernel_packages, "amdgpu-dkms", *ROCM]
    assert [path.rpartition("/")[2] for path in plan["files"]] == files


@pytest.mark.parametrize("system", ["rocky-8.10", "almalinux-10.1"])
def test_an_el_without_a_toolkit_is_refused_and_works_without(system: str) -> None:
    with pytest.raises(AnsibleError, match="AMD makes its container toolkit for"):
        value(system, "__rocm_plan")
    plan = value(system, "__rocm_plan", rocm_container_engines=[])
    assert list(plan["files"]) == ["/etc/yum.repos.d/amdgpu.repo", "/etc/yum.repos.d/rocm.repo"]
    assert plan["packages"][-5:] == ["amdgpu-dkms", *ROCM]


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        pytest.param("rocky-8.10", ["epel-release"], id="rocky"),
        pytest.param("almalinux-10.1", ["epel-release"], id="alma"),
        pytest.param("rhel-9.6", [], id="rhel-has-no-such-package"),
        pytest.param("ubuntu-24.04", [], id="ubuntu"),
    ],
)
def test_epel_comes_where_the_distribution_has_it(system: str, expected: list[str]) -> None:
    assert value(system, "rocm_prerequisite_packages") == expected


def test_everything_that_may_change_is_declared() -> None:
    touched = value("debian-12", "__rocm_touched", rocm_users=["ada"])
    assert touched["packages"] == [
        "linux-headers-6.1.0-40-amd64",
        "linux-headers-amd64",
        "amdgpu-dkms",
        *ROCM,
        "amd-container-toolkit",
    ]
    assert touched["files"] == [
        "/etc/apt/keyrings/rocm.asc",
        "/etc/ld.so.conf.d/60-rackforge-rocm.conf",
        "/etc/apt/sources.list.d/amdgpu.list",
        "/etc/apt/sources.list.d/rocm.list",
        "/etc/apt/sources.list.d/amd-container-toolkit.list",
        "/etc/apt/preferences.d/rocm-pin-600",
        "/etc/docker/daemon.json",
        "/var/log/amd-container-runtime.log",
        "/var/log/gpu-tracker.json",
        "/var/log/gpu-tracker.lock",
    ]
    assert touched["directories"] == ["/opt/rocm-7.2.1", "/var/lib/dkms/amdgpu"]
    assert touched["memberships"] == ["render/ada", "video/ada"]


def test_where_no_container_engine_is_wanted_dockers_file_is_not_declared() -> None:
    touched = value("rocky-8.10", "__rocm_touched", rocm_container_engines=[])
    assert "/etc/docker/daemon.json" not in touched["files"]
    assert "epel-release" in touched["packages"]


def test_what_comes_back_is_brought_into_effect() -> None:
    assert value("debian-12", "__rocm_touched")["refresh"] == {
        "/etc/ld.so.conf.d/60-rackforge-rocm.conf": "ldconfig",
        "/etc/docker/daemon.json": "systemctl try-reload-or-restart docker.service",
        "/var/log/gpu-tracker.json": "install --directory --mode=0755 /opt /usr/local/bin",
        "/opt/rocm-7.2.1": "install --directory --mode=0755 /opt /usr/local/bin",
    }
