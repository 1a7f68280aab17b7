# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which versions of packages are there, which are on offer, and which of these would be taken."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import reduce
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.driver_range import (
    Position,
    Version,
    parse_version,
    position,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.pinned_packages import (
    has_version,
    upstream,
)


@dataclass(frozen=True)
class Offer:
    """A package that is there. ``held`` says why it stays as it is although there is another."""

    name: str
    found: str
    wanted: str
    held: str = ""

    @property
    def is_due(self) -> bool:
        """Return whether the package would be changed."""
        return not self.held and self.found != self.wanted


@dataclass(frozen=True)
class Bounds:
    """Versions that may be taken: those that begin with ``version``, between the two others."""

    version: Optional[str] = None
    lowest: Optional[str] = None
    highest: Optional[str] = None

    def hold(self, text: str) -> bool:
        """Return whether a version lies within."""
        parsed = parse_version(text)
        if parsed is None or (self.version and not has_version(text, self.version)):
            return False
        return position(parsed, self.lowest, self.highest) is Position.INSIDE


@dataclass(frozen=True)
class Choice:
    """The version that packages which belong together have, and the one that they would get.

    ``refusal`` says why that is not done; empty where it may be.
    """

    found: Optional[str] = None
    wanted: Optional[str] = None
    refusal: str = ""

    @property
    def is_due(self) -> bool:
        """Return whether the packages would be changed."""
        return self.wanted is not None and self.found != self.wanted


def parse_policy(said: str) -> dict[str, tuple[str, str]]:
    """Return what is installed and what is the best on offer, as ``apt-cache policy`` shows it."""
    rows = re.findall(r"^(\S+):\n  Installed: (\S+)\n  Candidate: (\S+)$", said, flags=re.MULTILINE)
    return {
        name.partition(":")[0]: (found, wanted)
        for name, found, wanted in rows
        if "(none)" not in (found, wanted)
    }


def parse_madison(said: str) -> dict[str, set[str]]:
    """Return the versions on offer of each package, as ``apt-cache madison`` lists them."""
    offered: dict[str, set[str]] = {}
    for line in said.splitlines():
        parts = [part.strip() for part in line.split("|")]
        if len(parts) == 3 and not parts[2].endswith(" Sources"):
            offered.setdefault(parts[0], set()).add(parts[1])
    return offered


def parse_dnf_list(said: str) -> dict[str, set[str]]:
    """Return the versions in a listing of dnf: rows of name.arch, version and repository."""
    offered: dict[str, set[str]] = {}
    for line in said.splitlines():
        words = line.split()
        if len(words) == 3 and "." in words[0] and not line[0].isspace():
            offered.setdefault(words[0].rpartition(".")[0], set()).add(words[1])
    return offered


def parse_upgrades(said: str, security: bool) -> list[Offer]:
    """Return what ``apt-get --simulate upgrade`` would bring, or its security fixes only."""
    rows = re.findall(r"^Inst (\S+) \[(\S+)\] \((\S+) ([^)]*)\)", said, flags=re.MULTILINE)
    return [
        Offer(name.partition(":")[0], found, wanted)
        for name, found, wanted, origin in rows
        if not security or re.search(r"security", origin, re.IGNORECASE)
    ]


def parse_kept(said: str) -> list[str]:
    """Return the packages that ``apt-get upgrade`` says it keeps back."""
    block = re.search(r"^The following packages have been kept back:\n((?:  .*\n?)+)", said, re.M)
    return block.group(1).split() if block else []


def with_holds(
    offers: Sequence[Offer], marked: Collection[str], patterns: Sequence[str], globs: bool = False
) -> list[Offer]:
    """Return the offers with those held that the owner marked, or that belong to other roles.

    Patterns are those of the node's tool for unattended upgrades: regular expressions for the
    beginning of a name with apt, ``globs`` with dnf.
    """

    def fits(name: str, pattern: str) -> bool:
        return fnmatchcase(name, pattern) if globs else bool(re.match(pattern, name))

    judged = []
    for offer in offers:
        pattern = next((each for each in patterns if fits(offer.name, each)), None)
        if offer.name in marked:
            offer = replace(offer, held="held by its owner")
        elif pattern is not None:
            offer = replace(offer, held=f"held by {pattern}")
        judged.append(offer)
    return judged


def choose(
    found: Optional[str],
    offered: Mapping[str, Collection[str]],
    names: Sequence[str],
    bounds: Bounds,
    rollback: bool = False,
) -> Choice:
    """Return the newest version within bounds that all packages are offered in.

    What is there stays where nothing newer is. An exact version that is older is a way back, which
    has to be asked for.
    """
    sets = [{upstream(each) for each in offered.get(name, ())} for name in names]
    common = reduce(set.intersection, sets) if sets else set()
    fitting = sorted((each for each in common if bounds.hold(each)), key=_order)
    if not fitting:
        return _without_offer(found, bounds)
    wanted = fitting[-1]
    if found is None or _order(found) == _order(wanted):
        return Choice(found, wanted)
    if _order(found) > _order(wanted):
        return _way_back(found, wanted, bounds, rollback)
    return Choice(found, wanted)


def _order(text: str) -> Version:
    """Return what versions are sorted by."""
    return parse_version(text) or ()


def _without_offer(found: Optional[str], bounds: Bounds) -> Choice:
    """Return the choice where nothing within bounds is on offer."""
    if found is not None and bounds.hold(found):
        return Choice(found, found)
    asked = bounds.version or "a version within the range"
    return Choice(
        found, None, f"no repository of this node offers {asked} within the range of all packages"
    )


def _way_back(found: str, wanted: str, bounds: Bounds, rollback: bool) -> Choice:
    """Return the choice where what is there is newer than the newest that may be taken."""
    if bounds.hold(found):
        return Choice(found, found)
    if rollback:
        return Choice(found, wanted)
    return Choice(
        found,
        wanted,
        f"{wanted} is older than {found}, which is there, and programs that were built for the "
        "newer one may not run with it. Say -e upgrade_rollback=true to go back all the same",
    )
