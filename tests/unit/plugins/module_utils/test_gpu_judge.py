"""Claims about the judge of GPUs: each node of tests/fixtures/gpu/nodes, and what is said of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge import (
    container_vendor,
    judge,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge_amd import (
    driver_release,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge_case import (
    Code,
    Expectation,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    ContainerView,
    GpuNode,
    Vendor,
    from_plain,
)

ROOT = Path(__file__).parents[4]
NODES = ROOT / "tests" / "fixtures" / "gpu" / "nodes"
EXPECTED = Expectation(container=True)
LEADS = ("ray_head",)


def read_node(name: str) -> GpuNode:
    """Return a node of the fixtures."""
    return from_plain(GpuNode, json.loads((NODES / name / "node.json").read_text()))


def said(node: GpuNode, expected: Expectation = EXPECTED) -> list[str]:
    """Return severity and code of each finding."""
    return [f"{each.severity.value} {each.code}" for each in judge(node, expected, "gpu01", LEADS)]


# The whole findings with their texts stand beside each node, in findings.json.
DIAGNOSES = [
    ("a100-two", []),
    ("amd-ecc-uncorrected", ["warning ecc-uncorrected"]),
    ("amd-missing-in-driver", ["error gpu-missing-in-driver"]),
    ("amd-toolkit-missing", ["error toolkit-missing"]),
    ("amdgpu-hang", ["warning amdgpu-hang"]),
    ("amdgpu-missing", ["error driver-missing"]),
    ("amdgpu-not-loaded", ["error driver-not-loaded"]),
    ("amdgpu-package-mismatch", ["warning package-mismatch"]),
    ("amdgpu-ras", ["warning amdgpu-ras"]),
    ("apu-alone", ["error no-gpu"]),
    ("apu-beside-4090", ["note integrated-ignored"]),
    ("bar0-zero-amd", ["error bar1-zero"]),
    ("bar1-zero-before-driver", ["error bar1-zero", "error driver-missing"]),
    ("bar1-zero-half", ["error bar1-zero"]),
    ("blackwell-under-proprietary-module", ["error kernel-module-unfit"]),
    ("both-vendors", ["warning mixed-vendors"]),
    ("container-cdi-unresolvable", ["error container-failed"]),
    ("container-no-runtime", ["error container-failed"]),
    ("driver-525.147.05", ["error driver-below-range"]),
    ("driver-530.30.02", []),
    ("driver-590.48.01", []),
    ("driver-591.44", ["error driver-above-range"]),
    ("driver-garbage", ["warning driver-version-unreadable"]),
    ("driver-hangs", ["error driver-not-answering"]),
    ("driver-missing", ["error driver-missing"]),
    ("driver-not-loaded", ["error driver-not-loaded"]),
    ("ecc-off", ["note ecc-off"]),
    ("ecc-pending", ["warning ecc-pending"]),
    ("ecc-uncorrected", ["warning ecc-uncorrected"]),
    ("ecc-uncorrected-long-ago", ["note ecc-uncorrected"]),
    ("fabric-manager-mismatch", ["error fabric-manager-mismatch"]),
    ("fabric-manager-missing", ["error fabric-manager-missing"]),
    ("fabric-manager-stopped", ["error fabric-manager-stopped"]),
    ("gpu-back-after-its-loss", ["error xid"]),
    ("gpu-lost", ["error gpu-lost"]),
    ("gpu-not-answering", ["error gpu-not-answering"]),
    ("h100-hgx-8", []),
    ("headers-missing", ["error headers-missing"]),
    ("headers-missing-module-loaded", ["note headers-missing"]),
    ("held-by-nouveau", ["error gpu-held-by"]),
    ("held-by-vfio", ["warning gpu-held-by"]),
    ("kfd-missing", ["error kfd-missing"]),
    ("library-mismatch", ["error library-mismatch"]),
    ("link-narrow", ["warning link-narrow"]),
    ("link-slow-busy", ["warning link-slow"]),
    ("link-slow-idle", ["note link-slow"]),
    ("mi300x-8", []),
    ("mig-empty", ["warning mig-empty"]),
    ("mig-parts", []),
    ("mig-pending", ["warning mig-pending"]),
    ("missing-in-container", ["error gpu-missing-in-container"]),
    ("missing-in-driver", ["error gpu-missing-in-driver"]),
    ("mixed-models", ["note mixed-models"]),
    ("no-gpu", ["error no-gpu"]),
    ("none-in-driver", ["error gpu-missing-in-driver"]),
    ("nouveau-loaded", ["warning nouveau-loaded"]),
    ("nvml-fails-smi-works", ["warning driver-interface-failed"]),
    ("nvswitch-fatal", ["error nvswitch-error"]),
    ("nvswitch-not-fatal", ["warning nvswitch-error"]),
    ("package-mismatch", ["error driver-above-range", "warning package-mismatch"]),
    ("pages-pending", ["warning pages-pending"]),
    ("persistence-off", ["note persistence-off"]),
    ("port-of-a-virtual-machine", []),
    ("remap-failed", ["error remap-failed"]),
    ("remap-pending", ["warning remap-pending"]),
    ("rocm-missing", ["warning rocm-missing"]),
    ("rocm-too-far", ["warning rocm-driver-pair"]),
    ("rocm-two-apart", []),
    ("rtx4090", []),
    ("secure-boot-unsigned", ["error secure-boot-unsigned"]),
    ("slot-limits", ["note slot-limits"]),
    ("t4", []),
    ("toolkit-1.16.1", ["error toolkit-old"]),
    ("toolkit-1.17.3", ["error toolkit-old"]),
    ("toolkit-1.17.4", ["error toolkit-old"]),
    ("toolkit-garbage", ["warning toolkit-version-unreadable"]),
    ("toolkit-missing", ["error toolkit-missing"]),
    ("vgpu-guest", []),
    ("volta-after-580", ["error unsupported-generation"]),
    ("volta-under-open-module", ["error kernel-module-unfit"]),
    ("xid-application", ["note xid"]),
    ("xid-hardware", ["error xid"]),
    ("xid-reset", ["warning xid"]),
    ("xid-unknown", ["warning xid"]),
]


@pytest.mark.parametrize(
    ("name", "diagnosis"), [pytest.param(*row, id=row[0]) for row in DIAGNOSES]
)
def test_a_node_gets_exactly_its_diagnosis(name: str, diagnosis: list[str]) -> None:
    assert said(read_node(name)) == diagnosis


@pytest.mark.parametrize("name", [row[0] for row in DIAGNOSES])
def test_every_text_is_as_written_down(name: str) -> None:
    mode = "amd" if read_node(name).vendors == (Vendor.AMD,) else "cdi"
    findings = judge(read_node(name), replace(EXPECTED, container_mode=mode), "gpu01", LEADS)
    texts = [{k: v for k, v in each.to_dict().items() if v and k != "host"} for each in findings]
    assert texts == json.loads((NODES / name / "findings.json").read_text())


def test_every_node_of_the_fixtures_is_judged_here() -> None:
    assert sorted(path.name for path in NODES.iterdir()) == sorted(row[0] for row in DIAGNOSES)


def test_every_fixture_says_where_it_comes_from() -> None:
    origins = [json.loads((path / "origin.json").read_text()) for path in NODES.iterdir()]
    assert {origin["origin"] for origin in origins} == {"documentation", "public-dump", "invented"}
    assert all(origin["source"] for origin in origins if origin["origin"] != "invented")


def test_every_error_and_warning_names_what_was_seen_expected_and_the_fix() -> None:
    found = [
        each for row in DIAGNOSES for each in judge(read_node(row[0]), EXPECTED, "gpu01", LEADS)
    ]
    assert [e.code for e in found if not (e.message and e.seen)] == []
    grave = [each for each in found if each.severity.value != "note"]
    assert [each.code for each in grave if not (each.expected and each.fix)] == []


BEFORE = Expectation(driver_required=False)


@pytest.mark.parametrize(
    ("name", "expected", "diagnosis"),
    [
        pytest.param("no-gpu", Expectation(expect_gpus=False), [], id="none-wanted-none-there"),
        pytest.param("driver-missing", BEFORE, [], id="hardware-only"),
        pytest.param("driver-525.147.05", BEFORE, [], id="hardware-only-old-driver"),
        pytest.param(
            "bar1-zero-before-driver", BEFORE, ["error bar1-zero"], id="hardware-only-bar"
        ),
        pytest.param("held-by-nouveau", BEFORE, ["note gpu-held-by"], id="hardware-only-nouveau"),
        pytest.param("nouveau-loaded", BEFORE, ["note nouveau-loaded"], id="hardware-only-loaded"),
        pytest.param("held-by-vfio", BEFORE, ["warning gpu-held-by"], id="hardware-only-vfio"),
        pytest.param(
            "rtx4090", Expectation(vendor=Vendor.AMD), ["error wrong-vendor"], id="wrong-vendor"
        ),
        pytest.param(
            "both-vendors",
            Expectation(vendor=Vendor.NVIDIA),
            ["warning mixed-vendors"],
            id="one-of-both-vendors",
        ),
        pytest.param("driver-525.147.05", Expectation(min_version="525"), [], id="a-lowered-bound"),
        pytest.param("driver-591.44", Expectation(max_version=None), [], id="no-upper-bound"),
        pytest.param(
            "rtx4090",
            Expectation(min_version="580.95.05", max_version="580.95.05"),
            [],
            id="one-exact-version",
        ),
        pytest.param(
            "rtx4090",
            Expectation(min_version="580.95.06"),
            ["error driver-below-range"],
            id="an-exact-lower-bound",
        ),
        pytest.param(
            "rtx4090", Expectation(max_version="latest"), ["error range-invalid"], id="no-version"
        ),
        pytest.param(
            "rtx4090", Expectation(min_version="600"), ["error range-invalid"], id="crossed-bounds"
        ),
        pytest.param("toolkit-1.16.1", Expectation(toolkit_min_version=None), [], id="any-toolkit"),
        pytest.param(
            "toolkit-missing", Expectation(), ["warning toolkit-missing"], id="no-container-wanted"
        ),
    ],
)
def test_the_expectation_decides(name: str, expected: Expectation, diagnosis: list[str]) -> None:
    assert said(read_node(name), expected) == diagnosis


def test_secure_boot_warns_before_the_installation() -> None:
    node = replace(read_node("driver-missing"), secure_boot=True, module_signed=None)
    assert said(node, BEFORE) == ["warning secure-boot-unsigned"]
    assert said(node) == ["error driver-missing"]


def test_all_gpus_set_aside_for_virtual_machines_are_an_error() -> None:
    node = read_node("held-by-vfio")
    held = tuple(gpu for gpu in node.gpus if gpu.kernel_driver == "vfio-pci")
    assert said(replace(node, gpus=held), BEFORE) == ["error gpu-held-by"]


def test_an_xid_that_calls_itself_nonfatal_stops_nothing() -> None:
    node = read_node("xid-hardware")
    words = "NVRM: Xid (PCI:{}): 149, NETIR_LINK_EVT Nonfatal XC0 i0 Link 01"
    log = (words.format(node.gpus[0].pci_address[:-2]),)
    assert said(replace(node, kernel_log=log)) == ["warning xid"]


def test_a_partitioned_gpu_without_parts_is_not_missed_in_a_container() -> None:
    node = read_node("mig-empty")
    without = sum(not gpu.mig.enabled or bool(gpu.mig.devices) for gpu in node.gpus)
    assert without < len(node.gpus)
    assert said(replace(node, container=ContainerView(gpus=without))) == ["warning mig-empty"]


def test_a_module_that_is_built_needs_no_headers() -> None:
    node = replace(read_node("headers-missing"), module_signed=False)
    assert said(node) == ["error driver-not-loaded"]


def test_every_code_is_said_by_some_test() -> None:
    told = {each.split()[1] for row in DIAGNOSES for each in row[1]}
    assert {code.value for code in Code} - told == {"wrong-vendor", "range-invalid"}


def test_the_document_explains_every_code_and_no_other() -> None:
    text = (ROOT / "docs" / "gpu-findings.md").read_text()
    explained = re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE)
    assert sorted(explained) == sorted(code.value for code in Code)


def test_nothing_is_said_about_a_gpu_of_which_nothing_is_known() -> None:
    bare = {"vendor": "nvidia", "pci_address": "0000:01:00.0"}
    assert said(from_plain(GpuNode, {"gpus": [bare]}), BEFORE) == []
    assert said(from_plain(GpuNode, {"gpus": [bare]})) == ["error driver-missing"]


def test_a_lost_gpu_is_told_once() -> None:
    node = read_node("gpu-lost")
    assert said(replace(node, kernel_log=node.kernel_log * 20)) == ["error gpu-lost"]


def test_sixteen_gpus_without_a_driver_are_one_finding() -> None:
    node = read_node("driver-missing")
    more = tuple(
        replace(gpu, pci_address=gpu.pci_address.replace("0000", "0001")) for gpu in node.gpus
    )
    (finding,) = judge(replace(node, gpus=node.gpus + more), EXPECTED, "gpu01", LEADS)
    assert finding.message.startswith("The node has 16 NVIDIA GPUs and no NVIDIA driver.")


def test_addresses_that_the_driver_does_not_tell_are_no_missing_gpus() -> None:
    node = read_node("none-in-driver")
    stack = replace(node.stacks[0], driver_gpus=2)
    assert said(replace(node, stacks=(stack,))) == []


@pytest.mark.parametrize("order", [1, -1], ids=["as-found", "reversed"])
def test_the_order_of_findings_does_not_depend_on_the_order_of_gpus(order: int) -> None:
    node = read_node("h100-hgx-8")
    slow = tuple(replace(gpu, link=replace(gpu.link, width=8)) for gpu in node.gpus)[::order]
    findings = judge(replace(node, gpus=slow), EXPECTED, "gpu01", LEADS)
    places = [each.message.split()[1] for each in findings]
    assert places == sorted(places)
    assert len(places) == 8


@pytest.mark.parametrize(
    ("name", "vendor"),
    [
        pytest.param("rtx4090", Vendor.NVIDIA, id="works"),
        pytest.param("mi300x-8", Vendor.AMD, id="amd"),
        pytest.param("driver-missing", None, id="no-driver"),
        pytest.param("driver-hangs", None, id="no-answer"),
        pytest.param("none-in-driver", None, id="no-gpu-in-the-driver"),
        pytest.param("no-gpu", None, id="no-gpu"),
    ],
)
def test_a_container_is_asked_only_where_a_gpu_works(name: str, vendor: Vendor | None) -> None:
    assert container_vendor(read_node(name), EXPECTED) == vendor


def test_a_toolkit_that_no_package_brought_is_not_missed_where_containers_see_all() -> None:
    node = read_node("toolkit-missing")
    assert said(replace(node, container=ContainerView(gpus=2))) == []


@pytest.mark.parametrize(
    ("loaded", "release"),
    [
        ("6.10.5", "6.3"),
        ("6.14.14", "30.10"),
        ("6.16.6", "30.20"),
        ("6.16.13", "30.30"),
        ("6.19.4", None),
        ("", None),
        (None, None),
    ],
    ids=str,
)
def test_the_version_of_amdgpu_tells_its_release(loaded: str | None, release: str | None) -> None:
    assert driver_release(loaded) == release


@pytest.mark.parametrize(
    "text",
    ["", "N/A", "580.95.05.x", "580..1", "\x00", "9" * 5000, "é", "-1", "580.95.05 590.48.01"],
    ids=lambda text: repr(text[:20]),
)
def test_garbage_for_a_version_is_a_finding_and_no_crash(text: str) -> None:
    node = read_node("rtx4090")
    stack = replace(node.stacks[0], loaded=text, library=text, package=text, toolkit=text)
    assert said(replace(node, stacks=(stack,))) == [
        "warning driver-version-unreadable",
        "warning toolkit-version-unreadable",
    ]


@pytest.mark.parametrize(
    ("leads", "limit"),
    [
        pytest.param(("ray_head",), "ray_head,gpu01", id="ray"),
        pytest.param(("k3s_server",), "k3s_server,gpu01", id="k3s"),
        pytest.param(("ray_head", "k3s_server"), "ray_head,k3s_server,gpu01", id="both"),
        pytest.param((), "gpu01", id="neither"),
    ],
)
def test_a_command_names_the_groups_that_the_inventory_has(
    leads: tuple[str, ...], limit: str
) -> None:
    (finding,) = judge(read_node("held-by-nouveau"), EXPECTED, "gpu01", leads)
    assert finding.fix == (
        f"ansible-playbook -i inv.ini playbooks/provision.yml --limit {limit}   (it keeps the "
        "module from loading; then boot the node)"
    )
