# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of the kernel's log that are about GPUs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Optional

#: What is kept: the beginning has the causes, the end what happened last.
MOST_LINES = 200
_MOST_CHARACTERS = 400

#: The first message of a boot. The kernel's ring buffer loses it when it overflows.
_FIRST_MESSAGE = "Linux version "

# NVIDIA's driver says little in good health, so all of it is kept.
_NVIDIA = re.compile(r"\bNVRM\b|\bnvidia[-_:. ]|\bnouveau\b", re.IGNORECASE)
# amdgpu writes about a hundred lines for each healthy GPU; the bus has much to say too.
_AMD = re.compile(r"\bamdgpu|\bamdkfd|\bkfd\b|\bamdkcl\b")
_TROUBLE = re.compile(
    r"error|fail|fault|fatal|timeout|timed out|time-?out|hang|hung|\breset|invalid|unable|missing"
    r"|lost|can't|cannot|could not|no space|not enough|refus|denied|corrupt|uncorrect|poison"
    r"|threshold|taint|signature|\bAER\b|link (?:is )?down|limited by|version mismatch",
    re.IGNORECASE,
)

_STAMP = re.compile(r"^\[[\s\d.]+\]\s?")
# journalctl puts the host's name and "kernel:" between the time and the message.
_JOURNAL = re.compile(r"^(\[[\s\d.]+\]) \S+ kernel: ?")


def is_whole(log: str) -> bool:
    """Return whether the output of dmesg reaches back to the beginning of the boot."""
    return any(_FIRST_MESSAGE in line for line in log.splitlines()[:3])


def gpu_lines(logs: Sequence[str], addresses: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the lines about GPUs of the outputs of dmesg or journalctl, each message once a log.

    Of NVIDIA's driver and of nouveau all lines, of amdgpu and of the devices at ``addresses`` (PCI,
    as sysfs writes them) those that tell trouble. Of more than ``MOST_LINES`` the first and last.
    """
    known = _address_pattern(addresses)
    kept: list[str] = []
    seen: set[str] = set()
    for log in logs:
        # Where every line is looked at, only those that count are worth cleaning up.
        lines = (_JOURNAL.sub(r"\1 ", line, count=1) for line in log.splitlines())
        about = [_readable(line) for line in lines if _is_about_gpu(line, known)]
        fresh = [line for line in about if _message(line) not in seen]
        kept += fresh
        seen |= {_message(line) for line in fresh}
    half = MOST_LINES // 2
    return tuple(kept if len(kept) <= MOST_LINES else kept[:half] + kept[-half:])


def _readable(line: str) -> str:
    """Return a line without control characters and not endless."""
    cut = line[:_MOST_CHARACTERS]
    return "".join(c if c.isprintable() else " " for c in cut).rstrip()


def _message(line: str) -> str:
    return _STAMP.sub("", line).strip()


def _is_about_gpu(line: str, known: Optional[re.Pattern[str]]) -> bool:
    if _NVIDIA.search(line):
        return True
    concerns = _AMD.search(line) or (known is not None and known.search(line))
    return bool(concerns and _TROUBLE.search(line))


def _address_pattern(addresses: Iterable[str]) -> Optional[re.Pattern[str]]:
    """Return what finds any of the addresses, None without addresses."""
    quoted = sorted({re.escape(address) for address in addresses})
    return re.compile("|".join(quoted), re.IGNORECASE) if quoted else None
