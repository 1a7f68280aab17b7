"""Claims about the kernel log's lines of GPUs."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_xid import (
    XIDS,
    Remedy,
    SwitchEvent,
    XidEvent,
    bar_lines,
    last_about,
    lines_about,
    lost_line,
    parse_switch_events,
    parse_xids,
    ras_line,
    refused_line,
    ring_line,
)

GPU = "0000:3b:00.0"


@pytest.mark.parametrize(
    ("line", "address", "number"),
    [
        pytest.param(
            "[  1.5] NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus.",
            "0000:3b:00.0",
            79,
            id="usual",
        ),
        pytest.param(
            "NVRM: Xid (0000:03:00): 14, Channel 00000001", "0000:03:00.0", 14, id="old-driver"
        ),
        pytest.param(
            "NVRM: Xid (PCI:0000:3B:00): 48, pid=1", "0000:3b:00.0", 48, id="capital-letters"
        ),
        pytest.param(
            "NVRM: Xid (PCI:0000:3b:00 GPU-I:02): 94, pid=7", "0000:3b:00.0", 94, id="mig-part"
        ),
        pytest.param(
            "kernel: NVRM: Xid (PCI:0001:00:00): 119, pid=7", "0001:00:00.0", 119, id="domain"
        ),
        pytest.param("NVRM: Xid (PCI:0000:3b:00): 31\xff\x00", GPU, 31, id="garbage-behind"),
    ],
)
def test_an_xid_is_read(line: str, address: str, number: int) -> None:
    (event,) = parse_xids([line])
    assert (event.address, event.number, event.count) == (address, number, 1)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Xid 79",
        "NVRM: Xid (PCI:0000:3b:00): ",
        "NVRM: Xid (PCI:): 79",
        "NVRM: loading 580.95.05",
    ],
    ids=["empty", "words", "cut", "no-address", "other"],
)
def test_half_a_line_is_no_xid(line: str) -> None:
    assert parse_xids([line]) == []


def test_the_same_xid_of_a_gpu_is_counted_and_its_last_line_kept() -> None:
    log = [f"[ {n}.0] NVRM: Xid (PCI:0000:3b:00): 31,  pid={n}" for n in range(3)]
    log.append("NVRM: Xid (PCI:0000:af:00): 31, pid=9")
    assert parse_xids(log) == [
        XidEvent("0000:3b:00.0", 31, 3, "NVRM: Xid (PCI:0000:3b:00): 31, pid=2"),
        XidEvent("0000:af:00.0", 31, 1, "NVRM: Xid (PCI:0000:af:00): 31, pid=9"),
    ]


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (13, Remedy.APPLICATION),
        (31, Remedy.APPLICATION),
        (43, Remedy.APPLICATION),
        (45, Remedy.APPLICATION),
        (48, Remedy.RESET),
        (63, Remedy.RESET),
        (64, Remedy.HARDWARE),
        (74, Remedy.HARDWARE),
        (79, Remedy.HARDWARE),
        (92, Remedy.WATCH),
        (94, Remedy.RESET),
        (95, Remedy.RESET),
        (119, Remedy.RESET),
        (120, Remedy.RESET),
        (137, Remedy.APPLICATION),
        (140, Remedy.RESET),
        (150, Remedy.HARDWARE),
        (999, Remedy.WATCH),
    ],
    ids=str,
)
def test_what_helps_after_an_xid(number: int, remedy: Remedy) -> None:
    assert XidEvent(GPU, number, 1, "").meaning.remedy is remedy


def test_every_number_has_a_meaning_in_words() -> None:
    assert len(XIDS) == 42
    assert all(meaning.text == meaning.text.strip() and meaning.text for meaning in XIDS.values())


def test_switch_events_tell_fatal_from_not_fatal() -> None:
    log = [
        "[ 5.0] nvidia-nvswitch3: SXid (PCI:0000:0a:00.0): 20034, Fatal, Link 26",
        "nvidia-nvswitch0: SXid (PCI:0000:07:00.0): 12028, Non-fatal, Link 32",
        "nvidia-nvswitch0: SXid (PCI:0000:07:00.0): 12028, Non-fatal, Link 33",
    ]
    assert parse_switch_events(log) == [
        SwitchEvent(
            "0000:0a:00.0",
            20034,
            True,
            "nvidia-nvswitch3: SXid (PCI:0000:0a:00.0): 20034, Fatal, Link 26",
        ),
        SwitchEvent(
            "0000:07:00.0",
            12028,
            False,
            "nvidia-nvswitch0: SXid (PCI:0000:07:00.0): 12028, Non-fatal, Link 33",
        ),
    ]


@pytest.mark.parametrize(
    ("line", "is_about"),
    [
        ("NVRM: GPU 0000:3b:00.0: RmInitAdapter failed!", True),
        ("NVRM: BAR1 is 0M @ 0x0 (PCI:0000:3b:00.0)", True),
        ("NVRM: GPU 00000000:3B:00.0 is lost", True),
        ("pci 0000:3b:00: something", True),
        ("snd_hda_intel 0000:3b:00.1: no codecs", False),
        ("NVRM: GPU 0001:3b:00.0: other domain", False),
        ("NVRM: GPU 0000:3b:00a", False),
        ("NVRM: GPU 0000:13b:00.0", False),
        ("NVRM: loading", False),
    ],
    ids=["gpu", "bar", "long-domain", "slot", "audio", "domain", "longer", "bus", "none"],
)
def test_a_line_is_about_a_gpu(line: str, is_about: bool) -> None:
    assert bool(lines_about([line], GPU)) is is_about


def test_the_two_lines_about_a_region_without_room_are_quoted_together() -> None:
    log = [
        "[   37.010658] NVRM: This PCI I/O region assigned to your NVIDIA device is invalid:",
        "               NVRM: BAR1 is 0M @ 0x0 (PCI:0000:3b:00.0)",
    ]
    assert bar_lines(log, GPU) == [
        "NVRM: This PCI I/O region assigned to your NVIDIA device is invalid:",
        "NVRM: BAR1 is 0M @ 0x0 (PCI:0000:3b:00.0)",
    ]
    assert bar_lines(log, "0000:af:00.0") == []


def test_the_driver_s_own_complaint_goes_before_later_lines_of_the_bus() -> None:
    log = [
        "NVRM: GPU 0000:3b:00.0: RmInitAdapter failed! (0x62:0xffff:2477)",
        "NVRM: GPU 0000:3b:00.0: rm_init_adapter failed, device minor number 0",
        "pcieport 0000:3a:00.0: AER: error message from 0000:3b:00.0",
    ]
    assert last_about(log, GPU) == log[0]
    assert last_about(log[2:], GPU) == log[2]
    assert last_about([], GPU) is None


def test_lines_of_amdgpu_are_told_apart() -> None:
    ring = "amdgpu 0000:3b:00.0: amdgpu: ring comp_1.1.0 timeout, signaled seq=7, emitted seq=9"
    ras = "amdgpu 0000:3b:00.0: amdgpu: 2 uncorrectable hardware errors detected in umc block"
    none = "amdgpu 0000:3b:00.0: amdgpu: 0 uncorrectable hardware errors detected in umc block"
    lost = "amdgpu 0000:3b:00.0: amdgpu: device lost from bus!"
    assert (ring_line([ring, ras], GPU), ras_line([ring, ras], GPU)) == (ring, ras)
    assert ras_line([none], GPU) is None
    assert (lost_line([lost], GPU), lost_line([ring], GPU)) == (lost, None)


def test_a_refused_gpu_is_found() -> None:
    line = (
        "NVRM: The NVIDIA GPU 0000:3b:00.0 (PCI ID: 10de:2901) installed in this system requires "
        "use of the NVIDIA open kernel modules."
    )
    assert refused_line([line], GPU) == line
    assert refused_line([line], "0000:af:00.0") is None
