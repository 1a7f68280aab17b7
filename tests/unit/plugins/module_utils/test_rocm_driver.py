"""Claims about AMD's driver on a node: loaded, built, waiting for a boot."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.rocm_driver import (
    Build,
    Driver,
    Step,
    check_users,
    is_blacklisted,
    linker_text,
    members_of,
    step_for,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.rocm_versions import RocmError

KERNEL = "6.8.0-124-generic"
DKMS = Build("6.16.13", "0A1B2C3D4E5F60718293A4B")
OLD = Build("6.14.14", "F0F1F2F3F4F5F6F7F8F9FAF")
OWN = Build(None, "0123456789ABCDEF0123456")


def driver(running: Build | None, on_disk: Build | None, packaged: str | None = None) -> Driver:
    return Driver(kernel=KERNEL, running=running, on_disk=on_disk, packaged=packaged)


@pytest.mark.parametrize(
    ("seen", "wanted", "expected"),
    [
        pytest.param(driver(DKMS, DKMS, "6.16.13"), True, Step(), id="dkms-runs"),
        pytest.param(
            driver(None, DKMS, "6.16.13"), True, Step(load=True), id="dkms-not-loaded-yet"
        ),
        pytest.param(driver(OWN, OWN), False, Step(), id="kernels-own-runs"),
        pytest.param(driver(None, OWN), False, Step(load=True), id="kernels-own-not-loaded"),
        pytest.param(
            driver(Build("6.16.13"), DKMS, "6.16.13"), True, Step(), id="checksum-not-known"
        ),
        pytest.param(driver(OWN, None), False, Step(), id="built-into-the-kernel"),
        pytest.param(
            driver(OWN, DKMS, "6.16.13"),
            True,
            Step(
                reasons=(
                    "the kernel runs the amdgpu of the kernel itself, installed is 6.16.13; it "
                    "cannot be exchanged while it runs",
                )
            ),
            id="dkms-came-beside-the-kernels-own",
        ),
        pytest.param(
            driver(OLD, DKMS, "6.16.13"),
            True,
            Step(
                reasons=(
                    "the kernel runs the amdgpu 6.14.14, installed is 6.16.13; it cannot be "
                    "exchanged while it runs",
                )
            ),
            id="upgraded-without-a-boot",
        ),
        pytest.param(
            driver(DKMS, Build("6.16.13", "ANOTHER"), "6.16.13"),
            True,
            Step(
                reasons=(
                    "the kernel runs the amdgpu 6.16.13, installed is another build of 6.16.13; it "
                    "cannot be exchanged while it runs",
                )
            ),
            id="same-version-built-again",
        ),
    ],
)
def test_what_is_to_be_done(seen: Driver, wanted: bool, expected: Step) -> None:
    assert step_for(seen, wanted) == expected


@pytest.mark.parametrize(
    ("seen", "wanted", "expected"),
    [
        pytest.param(
            driver(OWN, OWN, "6.16.13"),
            True,
            "amdgpu-dkms 6.16.13 is installed, but kernel 6.8.0-124-generic would load the amdgpu "
            "of the kernel itself: the module was not built for this kernel. Look at 'dkms status "
            "amdgpu' and at /var/lib/dkms/amdgpu/*/build/make.log on the node; when the kernel's "
            "headers were missing, 'dkms autoinstall -k 6.8.0-124-generic' builds it now",
            id="not-built",
        ),
        pytest.param(
            driver(None, None, "6.16.13"),
            True,
            "amdgpu-dkms 6.16.13 is installed, but kernel 6.8.0-124-generic would load no amdgpu: "
            "the module was not built for this kernel. Look at 'dkms status amdgpu' and at "
            "/var/lib/dkms/amdgpu/*/build/make.log on the node; when the kernel's headers were "
            "missing, 'dkms autoinstall -k 6.8.0-124-generic' builds it now",
            id="not-built-and-nothing-else",
        ),
        pytest.param(
            driver(None, None),
            False,
            "kernel 6.8.0-124-generic of this node has no module amdgpu, expected one; set "
            "rocm_driver_source=repository, or install the package that has it (on Ubuntu "
            "linux-modules-extra-6.8.0-124-generic)",
            id="no-module",
        ),
        pytest.param(
            driver(None, None),
            True,
            "kernel 6.8.0-124-generic of this node has no module amdgpu, expected one; see 'dkms "
            "status amdgpu' on the node",
            id="no-module-although-installed-from-elsewhere",
        ),
    ],
)
def test_what_cannot_be_says_what_to_type(seen: Driver, wanted: bool, expected: str) -> None:
    with pytest.raises(RocmError) as caught:
        step_for(seen, wanted)
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(driver(None, None), Step(load=True), id="nothing-runs-yet"),
        pytest.param(
            driver(OWN, OWN),
            Step(
                reasons=(
                    "amdgpu-dkms would be installed, and the kernel runs the amdgpu of the kernel "
                    "itself",
                )
            ),
            id="kernels-own-runs",
        ),
        pytest.param(driver(DKMS, DKMS, "6.16.13"), Step(), id="all-there"),
    ],
)
def test_a_prediction_before_the_installation(seen: Driver, expected: Step) -> None:
    assert step_for(seen, wanted=True, dry=True) == expected


def test_a_prediction_for_the_kernels_own_waits_for_no_package() -> None:
    assert step_for(driver(None, None), wanted=False, dry=True) == Step(load=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("blacklist nouveau\nblacklist amdgpu\n", True, id="listed"),
        pytest.param("blacklist amdgpu_xcp\nalias amdgpu x\n", False, id="other-names"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_a_blacklist_is_seen(text: str, expected: bool) -> None:
    assert is_blacklisted(text) is expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("render:x:992:ada,bob\n", {"ada", "bob"}, id="two"),
        pytest.param("render:x:992:\n", set(), id="none"),
        pytest.param("", set(), id="no-group"),
    ],
)
def test_members_are_read_from_a_groups_line(line: str, expected: set[str]) -> None:
    assert members_of(line) == expected


def test_the_linker_is_told_each_folder() -> None:
    assert linker_text(["/opt/rocm/lib"]) == "# Managed by rackforge.gpu_cluster\n/opt/rocm/lib\n"
    assert linker_text([]) is None


def test_users_that_are_missing_are_named() -> None:
    check_users([])
    with pytest.raises(
        RocmError, match=r"rocm_users names ada, bob, who are no user of this node;"
    ):
        check_users(["ada", "bob"])
