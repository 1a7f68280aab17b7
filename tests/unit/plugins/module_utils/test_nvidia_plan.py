"""Claims about what an NVIDIA GPU node gets."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    Gpu,
    GpuNode,
    Stack,
    Vendor,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_plan import (
    Plan,
    Seen,
    Wish,
    driver_packages,
    make_plan,
    runfile_version,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.plan_refusal import PlanError

PACKAGES = {
    "open": ["nvidia-driver-cuda", "nvidia-kernel-open-dkms"],
    "proprietary": ["nvidia-driver-cuda", "nvidia-kernel-dkms"],
}
WISH = Wish(
    packages=PACKAGES,
    fabric_packages=("nvidia-fabricmanager",),
    header_packages=("linux-headers-6.12",),
)
H100, V100, B200 = "0x2330", "0x1db5", "0x2901"
OLD = {"nvidia-driver": "525.147.05-1", "libcuda1": "525.147.05-1", "nvidia-support": "20220217"}


def node(*ids: str, stack: Optional[Stack] = None, nvswitches: int = 0) -> GpuNode:
    """Return a node with GPUs of these PCI ids."""
    gpus = tuple(
        Gpu(Vendor.NVIDIA, f"0000:{number:02x}:00.0", device_id=each)
        for number, each in enumerate(ids)
    )
    return GpuNode(gpus=gpus, stacks=(stack,) if stack else (), nvswitches=nvswitches)


def running(version: str, is_open: Optional[bool] = None) -> Stack:
    """Return the software of a node on which a driver runs."""
    return Stack(Vendor.NVIDIA, loaded=version, library=version, is_open=is_open)


FRESH = Seen(node(H100))


def test_a_fresh_node_gets_the_branch_with_the_module_that_fits() -> None:
    assert make_plan(WISH, FRESH) == Plan(
        driver="install",
        reason="driver 580 with the open kernel module",
        kernel_module="open",
        version="580",
        packages=("nvidia-driver-cuda", "nvidia-kernel-open-dkms"),
    )


def test_old_gpus_get_the_proprietary_module() -> None:
    plan = make_plan(WISH, Seen(node(V100)))
    assert (plan.kernel_module, plan.packages) == (
        "proprietary",
        ("nvidia-driver-cuda", "nvidia-kernel-dkms"),
    )


@pytest.mark.parametrize(
    ("asked", "nvswitches", "expected"),
    [
        pytest.param("auto", 4, True, id="auto-with-switches"),
        pytest.param("auto", 0, False, id="auto-without"),
        pytest.param("absent", 4, False, id="refused"),
        pytest.param("present", 0, True, id="wanted-anyway"),
    ],
)
def test_the_fabric_manager_comes_where_switches_are(
    asked: str, nvswitches: int, expected: bool
) -> None:
    plan = make_plan(replace(WISH, fabric_manager=asked), Seen(node(H100, nvswitches=nvswitches)))
    assert plan.fabric_manager is expected
    assert ("nvidia-fabricmanager" in plan.packages) is expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param(False, ("linux-headers-6.12",), id="missing"),
        pytest.param(True, (), id="there"),
        pytest.param(None, (), id="unknown"),
    ],
)
def test_headers_come_where_they_are_missing(
    headers: Optional[bool], expected: tuple[str, ...]
) -> None:
    seen = Seen(replace(node(H100), kernel_headers=headers))
    assert make_plan(WISH, seen).companions == expected


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        pytest.param(
            replace(WISH, branch="610"),
            "nvidia_driver_branch is 610, expected 530 to 590, all of 590 included "
            "(nvidia_driver_min_version, nvidia_driver_max_version). Nothing was changed",
            id="branch-above",
        ),
        pytest.param(
            replace(WISH, version="525.147.05"),
            "nvidia_driver_version is 525.147.05, expected 530 to 590, all of 590 included "
            "(nvidia_driver_min_version, nvidia_driver_max_version). Nothing was changed",
            id="version-below",
        ),
        pytest.param(
            replace(WISH, version="new"),
            "nvidia_driver_version is 'new', expected such as 580.95.05 or 580",
            id="no-version",
        ),
        pytest.param(
            replace(WISH, lowest="600"),
            "nvidia_driver_min_version and nvidia_driver_max_version: the lowest version 600 lies "
            "above the highest, 590. Nothing was changed",
            id="range-upside-down",
        ),
        pytest.param(
            replace(WISH, packages={}),
            "nvidia_driver_source=repository: no package names are known for this system. Nothing "
            "was changed; set nvidia_driver_source=repository or nvidia_driver_packages",
            id="no-names",
        ),
    ],
)
def test_what_cannot_be_asked_for_is_refused(wish: Wish, words: str) -> None:
    with pytest.raises(PlanError) as refused:
        make_plan(wish, FRESH)
    assert str(refused.value) == words


def test_590_is_within_the_range_as_a_whole() -> None:
    assert make_plan(replace(WISH, version="590.48.01"), FRESH).version == "590.48.01"


def test_a_module_that_does_not_drive_the_gpu_is_refused() -> None:
    with pytest.raises(PlanError) as refused:
        make_plan(replace(WISH, kernel_module="open"), Seen(node(V100)))
    assert str(refused.value) == (
        "nvidia_kernel_module=open: GPU 0x1db5 (Volta): the open kernel module needs Turing or "
        "newer. Nothing was changed"
    )


@pytest.mark.parametrize(
    ("packages", "stack", "reason"),
    [
        pytest.param(
            {"nvidia-driver": "535.261.03-1", "libcuda1": "535.261.03-1"},
            running("535.261.03", is_open=False),
            "the driver 535.261.03 that was here stays",
            id="older-branch-from-packages",
        ),
        pytest.param(
            {},
            running("590.48.01"),
            "the driver 590.48.01 that was here stays",
            id="from-a-runfile",
        ),
    ],
)
def test_a_driver_of_the_owners_that_serves_stays(
    packages: dict[str, str], stack: Stack, reason: str
) -> None:
    plan = make_plan(WISH, Seen(node(H100, stack=stack), packages, has_runfile=not packages))
    assert (plan.driver, plan.reason, plan.packages, plan.going) == ("owner", reason, (), ())


BESIDE = {
    "nvidia-settings": "510.47.03-0ubuntu4",
    "nvidia-prime": "0.8.17.1",
    "nvidia-xconfig": "525.85.05-1",
    "nvidia-modprobe": "535.161.07-1",
    "nvidia-persistenced": "525.85.05-1",
    "nvidia-firmware-535-535.183.01": "535.183.01-0ubuntu0.24.04.1",
    "nvidia-installer-cleanup": "20220217",
    "nvidia-imex-575": "575.57.08-1",
}


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in BESIDE])
def test_parts_with_versions_of_their_own_are_not_the_driver(name: str) -> None:
    assert driver_packages({name: BESIDE[name]}) == {}


@pytest.mark.parametrize(
    "stack", [pytest.param(running("580.95.05"), id="running"), pytest.param(None, id="not-yet")]
)
def test_old_settings_beside_a_driver_that_serves_do_not_count(stack: Optional[Stack]) -> None:
    installed = {**BESIDE, "libnvidia-compute-580": "580.95.05-0ubuntu0.24.04.1"}
    plan = make_plan(WISH, Seen(node(H100, stack=stack), installed))
    assert (plan.driver, plan.reason) == ("owner", "the driver 580.95.05 that was here stays")


def test_what_runs_tells_the_version_and_not_a_leftover_package() -> None:
    seen = Seen(
        node(H100, stack=running("580.95.05")), {"libnvidia-cfg1-470": "470.256.02-0ubuntu1"}
    )
    assert make_plan(WISH, seen).reason == "the driver 580.95.05 that was here stays"


def test_parts_beside_our_driver_go_only_where_they_stand_in_the_way() -> None:
    ours = {"nvidia-driver-cuda": "580.95.05-1", "nvidia-kernel-open-dkms": "580.95.05-1"}
    seen = Seen(node(H100), {**BESIDE, **ours}, ours=True)
    plan = make_plan(WISH, seen)
    assert (plan.driver, plan.going, plan.yielding) == ("install", (), tuple(sorted(BESIDE)))
    assert plan.owners == ()


def test_parts_that_were_here_before_ours_come_back_with_its_removal() -> None:
    plan = make_plan(WISH, Seen(node(H100), BESIDE))
    assert plan.owners == tuple(sorted(BESIDE))


@pytest.mark.parametrize(
    ("device", "stack"),
    [
        pytest.param("0x3fff", running("580.95.05", is_open=True), id="generation-unknown"),
        pytest.param(
            V100, running("535.261.03", is_open=False), id="branch-asked-for-does-not-know-the-gpu"
        ),
    ],
)
def test_a_driver_that_serves_stays_whatever_the_table_of_generations_says(
    device: str, stack: Stack
) -> None:
    plan = make_plan(replace(WISH, branch="590"), Seen(node(device, stack=stack)))
    assert (plan.driver, plan.reason) == ("owner", f"the driver {stack.loaded} that was here stays")


def test_a_known_gpu_counts_beside_an_unknown_one() -> None:
    seen = Seen(node("0x3fff", B200, stack=running("580.95.05", is_open=False)))
    with pytest.raises(PlanError, match="the generation of GPU 0x3fff is not known"):
        make_plan(WISH, seen)


RUNFILE = replace(WISH, source="runfile", version="580.95.05", packages={}, fabric_packages=())


def test_a_runfile_is_told_what_it_needs_to_build() -> None:
    wish = replace(RUNFILE, companion_packages=("gcc", "make"))
    plan = make_plan(wish, Seen(replace(node(H100), kernel_headers=False)))
    assert (plan.packages, plan.companions) == ((), ("gcc", "make", "linux-headers-6.12"))


@pytest.mark.parametrize(
    ("wish", "installed", "words"),
    [
        pytest.param(
            RUNFILE,
            {},
            "nvidia_fabric_manager=auto: saw 4 NVSwitch bridges and no fabric manager of "
            "580.95.05, and nvidia_driver_source=runfile has none. Nothing was changed. Set "
            "nvidia_driver_source=repository, install nvidia-fabricmanager of 580.95.05 yourself, "
            "or set nvidia_fabric_manager=absent",
            id="a-runfile",
        ),
        pytest.param(
            replace(WISH, source="distribution", branch="550", fabric_packages=()),
            {"nvidia-fabricmanager-535": "535.183.01-1"},
            "nvidia_fabric_manager=auto: saw 4 NVSwitch bridges and no fabric manager of 550, and "
            "nvidia_driver_source=distribution has none. Nothing was changed. Set "
            "nvidia_driver_source=repository, install nvidia-fabricmanager of 550 yourself, or set "
            "nvidia_fabric_manager=absent",
            id="debians-own-beside-another-version",
        ),
    ],
)
def test_a_fabric_manager_that_cannot_come_is_an_error_before_the_first_change(
    wish: Wish, installed: dict[str, str], words: str
) -> None:
    seen = Seen(node(H100, nvswitches=4), installed, ours=True)
    with pytest.raises(PlanError) as refused:
        make_plan(wish, seen)
    assert str(refused.value) == words


@pytest.mark.parametrize("name", ["nvidia-fabricmanager-580", "nvidia-fabric-manager"])
def test_a_fabric_manager_of_the_drivers_version_serves_a_runfile(name: str) -> None:
    seen = Seen(node(H100, nvswitches=4), {name: "580.95.05-1"}, ours=True)
    plan = make_plan(RUNFILE, seen)
    assert (plan.fabric_manager, plan.packages, plan.going) == (True, (), ())


def test_a_driver_out_of_range_goes_only_with_consent_and_the_plan_is_shown() -> None:
    seen = Seen(node(H100, stack=running("525.147.05")), OLD)
    with pytest.raises(PlanError) as refused:
        make_plan(WISH, seen)
    assert str(refused.value) == (
        "this node has NVIDIA driver 525.147.05, expected 530 to 590, all of 590 included. The "
        "plan: take away or change libcuda1, nvidia-driver; install nvidia-driver-cuda, "
        "nvidia-kernel-open-dkms of 580; the node may need a boot then. Nothing was changed. Set "
        "nvidia_replace_driver=true for this node to do it, or bring the driver in order yourself "
        "and set install_nvidia_driver=false"
    )
    plan = make_plan(replace(WISH, replace=True), seen)
    assert (plan.driver, plan.going) == ("install", ("libcuda1", "nvidia-driver"))


def test_the_proprietary_module_on_blackwell_does_not_serve() -> None:
    seen = Seen(
        node(B200, stack=running("580.95.05", is_open=False)),
        {"nvidia-driver-cuda": "580.95.05-1", "nvidia-kernel-dkms": "580.95.05-1"},
    )
    with pytest.raises(
        PlanError, match="The plan: take away or change nvidia-kernel-dkms; install"
    ):
        make_plan(WISH, seen)


def test_a_runfile_driver_out_of_range_is_uninstalled_with_consent() -> None:
    seen = Seen(node(H100, stack=running("525.147.05")), has_runfile=True)
    with pytest.raises(PlanError, match="take away or change what nvidia-uninstall removes;"):
        make_plan(WISH, seen)
    assert make_plan(replace(WISH, replace=True), seen).uninstall_runfile is True


def test_another_exact_version_than_the_owners_needs_consent() -> None:
    seen = Seen(
        node(H100, stack=running("580.95.05", is_open=True)), {"nvidia-driver": "580.95.05-1"}
    )
    with pytest.raises(PlanError, match=r"expected 580\.105\.08\. The plan"):
        make_plan(replace(WISH, version="580.105.08"), seen)


def test_our_own_driver_moves_without_consent() -> None:
    ours = {"nvidia-driver-cuda": "580.95.05-1", "nvidia-kernel-open-dkms": "580.95.05-1"}
    seen = Seen(node(H100, stack=running("580.95.05", is_open=True)), ours, ours=True)
    plan = make_plan(replace(WISH, version="580.105.08"), seen)
    assert (plan.driver, plan.version, plan.going) == ("install", "580.105.08", tuple(ours))


def test_our_own_driver_that_is_right_is_asked_for_and_nothing_goes() -> None:
    ours = {"nvidia-driver-cuda": "580.95.05-1", "nvidia-kernel-open-dkms": "580.95.05-1"}
    seen = Seen(node(H100, stack=running("580.95.05", is_open=True)), ours, ours=True)
    assert make_plan(WISH, seen) == make_plan(WISH, FRESH)


def test_an_installation_of_ours_that_was_cut_short_goes_on() -> None:
    seen = Seen(node(H100), {"nvidia-driver-cuda": "580.95.05-1"}, ours=True)
    assert make_plan(WISH, seen) == make_plan(WISH, FRESH)


@pytest.mark.parametrize(
    ("stack", "words"),
    [
        pytest.param(None, "saw no driver, expected 530 to 590, all of 590 included", id="none"),
        pytest.param(
            running("610.43.02"),
            "saw driver 610.43.02, expected 530 to 590, all of 590 included",
            id="above",
        ),
    ],
)
def test_the_owners_own_driver_must_serve(stack: Optional[Stack], words: str) -> None:
    with pytest.raises(PlanError) as refused:
        make_plan(replace(WISH, source="existing"), Seen(node(H100, stack=stack)))
    assert words in str(refused.value)
    assert "nvidia_driver_source=existing (install_nvidia_driver=false)" in str(refused.value)


def test_the_owners_own_driver_is_left_alone() -> None:
    seen = Seen(node(H100, stack=running("535.104.05")))
    plan = make_plan(replace(WISH, source="existing"), seen)
    assert (plan.driver, plan.reason) == ("owner", "driver 535.104.05 is the owner's")


@pytest.mark.parametrize(
    ("enrolled", "stack", "is_refused"),
    [
        pytest.param(None, None, True, id="no-key"),
        pytest.param(False, None, True, id="key-not-enrolled"),
        pytest.param(True, None, False, id="key-enrolled"),
        pytest.param(None, running("580.95.05", is_open=True), False, id="driver-runs-already"),
    ],
)
def test_secure_boot_is_known_before_the_first_change(
    enrolled: Optional[bool], stack: Optional[Stack], is_refused: bool
) -> None:
    gpu = replace(node(H100, stack=stack), secure_boot=True)
    seen = Seen(gpu, ours=stack is not None, key_enrolled=enrolled)
    if is_refused:
        with pytest.raises(PlanError, match="Secure Boot is on, and the kernel refuses modules"):
            make_plan(WISH, seen)
    else:
        assert make_plan(WISH, seen).driver == "install"


def test_only_packages_with_a_drivers_name_and_version_are_the_driver() -> None:
    installed = {
        "libnvidia-ml1": "580.95.05-1",
        "kmod-nvidia-open-dkms": "580.95.05",
        "linux-modules-nvidia-580-server-6.8.0-31-generic": "6.8.0-31.31",
        "nvidia-container-toolkit": "1.17.8-1",
        "glx-alternative-nvidia": "1.2.2",
        "cuda-toolkit-13-0": "13.0.0-1",
        "bash": "580.1-1",
    }
    assert driver_packages(installed) == {
        "kmod-nvidia-open-dkms": "580.95.05",
        "libnvidia-ml1": "580.95.05",
    }


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("files/NVIDIA-Linux-x86_64-580.95.05.run", "580.95.05", id="usual"),
        pytest.param("NVIDIA-Linux-aarch64-590.48.01.run", "590.48.01", id="arm"),
        pytest.param("NVIDIA-Linux-x86_64-580.95.05-no-compat32.run", "580.95.05", id="variant"),
        pytest.param("driver.run", None, id="renamed"),
        pytest.param("NVIDIA-Linux-x86_64-580.95.05.run.part", None, id="unfinished"),
    ],
)
def test_the_name_of_a_runfile_tells_its_version(path: str, expected: Optional[str]) -> None:
    assert runfile_version(path) == expected
