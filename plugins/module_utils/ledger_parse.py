# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What dpkg, rpm, apt, dnf, systemctl and the kernel print, as values of the ledger."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import UnitState

# The arguments whose output parse_dpkg, parse_rpm and parse_units read.
DPKG_QUERY = (
    "dpkg-query",
    "--show",
    "--showformat=${Package}\\t${Architecture}\\t${db:Status-Abbrev}\\t${Recommends}\\n",
)
RPM_QUERY = ("rpm", "-qa", "--queryformat", "%{NAME}\\n")
UNIT_PROPERTIES = "LoadState,ActiveState,UnitFileState,ControlGroup"

INSTALLED = "installed"
CONFIG_FILES = "config-files"
BROKEN = "broken"
REINSTALL = "broken-reinstall"


@dataclass(frozen=True)
class Dpkg:
    """What dpkg knows: each package's state, and which packages recommend which."""

    states: dict[str, str]
    recommends: dict[str, tuple[str, ...]]


def parse_dpkg(text: str) -> Dpkg:
    """Return the packages of ``DPKG_QUERY``'s output.

    A package of the machine's own architecture goes by its bare name, one of another
    architecture by ``name:architecture``. Packages that dpkg only has heard of are left out.
    """
    rows = [line.split("\t") for line in text.splitlines() if line.count("\t") == 3]
    native = next((row[1] for row in rows if row[0] == "dpkg"), "")
    states: dict[str, str] = {}
    recommends: dict[str, tuple[str, ...]] = {}
    for package, architecture, abbreviation, wanted in rows:
        foreign = native and architecture not in (native, "all")
        name = f"{package}:{architecture}" if foreign else package
        state = _dpkg_state(abbreviation)
        if state:
            states[name] = state
            recommends[name] = tuple(re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)", wanted))
    return Dpkg(states, recommends)


def _dpkg_state(abbreviation: str) -> str:
    status, error = abbreviation[1:2], abbreviation[2:3]
    if error == "R":
        return REINSTALL
    if status == "n":
        return ""
    return {"i": INSTALLED, "c": CONFIG_FILES}.get(status, BROKEN)


def parse_extended_states(text: str) -> tuple[str, ...]:
    """Return the packages that apt installed only because others needed them."""
    stanzas = [stanza for stanza in text.split("\n\n") if "Auto-Installed: 1" in stanza]
    found = [re.search(r"^Package: (\S+)", stanza, re.MULTILINE) for stanza in stanzas]
    return tuple(sorted({match.group(1) for match in found if match}))


def parse_rpm(text: str) -> dict[str, str]:
    """Return the packages of ``RPM_QUERY``'s output; keys of the rpm database are no packages."""
    return {name: INSTALLED for name in text.split() if name != "gpg-pubkey"}


def parse_apt_removals(text: str) -> tuple[str, ...]:
    """Return the packages that ``apt-get --simulate`` says it would remove or purge."""
    return tuple(dict.fromkeys(re.findall(r"^(?:Remv|Purg) (\S+)", text, re.MULTILINE)))


def parse_dnf_removals(text: str) -> tuple[str, ...]:
    """Return the packages in the table that ``dnf remove --assumeno`` prints."""
    found: list[str] = []
    inside = False
    for line in text.splitlines():
        if re.match(r"Remov(ing|ed)\b.*:$", line):
            inside = True
        elif not line.strip() or line.startswith(("=", "Transaction")):
            inside = False
        elif inside and re.match(r" \S", line):  # a long name's columns follow, indented further
            found.append(line.split()[0])
    return tuple(dict.fromkeys(found))


def parse_depends(text: str) -> frozenset[str]:
    """Return every package named by ``apt-cache depends --recurse``."""
    return frozenset(re.findall(r"^\s*(?:\|?\w+: )?([a-z0-9][a-z0-9+.:-]+)$", text, re.MULTILINE))


def parse_units(units: Sequence[str], text: str) -> dict[str, UnitState]:
    """Return the state of ``units`` from one ``systemctl show``, which keeps their order."""
    stanzas = [stanza for stanza in text.strip().split("\n\n") if stanza.strip()]
    if len(stanzas) != len(units):
        raise ValueError(f"systemctl described {len(stanzas)} of {len(units)} units")
    return {unit: _unit(stanza) for unit, stanza in zip(units, stanzas)}


def _unit(stanza: str) -> UnitState:
    found = dict(line.split("=", 1) for line in stanza.splitlines() if "=" in line)
    return UnitState(
        load=found.get("LoadState", ""),
        active=found.get("ActiveState", ""),
        enabled=found.get("UnitFileState", ""),
        group=found.get("ControlGroup", ""),
    )


@dataclass(frozen=True)
class Process:
    """A running process: its number, its parent's, and the text of its cgroup file."""

    pid: int
    parent: int
    cgroup: str


def left_behind(processes: Sequence[Process], group: str) -> tuple[int, ...]:
    """Return the processes in control group ``group`` and all that they started.

    A container's processes are in groups of their own; only their shim is in its engine's.
    """
    inside = re.compile(rf":{re.escape(group)}(/.*)?$", re.MULTILINE)
    found = {process.pid for process in processes if inside.search(process.cgroup)}
    grown = True
    while grown:
        more = {p.pid for p in processes if p.parent in found} - found
        found |= more
        grown = bool(more)
    return tuple(sorted(found))


def parse_mounts(text: str) -> tuple[str, ...]:
    """Return the mount points of ``/proc/self/mountinfo``, in the order of mounting."""
    points = [line.split(" ")[4] for line in text.splitlines() if line.count(" ") > 5]
    return tuple(
        re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), p) for p in points
    )


def mounts_below(points: Iterable[str], path: str) -> tuple[str, ...]:
    """Return the mount points inside ``path``, the last mounted first."""
    inside = [point for point in points if point.startswith(path.rstrip("/") + "/")]
    return tuple(reversed(inside))
