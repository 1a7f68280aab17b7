# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel log says about GPUs: NVIDIA's Xid numbers, and the lines of amdgpu.

The numbers, their meaning and what to do about them: NVIDIA, "Xid Errors", the catalogue at
docs.nvidia.com/deploy/xid-errors. Nothing here reads or writes anything.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional


class Remedy(enum.Enum):
    """Who or what helps after an event."""

    APPLICATION = "application"
    RESET = "reset"
    HARDWARE = "hardware"
    WATCH = "watch"


@dataclass(frozen=True)
class Meaning:
    """What an Xid number stands for."""

    text: str
    remedy: Remedy


XIDS: dict[int, Meaning] = {
    8: Meaning("the GPU stopped processing", Remedy.APPLICATION),
    11: Meaning("an invalid or corrupted push buffer", Remedy.APPLICATION),
    13: Meaning("a graphics engine exception", Remedy.APPLICATION),
    31: Meaning("a page fault in the GPU's memory", Remedy.APPLICATION),
    32: Meaning("an invalid or corrupted push buffer", Remedy.APPLICATION),
    38: Meaning("an error of the driver's firmware", Remedy.RESET),
    43: Meaning("the GPU stopped processing after a fault of the program", Remedy.APPLICATION),
    44: Meaning("a graphics engine fault while contexts changed", Remedy.RESET),
    45: Meaning("clean-up after an earlier error", Remedy.APPLICATION),
    46: Meaning("the GPU stopped processing", Remedy.RESET),
    48: Meaning("a memory error that ECC could not correct", Remedy.RESET),
    54: Meaning("the auxiliary power is not connected", Remedy.HARDWARE),
    61: Meaning("a breakpoint of the internal microcontroller", Remedy.RESET),
    62: Meaning("the internal microcontroller halted", Remedy.RESET),
    63: Meaning("a memory row was marked for replacement, or a page for retirement", Remedy.RESET),
    64: Meaning("a memory row or page could not be replaced", Remedy.HARDWARE),
    68: Meaning("a video decoder exception", Remedy.APPLICATION),
    69: Meaning("a graphics engine class error", Remedy.APPLICATION),
    74: Meaning("an NVLink error", Remedy.HARDWARE),
    79: Meaning("the GPU has fallen off the bus", Remedy.HARDWARE),
    92: Meaning("many single-bit memory errors", Remedy.WATCH),
    94: Meaning("a memory error that was contained to one program", Remedy.RESET),
    95: Meaning("a memory error that was not contained", Remedy.RESET),
    109: Meaning("a context switch took too long", Remedy.RESET),
    110: Meaning("a security fault", Remedy.RESET),
    119: Meaning("the GPU's system processor (GSP) did not answer", Remedy.RESET),
    120: Meaning("an error of the GPU's system processor (GSP)", Remedy.RESET),
    121: Meaning("a corrected error of the chip-to-chip link", Remedy.WATCH),
    137: Meaning("a fault on another GPU's memory over NVLink", Remedy.APPLICATION),
    140: Meaning("an ECC error that was not recovered", Remedy.RESET),
    143: Meaning("the GPU could not be initialised", Remedy.RESET),
    **dict.fromkeys(range(144, 151), Meaning("an error of an NVLink 5 link", Remedy.HARDWARE)),
    154: Meaning("the driver says how the GPU has to be recovered", Remedy.RESET),
    156: Meaning("a part of the GPU was retired", Remedy.RESET),
    157: Meaning("a part of the GPU could not be retired", Remedy.HARDWARE),
    158: Meaning("a fatal timeout of the GPU", Remedy.RESET),
}
UNKNOWN = Meaning("an event that is not in this collection's table", Remedy.WATCH)
OFF_THE_BUS = 79

_XID = re.compile(
    r"NVRM: Xid \((?:PCI:)?([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2})(?:\.[0-9a-f])?[^)]*\): "
    r"([0-9]{1,4})(?![0-9])",
    re.IGNORECASE,
)
_SXID = re.compile(r"nvidia-nvswitch[0-9]*: SXid \(PCI:([0-9a-f:.]+)\): ([0-9]+), (.*)", re.I)
_LOST = re.compile(r"fallen off the bus|device lost from bus", re.IGNORECASE)
_RAS = re.compile(r"[1-9][0-9]* (?:new )?uncorrectable (?:hardware )?errors? ", re.IGNORECASE)
_RING = re.compile(r"\*?ring (\S+) timeout", re.IGNORECASE)
_INIT = re.compile(r"amdgpu.*(?:Fatal error during GPU init|amdgpu_device_ip_init failed)", re.I)
_REGION = "This PCI I/O region assigned to your NVIDIA device is invalid"


@dataclass(frozen=True)
class XidEvent:
    """One number about one GPU, with how often the log has it and its last line."""

    address: str
    number: int
    count: int
    line: str

    @property
    def meaning(self) -> Meaning:
        """Return what the number stands for."""
        return XIDS.get(self.number, UNKNOWN)


@dataclass(frozen=True)
class SwitchEvent:
    """One line about an NVSwitch."""

    address: str
    number: int
    fatal: bool
    line: str


def tidy(line: str) -> str:
    """Return a line of the log without its time stamp and with single spaces."""
    return " ".join(re.sub(r"^\s*\[\s*[0-9.]+\]", "", line).split())


def parse_xids(log: Iterable[str]) -> list[XidEvent]:
    """Return the Xid events of a log, one for each GPU and number, in the order of the log."""
    found: dict[tuple[str, int], list[str]] = {}
    for line in log:
        match = _XID.search(line)
        if match:
            key = (f"{match.group(1).lower()[-10:]}.0", int(match.group(2)))
            found.setdefault(key, []).append(tidy(line))
    return [
        XidEvent(address, number, len(lines), lines[-1])
        for (address, number), lines in found.items()
    ]


def parse_switch_events(log: Iterable[str]) -> list[SwitchEvent]:
    """Return the last event of each NVSwitch and number."""
    found: dict[tuple[str, int], SwitchEvent] = {}
    for line in log:
        match = _SXID.search(line)
        if match:
            fatal = match.group(3).lower().startswith("fatal")
            key = (match.group(1).lower(), int(match.group(2)))
            found[key] = SwitchEvent(*key, fatal, tidy(line))
    return list(found.values())


def lines_about(log: Iterable[str], address: str) -> list[str]:
    """Return the lines that name a GPU by its PCI address, with or without its function."""
    short, _dot, function = address.lower().partition(".")
    # Not another function of the same card, such as its audio device.
    other = rf"\.[^{re.escape(function or '0')}\s]|[0-9a-f]"
    named = re.compile(rf"(?<![0-9a-f])0{{0,4}}{re.escape(short)}(?!{other})")
    return [tidy(line) for line in log if named.search(line.lower())]


def last_about(log: Iterable[str], address: str) -> Optional[str]:
    """Return the last complaint about a GPU: NVIDIA's and amdgpu's own lines come first."""
    lines = lines_about(log, address)
    own = [line for line in lines if "NVRM" in line or "*ERROR*" in line or _INIT.search(line)]
    # RmInitAdapter's line has the numbers that NVIDIA asks for; what follows only repeats it.
    told = [line for line in own if "RmInitAdapter" in line] or own or lines
    return told[-1] if told else None


def bar_lines(log: Sequence[str], address: str) -> list[str]:
    """Return the lines that say that the BIOS found no room for a GPU's memory region."""
    about = [line for line in lines_about(log, address) if re.search(r"BAR\s?[0-9] is 0M", line)]
    intro = [tidy(line) for line in log if _REGION in line][:1] if about else []
    return intro + about[-1:]


def lost_line(log: Iterable[str], address: str) -> Optional[str]:
    """Return the line that says that a GPU has left the bus."""
    lines = [line for line in lines_about(log, address) if _LOST.search(line)]
    return lines[-1] if lines else None


def ras_line(log: Iterable[str], address: str) -> Optional[str]:
    """Return amdgpu's last line about memory errors that could not be corrected."""
    lines = [line for line in lines_about(log, address) if _RAS.search(line)]
    return lines[-1] if lines else None


def ring_line(log: Iterable[str], address: str) -> Optional[str]:
    """Return amdgpu's last line about work that a GPU did not finish."""
    lines = [line for line in lines_about(log, address) if _RING.search(line)]
    return lines[-1] if lines else None


def refused_line(log: Iterable[str], address: str) -> Optional[str]:
    """Return the line in which NVIDIA's driver says that it does not serve a GPU."""
    about = lines_about(log, address)
    refusals = (
        "is not supported by",
        "requires use of the NVIDIA open kernel modules",
        "supported through the NVIDIA",
    )
    lines = [line for line in about if any(text in line for text in refusals)]
    return lines[-1] if lines else None
