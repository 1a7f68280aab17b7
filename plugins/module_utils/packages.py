# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What package managers print, and what it means for a person."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: What they say when another one works at the same time.
LOCKED = (
    r"Could not get lock|is another process using it|locked by another process"
    r"|Waiting for process with pid"
)

#: What dpkg says when an installation was cut in half before.
INTERRUPTED = "dpkg --configure -a"

#: Complaints that say no more than that something is wrong.
EMPTY_WORDS = r"Some index files failed|Unable to correct problems|^Error:$"

#: What a package manager says, and the sentence that helps. First match wins.
CAUSES: tuple[tuple[str, str], ...] = (
    (r"No space left on device", "the disk is full; free space (see 'df -h') and run again"),
    (
        LOCKED,
        "another package manager holds the lock; wait for it (see 'ps aux | grep -E \"apt|dnf\"')",
    ),
    (  # Before the mirror: what cannot be verified could not be fetched either.
        r"certificate verif|certificate problem|issuer is unknown|Curl error \(60\)"
        r"|authenticated with given CA",
        "the mirror's certificate is not trusted; is a corporate CA missing on the node?",
    ),
    (
        r"but it is not going to be installed|but it is not installable"
        r"|nothing provides .* needed by",
        "a package that it needs cannot be had",
    ),
    (
        r"Temporary failure resolving|Could not resolve|Failed to fetch|Cannot download|Curl error"
        r"|SSL connect",
        "the package mirror cannot be reached; check the node's DNS, proxy and mirror",
    ),
    (
        r"Unable to locate package|No match for argument|Unable to find a match",
        "no configured repository has it; check the distribution's version and its repositories",
    ),
)


def installed_dpkg(listing: str) -> set[str]:
    """Return the packages that ``dpkg-query`` lists as completely installed."""
    rows = (line.split("\t") for line in listing.splitlines())
    return {row[0] for row in rows if len(row) == 2 and row[1] == "installed"}


def is_locked(said: str) -> bool:
    """Return whether a package manager gave up because another one is at work."""
    return re.search(LOCKED, said) is not None


def cause_of_failure(said: str, names: Sequence[str]) -> str:
    """Return one sentence for what a package manager said, and its own first complaint."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(E:|Error)", line)] or lines
    quote = errors[0] if errors else "no message"
    for pattern, cause in CAUSES:
        telling = [line for line in lines if re.search(pattern, line, re.IGNORECASE)]
        if telling:
            return f"{cause} ({telling[0] if re.search(EMPTY_WORDS, quote) else quote})"
    return f"{quote}; try it on the node by hand with the packages {', '.join(names) or '(none)'}"


#: Before the names of packages that would go: apt's heading, and those in dnf's table.
_GOING_APT = re.compile(r"^The following packages will be REMOVED:\n((?:  .*\n?)+)", re.MULTILINE)
_GOING_DNF = re.compile(r"^Removing[^\n]*:\n((?: .*\n?)+)", re.MULTILINE)
#: How both say that something that is installed stands in the way.
CONFLICT = r"need to be removed but remove is disabled|conflicts with|with installed package"


def going_with_apt(said: str) -> list[str]:
    """Return the packages that ``apt-get`` says it would take away, sorted."""
    names = (word.rstrip("*") for part in _GOING_APT.findall(said) for word in part.split())
    return sorted({name.partition(":")[0] for name in names})


def going_with_dnf(said: str) -> list[str]:
    """Return the packages that the table of ``dnf --assumeno --allowerasing`` would take away."""
    rows = (line for part in _GOING_DNF.findall(said) for line in part.splitlines())
    return sorted({row.split()[0] for row in rows if re.match(r" \S", row)})


def needs_removal(said: str) -> bool:
    """Return whether a package manager gave up because it would have to take something away."""
    return re.search(CONFLICT, said) is not None


def explain_removal(going: Sequence[str], allowed: Sequence[str], named: str) -> str:
    """Return why packages of the owner's keep others from being installed, and the ways out."""
    strange = [name for name in going if name not in allowed] or ["other packages"]
    where = f"name what may go in {named}" if named else "name what may go (replace)"
    return (
        f"{', '.join(strange)} would have to go for it. Remove it yourself, or {where}: "
        "then it goes now, and reset installs it again"
    )


_LACKING = (
    re.compile(r"Depends: (\S+)[^\n]* but it is not (?:installable|going to be installed)"),
    re.compile(r"nothing provides ([^\n]+) needed by"),
)


def lacking(said: str) -> list[str]:
    """Return what packages need and could not be had, in the order in which it was named."""
    return list(dict.fromkeys(name for each in _LACKING for name in each.findall(said)))


def outdated_apt(out: str, names: list[str]) -> list[str]:
    """Return the packages of which ``apt-get --simulate install`` would bring a newer version."""
    rows = [line.split() for line in out.splitlines() if line.startswith("Inst ")]
    newer = {row[1].split(":")[0] for row in rows if len(row) > 2 and row[2].startswith("[")}
    return [name for name in names if name in newer]


def outdated_dnf(out: str, names: list[str]) -> list[str]:
    """Return the packages that ``dnf check-update`` lists."""
    rows = [line.split() for line in out.splitlines() if line and not line[0].isspace()]
    newer = {row[0].rpartition(".")[0] for row in rows if len(row) == 3}
    return [name for name in names if name in newer]
