"""Claims about AMD's repositories on each platform: what would be written, and where."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.rocm_repository import (
    Wanted,
    repositories,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.rocm_versions import (
    RocmError,
    release_of,
)

URL = "https://repo.radeon.com"
HEADER = "# Managed by rackforge.gpu_cluster\n"
PIN = HEADER + "Package: *\nPin: release o=repo.radeon.com\nPin-Priority: 600\n"


def wanted(system: str, version: str = "7.2.1", **changes: Any) -> Wanted:
    """Return everything of one release for a system."""
    release = release_of(version)
    values: dict[str, Any] = {"driver": release.driver, **changes}
    return Wanted(url=URL, release=release, system=system, **values)


@pytest.mark.parametrize(
    ("system", "suite"),
    [
        pytest.param("ubuntu-22.04", "jammy", id="ubuntu-22.04"),
        pytest.param("ubuntu-24.04", "noble", id="ubuntu-24.04"),
        pytest.param("debian-12", "jammy", id="debian-12-takes-ubuntus"),
        pytest.param("debian-13", "noble", id="debian-13-takes-ubuntus"),
    ],
)
def test_apt_gets_amds_files_and_a_pin(system: str, suite: str) -> None:
    found = repositories(wanted(system))
    signed = "deb [arch=amd64 signed-by=/etc/apt/keyrings/rocm.asc]"
    assert (found.key_url, found.key_file) == (
        "https://repo.radeon.com/rocm/rocm.gpg.key",
        "/etc/apt/keyrings/rocm.asc",
    )
    assert dict(found.files) == {
        "/etc/apt/sources.list.d/amdgpu.list": (
            f"{HEADER}{signed} {URL}/amdgpu/30.30.1/ubuntu {suite} main\n"
        ),
        "/etc/apt/sources.list.d/rocm.list": (
            f"{HEADER}{signed} {URL}/rocm/apt/7.2.1 {suite} main\n"
            f"{signed} {URL}/graphics/7.2.1/ubuntu {suite} main\n"
        ),
        "/etc/apt/sources.list.d/amd-container-toolkit.list": (
            f"{HEADER}{signed} {URL}/amd-container-toolkit/apt {suite} main\n"
        ),
        "/etc/apt/preferences.d/rocm-pin-600": PIN,
    }


def test_until_6_4_there_is_no_repository_of_graphics_and_the_driver_has_rocms_number() -> None:
    files = dict(repositories(wanted("ubuntu-22.04", "6.4.3", toolkit=False)).files)
    signed = "deb [arch=amd64 signed-by=/etc/apt/keyrings/rocm.asc]"
    assert files == {
        "/etc/apt/sources.list.d/amdgpu.list": (
            f"{HEADER}{signed} {URL}/amdgpu/6.4.3/ubuntu jammy main\n"
        ),
        "/etc/apt/sources.list.d/rocm.list": f"{HEADER}{signed} {URL}/rocm/apt/6.4.3 jammy main\n",
        "/etc/apt/preferences.d/rocm-pin-600": PIN,
    }


def section(name: str, url: str) -> str:
    return (
        f"[{name}]\nname={name}\nbaseurl={url}\nenabled=1\n"
        "# Before the packages of the same names in other repositories (99 is the default).\n"
        "priority=50\ngpgcheck=1\ngpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-rocm\n"
    )


@pytest.mark.parametrize(
    ("system", "rocm", "major", "folder", "driver", "graphics"),
    [
        pytest.param("el-8.10", "7.2.1", "8", "8", "30.30.1", "7.2.1", id="el-8"),
        pytest.param(
            "el-9.4", "7.2.1", "9", "9.4", "30.30.1", "7.2.1", id="el-9.4-keeps-its-minor"
        ),
        pytest.param("el-9.7", "7.2.3", "9", "9.7", "30.30.3", "7.2.3", id="el-9.7"),
        pytest.param("el-10.1", "7.2.3", "10", "10", "30.30.3", "7.2.3", id="el-10"),
    ],
)
def test_dnf_gets_amds_files(
    system: str, rocm: str, major: str, folder: str, driver: str, graphics: str
) -> None:
    found = repositories(wanted(system, rocm, toolkit=False))
    assert found.key_file == "/etc/pki/rpm-gpg/RPM-GPG-KEY-rocm"
    assert dict(found.files) == {
        "/etc/yum.repos.d/amdgpu.repo": HEADER
        + section("amdgpu", f"{URL}/amdgpu/{driver}/el/{folder}/main/x86_64/"),
        "/etc/yum.repos.d/rocm.repo": HEADER
        + section("rocm", f"{URL}/rocm/el{major}/{rocm}/main")
        + "\n"
        + section("amdgraphics", f"{URL}/graphics/{graphics}/el/{folder}/main/x86_64/"),
    }


def test_until_6_4_el_8_has_its_minor_too() -> None:
    files = dict(repositories(wanted("el-8.10", "6.4.3", toolkit=False)).files)
    assert (
        f"baseurl={URL}/amdgpu/6.4.3/el/8.10/main/x86_64/\n"
        in files["/etc/yum.repos.d/amdgpu.repo"]
    )


def test_the_toolkit_of_el_9_has_no_minor() -> None:
    files = dict(repositories(wanted("el-9.6", driver=None, rocm=False)).files)
    assert files == {
        "/etc/yum.repos.d/amd-container-toolkit.repo": HEADER
        + section("amd-container-toolkit", f"{URL}/amd-container-toolkit/el9/main/"),
    }


def test_what_is_the_owners_own_gets_no_repository() -> None:
    found = repositories(wanted("debian-12", driver=None, rocm=False, toolkit=False))
    assert found.files == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, f"{URL}/amd-container-toolkit/apt noble", id="newest"),
        pytest.param(
            {"toolkit_version": "1.2.0"},
            f"{URL}/amd-container-toolkit/apt/1.2.0 noble",
            id="pinned",
        ),
        pytest.param(
            {"toolkit_url": "https://mirror.example/ctk/"},
            "https://mirror.example/ctk/apt noble",
            id="mirror",
        ),
    ],
)
def test_the_toolkit_may_be_pinned_or_mirrored(changes: dict[str, Any], expected: str) -> None:
    files = dict(repositories(wanted("ubuntu-24.04", **changes)).files)
    assert f" {expected} main\n" in files["/etc/apt/sources.list.d/amd-container-toolkit.list"]


def test_a_mirror_may_end_with_a_slash() -> None:
    mirror = Wanted(
        url="http://mirror.example/amd/",
        release=release_of("7.1"),
        system="debian-12",
        toolkit=False,
    )
    assert repositories(mirror).key_url == "http://mirror.example/amd/rocm/rocm.gpg.key"
    assert "http://mirror.example/amd/rocm/apt/7.1 jammy" in repositories(mirror).files[0][1]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(
            Wanted(url="mirror.example", release=release_of("7.1"), system="debian-12"),
            r"rocm_repository_url is 'mirror\.example', expected a URL such as https://",
            id="no-scheme",
        ),
        pytest.param(
            Wanted(
                url="https://x.example/] http://evil", release=release_of("7.1"), system="debian-12"
            ),
            "rocm_repository_url is",
            id="more-than-a-url",
        ),
        pytest.param(
            wanted("ubuntu-24.04", toolkit_url="ftp://mirror.example"),
            r"rocm_toolkit_repository_url is 'ftp://mirror\.example'",
            id="toolkit-without-http",
        ),
        pytest.param(
            wanted("el-10.1"),
            r"container toolkit for ubuntu-22\.04, ubuntu-24\.04, debian-12, debian-13, el-9, and "
            r"this node is el-10\.1\. Nothing was changed; set rocm_toolkit_source=packages",
            id="no-toolkit-for-el-10",
        ),
        pytest.param(
            wanted("el-9.6", toolkit_version="1.2.0"),
            r"rocm_toolkit_version is '1\.2\.0', but AMD's repository for EL has no folder",
            id="no-folders-on-el",
        ),
    ],
)
def test_what_cannot_be_named_is_explained(asked: Wanted, expected: str) -> None:
    with pytest.raises(RocmError, match=expected):
        repositories(asked)
