# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an NVIDIA PCI device id says of drivers: generation, kernel modules, lowest and last branch.

The id ranges are facts of pci.ids (pciutils/pciids, August 2026). Which ids the open kernel module
knows, and since which branch, are facts of the list in the README of NVIDIA/open-gpu-kernel-modules
through its history from 515.43.04 to 595.45.04. An id that no range holds is unknown: None, never a
guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional

OPEN = "open"
PROPRIETARY = "proprietary"
AUTO = "auto"

#: Up to branch 555 the open module was finished for data centre GPUs only; from 560 on NVIDIA
#: recommends it for every GPU that it knows (CUDA installation guide, "Kernel Modules").
OPEN_RECOMMENDED_FROM = 560
#: The open module needs the GPU System Processor, which came with Turing (README named above).
_OPEN_KNOWS = ("turing", "ampere", "hopper", "ada", "blackwell")
#: Blackwell and Grace Hopper run with the open module only (NVIDIA's driver installation guide).
_OPEN_ONLY = ("blackwell",)
_GRACE_HOPPER = (0x2342, 0x2348)

# First and last id of a generation, in the order of the ids. Where two generations share a
# stretch of numbers, the ranges are cut as pci.ids has them.
_RANGES = (
    (0x0FA0, 0x103F, "kepler"),
    (0x1180, 0x11FF, "kepler"),
    (0x1280, 0x130B, "kepler"),
    (0x1340, 0x1436, "maxwell"),
    (0x15C2, 0x15FF, "pascal"),  # GP100
    (0x1613, 0x1676, "maxwell"),  # GM204 in notebooks
    (0x1725, 0x172F, "pascal"),  # GP100
    (0x174D, 0x17FD, "maxwell"),
    (0x1B00, 0x1D56, "pascal"),
    (0x1D81, 0x1DF6, "volta"),
    (0x1E02, 0x1FF9, "turing"),
    (0x2080, 0x20FF, "ampere"),  # GA100
    (0x2182, 0x21D1, "turing"),  # TU116, TU117
    (0x2200, 0x223F, "ampere"),
    (0x2302, 0x23F0, "hopper"),
    (0x2414, 0x25FB, "ampere"),
    (0x2681, 0x28F8, "ada"),
    (0x2900, 0x2F58, "blackwell"),
    (0x3180, 0x3340, "blackwell"),  # GB110: B300, GB300
)

# Lowest branch that knows the first GPUs of a generation, last branch that knows any of it (None:
# no end is announced). 470 ends Kepler, 580 ends Maxwell, Pascal and Volta (NVIDIA's notes on
# legacy GPUs). The lowest ones of Maxwell to Ampere lie far below what anybody installs.
_BRANCHES: dict[str, tuple[int, Optional[int]]] = {
    "kepler": (304, 470),
    "maxwell": (340, 580),
    "pascal": (375, 580),
    "volta": (384, 580),
    "turing": (410, None),
    "ampere": (450, None),
    "ada": (525, None),
    "hopper": (525, None),
    "blackwell": (570, None),
}
# GPUs that came later than the first ones of their generation.
_FIRST_BRANCH = {
    0x20BD: 535,  # A800 40GB Active
    0x20FD: 535,
    0x230E: 580,
    0x2321: 535,  # H100L 94GB
    0x2329: 535,  # H20
    0x232C: 535,
    0x2335: 550,  # H200 SXM 141GB
    0x233A: 535,  # H800L 94GB
    0x233B: 565,  # H200 NVL
    0x2342: 535,  # GH200 480GB
    0x2348: 565,  # GH200 144G HBM3e
    0x2685: 535,
    0x26B2: 535,  # RTX 5000 Ada Generation
    0x26B3: 535,
    0x26B9: 535,  # L40S
    0x26BA: 535,  # L20
    0x27B1: 535,
    0x27B2: 535,
    0x27B6: 535,
    0x27FB: 535,
    0x29BB: 580,
    0x2B8C: 580,
    0x2BB9: 580,
    0x2E12: 580,  # GB10
    0x3182: 580,  # B300 SXM6 AC
    0x31C2: 580,  # GB300
}
_ID = re.compile(r"(?:0x)?([0-9a-f]{4})", re.IGNORECASE)


@dataclass(frozen=True)
class Modules:
    """Whether each of the two kernel modules drives all GPUs; else the reason why not."""

    open_problem: str = ""
    proprietary_problem: str = ""

    @property
    def fitting(self) -> tuple[str, ...]:
        """Return the modules that drive all GPUs."""
        known = ((OPEN, self.open_problem), (PROPRIETARY, self.proprietary_problem))
        return tuple(name for name, problem in known if not problem)


@dataclass(frozen=True)
class Branches:
    """The driver branches that know all GPUs; ``last`` is None where no end is announced."""

    lowest: Optional[int] = None
    last: Optional[int] = None
    problem: str = ""


def architecture(device_id: str) -> Optional[str]:
    """Return the generation of a GPU ("hopper" for 0x2330), None for an id that is not known."""
    number = _number(device_id)
    if number is None:
        return None
    return next((name for first, last, name in _RANGES if first <= number <= last), None)


def kernel_modules(device_ids: Iterable[str]) -> Modules:
    """Return which of the open and the proprietary kernel module drive all of these GPUs."""
    ids = _distinct(device_ids)
    unknown = [each for each in ids if architecture(each) is None]
    if unknown or not ids:
        reason = _unknown(unknown)
        return Modules(open_problem=reason, proprietary_problem=reason)
    too_old = [each for each in ids if architecture(each) not in _OPEN_KNOWS]
    too_new = [each for each in ids if _needs_open(each)]
    return Modules(
        open_problem=_said(too_old, "the open kernel module needs Turing or newer"),
        proprietary_problem=_said(too_new, "the proprietary kernel module does not drive it"),
    )


def branches(device_ids: Iterable[str]) -> Branches:
    """Return the lowest and the last driver branch that know all of these GPUs."""
    ids = _distinct(device_ids)
    unknown = [each for each in ids if architecture(each) is None]
    if unknown or not ids:
        return Branches(problem=_unknown(unknown))
    lowest = max(ids, key=_first_branch)
    ends = [each for each in ids if _last_branch(each) is not None]
    last = min(ends, key=lambda each: _last_branch(each) or 0) if ends else None
    problem = ""
    if last is not None and _first_branch(lowest) > (_last_branch(last) or 0):
        problem = (
            f"no driver branch knows all GPUs: {_named(lowest)} needs branch "
            f"{_first_branch(lowest)} or later, {_named(last)} ends at {_last_branch(last)}"
        )
    return Branches(_first_branch(lowest), _last_branch(last) if last else None, problem)


def choose_kernel_module(
    device_ids: Iterable[str], wanted: str, branch: Optional[str]
) -> tuple[Optional[str], str]:
    """Return the kernel module to install ("open" or "proprietary") and "", or None and why not.

    ``wanted`` is auto, open or proprietary; ``branch`` is the driver branch ("580"), None where
    it is not decided here.
    """
    ids = _distinct(device_ids)
    found = branches(ids)
    # Whoever names the module knows the GPU better than the table: only auto needs to know it.
    if wanted in (OPEN, PROPRIETARY) and any(architecture(each) is None for each in ids):
        return wanted, ""
    problem = found.problem or _branch_problem(ids, found, _branch_number(branch))
    if problem:
        return None, problem
    modules = kernel_modules(ids)
    if wanted in (OPEN, PROPRIETARY):
        refused = modules.open_problem if wanted == OPEN else modules.proprietary_problem
        return (None, f"nvidia_kernel_module={wanted}: {refused}") if refused else (wanted, "")
    return _automatic(modules, _branch_number(branch))


def _automatic(modules: Modules, branch: Optional[int]) -> tuple[Optional[str], str]:
    """Return the module that NVIDIA recommends for GPUs and branch."""
    if not modules.fitting:
        return None, f"no kernel module drives all GPUs: {_both(modules)}"
    recommended = OPEN if branch is None or branch >= OPEN_RECOMMENDED_FROM else PROPRIETARY
    return (recommended if recommended in modules.fitting else modules.fitting[0]), ""


def _both(modules: Modules) -> str:
    return "; ".join(each for each in (modules.open_problem, modules.proprietary_problem) if each)


def _branch_problem(ids: Sequence[str], found: Branches, branch: Optional[int]) -> str:
    """Return why a driver branch does not know one of the GPUs, "" where it knows all."""
    if branch is None:
        return ""
    if found.lowest is not None and branch < found.lowest:
        newest = max(ids, key=_first_branch)
        return f"driver branch {branch} does not know {_named(newest)}: it needs {found.lowest}"
    if found.last is not None and branch > found.last:
        oldest = min(ids, key=lambda each: _last_branch(each) or branch)
        return f"driver branch {branch} does not know {_named(oldest)}: its last is {found.last}"
    return ""


def _branch_number(branch: Optional[str]) -> Optional[int]:
    """Return 580 for "580", "580.95.05" and "580-open", None for what begins with no number."""
    found = re.match(r"\s*(\d{1,5})(?!\d)", str(branch or ""))
    return int(found.group(1)) if found else None


def _number(device_id: str) -> Optional[int]:
    found = _ID.fullmatch(str(device_id).strip())
    return int(found.group(1), 16) if found else None


def _distinct(device_ids: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(str(each).strip().lower() for each in device_ids))


def _first_branch(device_id: str) -> int:
    number = _number(device_id) or 0
    return _FIRST_BRANCH.get(number, _BRANCHES[architecture(device_id) or ""][0])


def _last_branch(device_id: str) -> Optional[int]:
    return _BRANCHES[architecture(device_id) or ""][1]


def _needs_open(device_id: str) -> bool:
    return architecture(device_id) in _OPEN_ONLY or _number(device_id) in _GRACE_HOPPER


def _named(device_id: str) -> str:
    return f"GPU {device_id} ({(architecture(device_id) or 'unknown').capitalize()})"


def _said(ids: Sequence[str], reason: str) -> str:
    return f"{', '.join(map(_named, ids))}: {reason}" if ids else ""


def _unknown(ids: Sequence[str]) -> str:
    if not ids:
        return "no NVIDIA GPU was found on the PCI bus"
    return (
        f"the generation of GPU {', '.join(ids)} is not known; "
        "set nvidia_kernel_module to open or proprietary"
    )
