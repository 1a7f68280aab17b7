# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Units that run on a node and are somebody else's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import HEADER

_RUNS = ("active", "activating", "reloading")


@dataclass(frozen=True)
class Unit:
    """A unit as systemd shows it: where its file lies, and how that begins."""

    name: str
    active_state: str
    path: str
    beginning: str


def parse_show(text: str) -> list[tuple[str, str, str]]:
    """Return name, state and file of each unit in the output of ``systemctl show``."""
    found = []
    for block in text.strip().split("\n\n"):
        lines = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if lines.get("Id"):
            found.append((lines["Id"], lines.get("ActiveState", ""), lines.get("FragmentPath", "")))
    return found


def foreign(units: Iterable[Unit]) -> list[Unit]:
    """Return the units that run from a file that this collection did not write."""
    return [
        unit
        for unit in units
        if unit.active_state in _RUNS and not unit.beginning.startswith(HEADER.rstrip())
    ]


def refusal(units: Iterable[Unit], source_input: str) -> str:
    """Return the message for units that are somebody else's."""
    rows = list(units)
    seen = ", ".join(f"{unit.name} ({unit.path or 'no file'})" for unit in rows)
    names = " ".join(unit.name for unit in rows)
    return (
        f"{seen} runs on this node and was not set up by this collection; expected no such unit. "
        f"Nothing was changed. If it is to stay as it is: set {source_input}=existing. If it may "
        f"go: systemctl disable --now {names}"
    )
