"""Claims about the kernel's lines about GPUs."""

from __future__ import annotations

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_log import (
    gpu_lines,
    is_whole,
)

from tests.unit.plugins.gpu_trees import FIXTURES


def log(name: str, program: str = "dmesg") -> str:
    data = (FIXTURES / "system" / name / f"{program}.txt").read_bytes()
    return data.decode("utf-8", "replace")


def test_lines_of_missing_room_are_kept() -> None:
    assert gpu_lines([log("log-bar1")], ["0000:56:00.0", "0000:57:00.0"]) == (
        "[    1.204411] pci 0000:56:00.0: BAR 1: no space for [mem size 0x1000000000 64bit pref]",
        "[    1.204413] pci 0000:56:00.0: BAR 1: failed to assign"
        " [mem size 0x1000000000 64bit pref]",
        "[   37.010658] NVRM: This PCI I/O region assigned to your NVIDIA device is invalid:",
        "               NVRM: BAR1 is 0M @ 0x0 (PCI:0000:56:00.0)",
        "[   37.010660] nvidia: probe of 0000:56:00.0 failed with error -1",
        "[   37.510001] NVRM: loading NVIDIA UNIX x86_64 Kernel Module  525.85.05"
        "  Sat Jan 14 00:49:50 UTC 2023",
    )


def test_journal_gives_what_dmesg_lost_and_nothing_twice() -> None:
    logs = [log("log-journal", "journal"), log("log-journal")]
    assert gpu_lines(logs) == (
        "[    5.100000] NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  580.95.05",
        "[    5.200000] nvidia: module verification failed: signature and/or required key missing"
        " - tainting kernel",
        "[ 9321.550999] NVRM: Xid (PCI:0000:3b:00): 79, pid='<unknown>', name=<unknown>,"
        " GPU has fallen off the bus.",
    )


def test_amdgpu_is_kept_where_it_tells_trouble() -> None:
    assert gpu_lines([log("log-amdgpu")], ["0000:05:00.0", "0000:26:00.0"]) == (
        "[  801.000001] amdgpu 0000:05:00.0: amdgpu: 1 uncorrectable hardware errors detected"
        " in umc block",
        "[  901.000001] amdgpu 0000:26:00.0: amdgpu: ring comp_1.0.0 timeout, signaled seq=12,"
        " emitted seq=14",
        "[  902.000001] pcieport 0000:04:00.0: AER: Correctable error message received"
        " from 0000:05:00.0",
    )


def test_strange_bytes_are_replaced_and_endless_lines_cut() -> None:
    first, second = gpu_lines([log("log-not-utf8")])
    assert first == "[    1.000000] NVRM: caf\ufffd  [31mred"
    assert second == "[    2.000000] NVRM: " + "x" * 379


def test_repeated_messages_of_one_log_all_count() -> None:
    text = "".join(f"[ {second}.0] NVRM: Xid (PCI:0000:3b:00): 31\n" for second in (1, 2, 3))
    assert gpu_lines([text]) == (
        "[ 1.0] NVRM: Xid (PCI:0000:3b:00): 31",
        "[ 2.0] NVRM: Xid (PCI:0000:3b:00): 31",
        "[ 3.0] NVRM: Xid (PCI:0000:3b:00): 31",
    )


def test_of_a_storm_the_beginning_and_the_end_remain() -> None:
    lines = gpu_lines(["".join(f"[ {number}.0] NVRM: Xid\n" for number in range(1000))])
    assert len(lines) == 200
    assert lines[0] == "[ 0.0] NVRM: Xid"
    assert lines[99] == "[ 99.0] NVRM: Xid"
    assert lines[100] == "[ 900.0] NVRM: Xid"
    assert lines[-1] == "[ 999.0] NVRM: Xid"


def test_log_with_the_first_message_of_a_boot_is_whole() -> None:
    assert is_whole(log("log-bar1"))
    assert not is_whole(log("log-journal"))
    assert not is_whole("")
