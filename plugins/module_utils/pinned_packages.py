# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages that must have one version and keep it: what is wrong now, and what holds them there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.driver_range import is_older
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import HEADER

#: Above 1000 apt takes this version although a newer one is installed or on offer
#: (apt_preferences(5)).
PIN_PRIORITY = 1001
#: Packages of NVIDIA's repositories that a driver needs and that have versions of their own: what
#: builds its kernel module, dnf's part that guards it, what runs beside the fabric manager and the
#: libraries of screens. Named here, because a list of what dnf may take leaves out all others.
NOT_HELD = ("dkms", "dnf-plugin-nvidia", "nvlsm", "egl-*")


@dataclass(frozen=True)
class Asked:
    """The versions that will do: those that begin with ``version`` and are not below ``lowest``."""

    version: Optional[str] = None
    lowest: Optional[str] = None

    def fits(self, version: str) -> bool:
        """Return whether a package's version will do; one that cannot be read is below."""
        if self.version and not has_version(version, self.version):
            return False
        return not self.lowest or is_older(upstream(version), self.lowest) is False

    def __str__(self) -> str:
        """Return it as messages have it."""
        if self.version:
            return f"version {self.version}"
        return f"version {self.lowest} or newer" if self.lowest else "one version"


@dataclass(frozen=True)
class Wrong:
    """A package that is not as asked; ``seen`` is its version, None when it is missing."""

    name: str
    seen: Optional[str]

    def __str__(self) -> str:
        """Return it as messages and diffs have it."""
        return f"{self.name} {self.seen}" if self.seen else f"{self.name} (missing)"


def upstream(version: str) -> str:
    """Return 580.95.05 for 3:580.95.05-1ubuntu2: the version without epoch and revision."""
    bare = version.split(":", 1)[-1]
    return bare.rpartition("-")[0] or bare


def has_version(version: str, wanted: str) -> bool:
    """Return whether a package has the version: 580.95.05-1 is 580, 580.95 and 580.95.05."""
    bare = version.split(":", 1)[-1]
    return bare == wanted or bare.startswith(tuple(f"{wanted}{sign}" for sign in ".-~+"))


def wrong_packages(names: Sequence[str], installed: Mapping[str, str], asked: Asked) -> list[Wrong]:
    """Return the packages that are missing or have another version."""
    return [
        Wrong(name, installed.get(name))
        for name in names
        if name not in installed or not asked.fits(installed[name])
    ]


def common_version(names: Sequence[str], installed: Mapping[str, str]) -> Optional[str]:
    """Return the one version that all installed ones of the packages have, None without one."""
    found = {upstream(installed[name]) for name in names if name in installed}
    return found.pop() if len(found) == 1 else None


def tightened(names: Sequence[str], installed: Mapping[str, str], asked: Asked) -> Asked:
    """Return what all packages are brought to: the version of those that are right already.

    A package that is added later, such as the fabric manager, gets the version of the driver that
    is there, and not the newest of its branch.
    """
    right = {name: version for name, version in installed.items() if asked.fits(version)}
    version = common_version(names, right)
    return Asked(version, asked.lowest) if version else asked


def apt_pin(patterns: Sequence[str], version: Optional[str]) -> Optional[str]:
    """Return the file for /etc/apt/preferences.d that keeps packages at ``version``."""
    if not patterns or not version:
        return None
    return (
        f"{HEADER}Package: {' '.join(patterns)}\nPin: version {version}*\n"
        f"Pin-Priority: {PIN_PRIORITY}\n"
    )


def limited_repository(text: str, patterns: Sequence[str], version: Optional[str]) -> str:
    """Return a .repo file whose packages dnf takes in ``version`` only.

    Each limit has the form name-version-release.arch. dnf reads a shorter one as a name, and takes
    the packages with a version in their names only, such as ready-made kernel modules.
    """
    if not patterns or not version:
        return text
    specs = " ".join([*(f"{pattern}-{version}*-*.*" for pattern in patterns), *NOT_HELD])
    return f"{text.rstrip()}\nincludepkgs={specs}\n"


def pinned_files(
    files: Mapping[str, str],
    pin_file: Optional[str],
    patterns: Sequence[str],
    version: Optional[str],
) -> dict[str, str]:
    """Return the files that name repositories and hold packages of them at ``version``.

    With dnf the limit stands in the .repo files themselves, which needs no plugin.
    """
    wanted = {
        path: limited_repository(text, patterns, version) if path.endswith(".repo") else text
        for path, text in files.items()
    }
    pin = apt_pin(patterns, version)
    if pin_file and pin:
        wanted[pin_file] = pin
    return wanted


def parse_dpkg(listing: str) -> dict[str, str]:
    """Return the version of each completely installed package of a ``dpkg-query`` listing."""
    rows = (line.split("\t") for line in listing.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 3 and row[2] == "installed"}


def parse_rpm(listing: str) -> dict[str, str]:
    """Return the version of each package that ``rpm --query`` lists."""
    rows = (line.split("\t") for line in listing.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2}


def going_in_simulation(said: str) -> list[str]:
    """Return the packages that ``apt-get --simulate`` would take away, sorted."""
    return sorted({name.partition(":")[0] for name in re.findall(r"^Remv (\S+)", said, re.M)})


def coming_in_simulation(said: str) -> dict[str, str]:
    """Return the versions that ``apt-get --simulate`` would install, by package."""
    found = re.findall(r"^Inst (\S+) (?:\[[^\]]*\] )?\((\S+)", said, re.MULTILINE)
    return {name.partition(":")[0]: version for name, version in found}


def explain_versions(names: Sequence[str], installed: Mapping[str, str], asked: Asked) -> str:
    """Return what an installation brings that is not what was asked."""
    seen = ", ".join(f"{name} {installed.get(name) or '(missing)'}" for name in names)
    return (
        f"saw {seen} as the best on offer, expected {asked} of all of them; it may be lacking: "
        f"'apt-cache madison {names[0]}' or 'dnf --showduplicates list {names[0]}' on this node "
        "shows what it has"
    )
