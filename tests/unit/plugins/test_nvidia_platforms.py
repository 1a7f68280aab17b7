"""Claims about what the nvidia role installs on each platform, read from its own variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.rackforge.gpu_cluster.plugins.filter.nvidia_repository import (
    nvidia_repository,
)

ROLE = Path(__file__).parents[3] / "roles" / "nvidia"
UBUNTU = ["libnvidia-compute", "nvidia-utils", "nvidia-compute-utils"]


def variable(name: str, system: str, version: str, **inputs: object) -> Any:
    """Return a variable of the role as its files say it for an operating system.

    With ``named`` the driver's repository is what the role itself says.
    """
    loader = DataLoader()
    family = "Debian" if system in ("debian", "ubuntu") else "RedHat"
    os = {"id": system, "version_id": version, "family": family, "name": system}
    cluster = {"os": os, "kernel": "6.1.0-1", "architecture": "x86_64"}
    variables: dict[str, object] = {"ansible_facts": {"gpu_cluster": cluster}}
    for path in [ROLE / "defaults" / "main.yml", *sorted((ROLE / "vars" / "main").glob("*.yml"))]:
        variables.update(loader.load_from_file(str(path), trusted_as_template=True))
    kinds = {"": "driver", "_toolkit": "toolkit"}
    if inputs.pop("named", False):
        del kinds[""]
    # Outside a playbook templates do not find the collection's filters.
    for which, kind in kinds.items():
        url = variables[f"nvidia{which}_repository_url"]
        variables[f"__nvidia{which}_repository"] = nvidia_repository(
            str(url), kind, os, fingerprint="AB" * 20
        )
    variables.update(inputs)
    return Templar(loader, variables).template(variables[name])


@pytest.mark.parametrize(
    ("system", "version", "inputs", "expected"),
    [
        pytest.param(
            *("debian", "12", {}, ["nvidia-driver-cuda", "nvidia-kernel-open-dkms"]), id="debian-12"
        ),
        pytest.param(
            *("debian", "13", {}, ["nvidia-driver-cuda", "nvidia-kernel-open-dkms"]), id="debian-13"
        ),
        pytest.param(
            *("ubuntu", "22.04", {}),
            ["nvidia-dkms-580-open", *(f"{name}-580" for name in UBUNTU)],
            id="jammy",
        ),
        pytest.param(
            *("ubuntu", "24.04", {"nvidia_driver_branch": "590"}),
            ["nvidia-dkms-open", *UBUNTU],
            id="noble-without-the-branch-from-590-on",
        ),
        pytest.param(
            *("ubuntu", "24.04", {"nvidia_driver_version": "575.57.08"}),
            ["nvidia-dkms-575-open", *(f"{name}-575" for name in UBUNTU)],
            id="the-exact-version-names-the-branch",
        ),
        pytest.param(
            *("rocky", "8.10", {}, ["nvidia-driver-cuda", "kmod-nvidia-open-dkms"]), id="el-8"
        ),
        pytest.param(
            *("rhel", "9.6", {}, ["nvidia-driver-cuda", "kmod-nvidia-open-dkms"]), id="el-9"
        ),
        pytest.param(
            *("almalinux", "10.0", {}, ["nvidia-driver-cuda", "kmod-nvidia-open-dkms"]), id="el-10"
        ),
        pytest.param(
            *("debian", "12", {"nvidia_driver_source": "distribution"}),
            ["libcuda1", "nvidia-smi", "nvidia-open-kernel-dkms"],
            id="debian-12-own",
        ),
        pytest.param(
            *("ubuntu", "24.04", {"nvidia_driver_source": "distribution"}),
            ["nvidia-headless-580-server-open", "nvidia-utils-580-server"],
            id="noble-own",
        ),
        pytest.param(
            *("debian", "13", {"nvidia_driver_packages": ["nvidia-open"]}, ["nvidia-open"]),
            id="the-owners-list",
        ),
    ],
)
def test_the_driver_has_these_packages(
    system: str, version: str, inputs: dict[str, object], expected: list[str]
) -> None:
    assert variable("__nvidia_packages", system, version, **inputs)["open"] == expected


def test_the_proprietary_module_has_packages_of_its_own() -> None:
    found = {
        system: variable("__nvidia_packages", system, version)["proprietary"]
        for system, version in (("debian", "13"), ("ubuntu", "24.04"), ("rocky", "9.6"))
    }
    assert found == {
        "debian": ["nvidia-driver-cuda", "nvidia-kernel-dkms"],
        "ubuntu": ["nvidia-dkms-580", *(f"{name}-580" for name in UBUNTU)],
        "rocky": ["nvidia-driver-cuda", "kmod-nvidia-latest-dkms"],
    }


@pytest.mark.parametrize(
    ("system", "version", "source", "expected"),
    [
        pytest.param("rocky", "9.6", "distribution", {}, id="el-has-none-of-its-own"),
        pytest.param("debian", "13", "runfile", {}, id="a-runfile-has-none"),
        pytest.param("debian", "13", "existing", {}, id="the-owners-driver-has-none"),
    ],
)
def test_no_packages_are_known_where_none_come(
    system: str, version: str, source: str, expected: dict[str, object]
) -> None:
    inputs = {"nvidia_driver_source": source}
    assert variable("__nvidia_packages", system, version, **inputs) == expected


@pytest.mark.parametrize(
    ("system", "version", "source", "expected"),
    [
        pytest.param("debian", "12", "distribution", "535", id="debian-12-has-one-branch"),
        pytest.param("debian", "13", "distribution", "550", id="debian-13-has-one-branch"),
        pytest.param("ubuntu", "24.04", "distribution", "580", id="ubuntu-has-several"),
        pytest.param("debian", "13", "repository", "580", id="nvidias-has-several"),
    ],
)
def test_the_branch_is_that_of_the_source(
    system: str, version: str, source: str, expected: str
) -> None:
    inputs = {"nvidia_driver_source": source}
    assert variable("__nvidia_branch", system, version, **inputs) == expected


@pytest.mark.parametrize(
    ("system", "version", "branch", "expected"),
    [
        pytest.param("ubuntu", "24.04", "580", "nvidia-fabricmanager", id="apt"),
        pytest.param("ubuntu", "22.04", "575", "nvidia-fabricmanager-575", id="apt-below-580"),
        pytest.param("debian", "12", "570", "nvidia-fabricmanager-570", id="debian-below-580"),
        pytest.param("rocky", "9.6", "580", "nvidia-fabricmanager", id="dnf"),
        pytest.param("rocky", "9.6", "590", "nvidia-fabricmanager", id="dnf-above-580"),
        pytest.param("rocky", "8.10", "570", "nvidia-fabric-manager", id="dnf-below-580"),
    ],
)
def test_the_fabric_manager_is_called_so(
    system: str, version: str, branch: str, expected: str
) -> None:
    found = variable("__nvidia_fabric_packages", system, version, nvidia_driver_branch=branch)
    assert found["repository"] == [expected]


@pytest.mark.parametrize(
    ("system", "version", "source", "expected"),
    [
        pytest.param("debian", "13", "runfile", ["gcc", "make"], id="runfile-with-apt"),
        pytest.param("rocky", "9.6", "runfile", ["gcc", "make"], id="runfile-with-dnf"),
        pytest.param("debian", "13", "distribution", ["nvidia-persistenced"], id="debians-own"),
        pytest.param("ubuntu", "24.04", "distribution", [], id="ubuntus-own"),
        pytest.param("debian", "13", "repository", [], id="nvidias"),
        pytest.param("debian", "13", "existing", [], id="the-owners"),
    ],
)
def test_these_come_with_the_driver(
    system: str, version: str, source: str, expected: list[str]
) -> None:
    inputs = {"nvidia_driver_source": source}
    assert variable("__nvidia_companion_packages", system, version, **inputs) == expected


@pytest.mark.parametrize(
    ("system", "version"),
    [
        pytest.param("debian", "12", id="debian-12"),
        pytest.param("debian", "13", id="debian-13"),
        pytest.param("ubuntu", "22.04", id="jammy"),
        pytest.param("ubuntu", "24.04", id="noble"),
    ],
)
def test_an_owners_repository_is_looked_for_under_the_name_that_would_be_written(
    system: str, version: str
) -> None:
    url = "https://mirror.example/cuda/"
    os = {"id": system, "version_id": version, "family": "Debian", "name": system}
    expected = nvidia_repository(url, "driver", os)["uri"]
    assert variable("__nvidia_uri", system, version, nvidia_repository_url=url) == expected


@pytest.mark.parametrize(
    ("system", "version", "plan"),
    [
        pytest.param("rocky", "10.0", {}, id="el-10-before-the-plan"),
        pytest.param("rocky", "10.0", {"driver": "owner"}, id="el-10-with-the-owners-driver"),
        pytest.param("debian", "11", {"driver": "owner"}, id="no-folder-there"),
    ],
)
def test_no_repository_is_needed_where_the_owners_driver_stays(
    system: str, version: str, plan: dict[str, object]
) -> None:
    names = ("__nvidia_repository", "__nvidia_own_files", "__nvidia_uri")
    repository, own_files, uri = (
        variable(name, system, version, named=True, __nvidia_plan=plan) for name in names
    )
    assert repository == {"uri": "", "files": {}, "key_file": ""}
    assert own_files[:2] == [
        "/etc/apt/preferences.d/60-rackforge-nvidia",
        "/etc/rackforge-nvidia-runfile",
    ]
    assert isinstance(uri, str)


@pytest.mark.parametrize(
    ("system", "version"),
    [
        pytest.param("debian", "13", id="apt"),
        pytest.param("rocky", "8.10", id="dnf-with-a-stream"),
        pytest.param("rocky", "10.0", id="dnf"),
    ],
)
def test_the_file_that_names_the_repository_tells_an_own_driver(system: str, version: str) -> None:
    repository = variable("__nvidia_repository", system, version)
    written = {path for path in repository["files"] if "rackforge" in path}
    assert len(written) == 1
    assert written <= set(variable("__nvidia_own_files", system, version))


def task(file: str, name: str) -> dict[str, Any]:
    """Return a task of the role by its name."""
    tasks = DataLoader().load_from_file(str(ROLE / "tasks" / file))
    return next(each for each in tasks if each["name"] == name)


@pytest.mark.parametrize(
    "name", ["install | Have the container toolkit", "install | Hand the GPUs to containers"]
)
def test_without_a_container_engine_neither_toolkit_nor_engine_is_touched(name: str) -> None:
    assert "nvidia_container_engines | length > 0" in task("install.yml", name)["when"]


def test_what_a_runfile_needs_comes_without_a_package_of_the_driver() -> None:
    name = "driver | Have the driver's packages in one version, held there, and what they need"
    found = {"packages": [], "companions": ["gcc", "make"], "going": [], "yielding": []}
    condition = "{{ " + task("driver.yml", name)["when"] + " }}"
    asked = Templar(DataLoader(), {"__nvidia_plan": found})
    assert asked.template(trust_as_template(condition)) is True


def test_the_stream_of_el_follows_branch_and_module() -> None:
    assert variable("__nvidia_streams", "rocky", "9.6") == {
        "open": "580-open",
        "proprietary": "580-dkms",
    }


def test_whatever_is_written_is_declared_to_the_ledger() -> None:
    named = {"packages": ["a"], "companions": ["b"], "going": ["c"], "owners": ["d"]}
    plan = {"driver": "install", **named}
    touched = variable(
        "__nvidia_touched", "debian", "13", __nvidia_plan={**plan, "early_images": True}
    )
    files = [path for part in touched for path in part.get("files", [])]
    assert files == [
        "/etc/modprobe.d/60-rackforge-nouveau.conf",
        "/etc/apt/preferences.d/60-rackforge-nvidia",
        "/etc/apt/keyrings/rackforge-nvidia.asc",
        "/etc/apt/sources.list.d/rackforge-nvidia.sources",
        "/etc/systemd/system/nvidia-persistenced.service.d/60-rackforge.conf",
        "/etc/apt/preferences.d/60-rackforge-nvidia-toolkit",
        "/etc/apt/keyrings/rackforge-nvidia-toolkit.asc",
        "/etc/apt/sources.list.d/rackforge-nvidia-toolkit.sources",
        "/etc/systemd/system/rackforge-nvidia-cdi.service",
        "/etc/docker/daemon.json",
    ]
    assert touched[0]["packages"] == ["a", "b", "c", "d"]
    assert touched[0]["refresh"] == {
        "/etc/modprobe.d/60-rackforge-nouveau.conf": "update-initramfs -u -k all"
    }


def test_nothing_is_declared_where_nothing_is_touched() -> None:
    touched = variable(
        *("__nvidia_touched", "debian", "13"),
        __nvidia_plan={"driver": "owner"},
        nvidia_container_engines=[],
    )
    assert touched == []
