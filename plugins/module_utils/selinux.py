# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SELinux's mode: what the configuration and the kernel say, and what must change."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

MODES = ("enforcing", "permissive", "disabled")


class SelinuxError(ValueError):
    """The mode cannot be had."""


@dataclass(frozen=True)
class SelinuxPlan:
    """The configuration's new text, the argument for setenforce, and whether a boot is needed."""

    text: str
    setenforce: str
    reboot_required: bool
    skipped: str = ""


def configured_mode(text: str) -> str:
    """Return the mode in the text of /etc/selinux/config; the last line that sets it counts."""
    found = re.findall(r"^\s*SELINUX\s*=\s*(\w+)", text, re.MULTILINE)
    return found[-1].lower() if found else ""


def with_mode(text: str, mode: str) -> str:
    """Return ``text`` with ``mode`` in the lines that set it, and every other byte as it was."""
    changed, count = re.subn(r"^(\s*SELINUX\s*=\s*)\w+", rf"\g<1>{mode}", text, flags=re.MULTILINE)
    if count:
        return changed
    joint = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{joint}SELINUX={mode}\n"


def plan_selinux(text: Optional[str], running: str, wanted: str) -> SelinuxPlan:
    """Return what takes the node to ``wanted``.

    ``text`` is None and ``running`` empty where there is no SELinux. Permissive only loosens: where
    the owner switched SELinux off it stays off, since switching it on means labelling every file.
    """
    running = running.strip().lower()
    if text is None or not running:
        return SelinuxPlan(text or "", "", False, "this node has no SELinux")
    off = running == "disabled" or configured_mode(text) == "disabled"
    if off and wanted == "permissive":
        return SelinuxPlan(text, "", False, "SELinux is disabled here, and stays so")
    if running == "disabled" and wanted == "enforcing":
        raise SelinuxError(
            "os_base_selinux is enforcing, but SELinux is disabled in the running kernel, so files "
            "were written without labels; expected a node that runs it. Set SELINUX=permissive in "
            "/etc/selinux/config, run 'fixfiles -F onboot' and boot the node, then run again"
        )
    target = "Enforcing" if wanted == "enforcing" else "Permissive"
    number = "1" if wanted == "enforcing" else "0"
    differs = running not in (target.lower(), "disabled")
    after = text if configured_mode(text) == wanted else with_mode(text, wanted)
    reboot = wanted == "disabled" and running != "disabled"
    return SelinuxPlan(after, number if differs else "", reboot)
