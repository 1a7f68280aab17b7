# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the node_info module makes of a node's files and programs: text in, values out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

# Families as Ansible names them, by the identifiers of os-release.
FAMILIES = {
    "debian": "Debian",
    "ubuntu": "Debian",
    "rhel": "RedHat",
    "centos": "RedHat",
    "fedora": "RedHat",
    "suse": "Suse",
}


@dataclass(frozen=True)
class OperatingSystem:
    """A distribution as /etc/os-release names it, and the family it belongs to."""

    id: str = ""
    version_id: str = ""
    codename: str = ""
    name: str = ""
    family: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return plain strings, as facts carry them."""
        return {
            "id": self.id,
            "version_id": self.version_id,
            "codename": self.codename,
            "name": self.name,
            "family": self.family,
        }


def parse_os_release(text: str) -> OperatingSystem:
    """Return the distribution that the text of /etc/os-release describes."""
    values = _assignments(text)
    return OperatingSystem(
        id=values.get("ID", ""),
        version_id=values.get("VERSION_ID", ""),
        codename=values.get("VERSION_CODENAME", ""),
        name=values.get("PRETTY_NAME", ""),
        family=_family(values),
    )


def _family(values: Mapping[str, str]) -> str:
    """Return the family of the distribution or of the first one that it says it is like."""
    for name in [values.get("ID", ""), *values.get("ID_LIKE", "").split()]:
        if name in FAMILIES:
            return FAMILIES[name]
    return ""


def _assignments(text: str) -> dict[str, str]:
    """Return the NAME=value lines of a shell-style file, without quotes."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            try:
                words = shlex.split(value)
            except ValueError:
                words = [value.strip("\"'")]
            values[name] = words[0] if words else ""
    return values


def parse_memory_mib(meminfo: str) -> Optional[int]:
    """Return the MiB of memory in the text of /proc/meminfo, or None when it does not say."""
    for line in meminfo.splitlines():
        name, _colon, value = line.partition(":")
        if name == "MemTotal" and value.split()[:1]:
            return int(value.split()[0]) // 1024
    return None


def parse_timedatectl(text: str) -> Optional[bool]:
    """Return what ``timedatectl show -p NTPSynchronized`` says; None when it says neither."""
    value = text.strip().rpartition("=")[2].lower()
    return {"yes": True, "no": False}.get(value)


def parse_chronyc(text: str) -> Optional[bool]:
    """Return whether ``chronyc tracking`` reports a source that the clock follows."""
    for line in text.splitlines():
        name, _colon, value = line.partition(":")
        if name.strip() == "Leap status":
            return value.strip() != "Not synchronised"
    return None
