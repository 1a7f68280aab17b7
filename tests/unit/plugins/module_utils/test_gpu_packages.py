"""Claims about the packages of GPU software."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import Vendor
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_packages import (
    Installed,
    driver_package,
    fabric_manager_version,
    parse_listing,
    rocm_package_version,
    toolkit_version,
    upstream_version,
)

from tests.unit.plugins.gpu_trees import FIXTURES


def packages(name: str) -> dict[str, str]:
    (listing,) = [
        path for path in (FIXTURES / "system" / name).iterdir() if path.stem in ("dpkg", "rpm")
    ]
    return parse_listing(listing.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "driver", "fabric_manager", "toolkit"),
    [
        pytest.param(
            "debian12-archive", Installed("nvidia-driver", "535.183.01"), None, None, id="debian"
        ),
        pytest.param(
            "debian13-cuda-repository",
            Installed("nvidia-open", "580.95.05"),
            "580.95.05",
            "1.17.8",
            id="cuda-repository",
        ),
        pytest.param(
            "ubuntu2404-server-headless",
            Installed("nvidia-headless-580-server", "580.95.05"),
            "580.95.05",
            None,
            id="ubuntu-headless",
        ),
        pytest.param(
            "ubuntu2204-two-branches",
            Installed("nvidia-driver-550", "550.127.05"),
            None,
            None,
            id="only-what-is-installed-counts",
        ),
        pytest.param(
            "el9-cuda-repository",
            Installed("nvidia-driver", "580.95.05"),
            "580.95.05",
            "1.18.1",
            id="el9",
        ),
        pytest.param(
            "fedora-rpmfusion", Installed("akmod-nvidia", "580.95.05"), None, None, id="rpmfusion"
        ),
        pytest.param("runfile-installer", None, None, "1.16.1", id="runfile"),
    ],
)
def test_nvidia_packages(
    name: str, driver: Installed | None, fabric_manager: str | None, toolkit: str | None
) -> None:
    found = packages(name)
    assert driver_package(found, Vendor.NVIDIA) == driver
    assert fabric_manager_version(found) == fabric_manager
    assert toolkit_version(found, Vendor.NVIDIA) == toolkit
    assert driver_package(found, Vendor.AMD) is None


def test_amd_versions_are_those_that_the_driver_tells() -> None:
    found = packages("ubuntu2404-amdgpu-dkms")
    assert driver_package(found, Vendor.AMD) == Installed("amdgpu-dkms", "6.8.5")
    assert rocm_package_version(found) == "6.2.0"
    assert toolkit_version(found, Vendor.AMD) == "1.1.0"
    assert driver_package(found, Vendor.NVIDIA) is None


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param("3:580.95.05-1", "580.95.05", id="epoch"),
        pytest.param("580.95.05-0ubuntu0.24.04.2", "580.95.05", id="ubuntu"),
        pytest.param("1.17.8", "1.17.8", id="plain"),
        pytest.param("", "", id="empty"),
    ],
)
def test_epoch_and_revision_are_no_part_of_the_version(version: str, expected: str) -> None:
    assert upstream_version(version) == expected


@pytest.mark.parametrize(
    "listing",
    [
        pytest.param("", id="empty"),
        pytest.param("dpkg-query: no packages found matching nvidia-*\n", id="complaint"),
        pytest.param("ii \tnvidia-driver\n", id="cut-short"),
        pytest.param("un \tnvidia-driver\t\n", id="never-installed"),
        pytest.param("\ufffd\t\ufffd\t\ufffd\n", id="not-utf-8"),
    ],
)
def test_strange_listings_have_no_packages(listing: str) -> None:
    assert parse_listing(listing) == {}


def test_version_of_another_kind_is_no_driver() -> None:
    assert driver_package({"nvidia-driver": "20220217+3~deb12u1"}, Vendor.NVIDIA) is None
