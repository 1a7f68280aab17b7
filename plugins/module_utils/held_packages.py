# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tells the tools for unattended upgrades which packages to leave alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

_APT_KEY = "Unattended-Upgrade::Package-Blacklist"


def wrong_pattern(patterns: Sequence[str], *, regular: bool) -> str:
    """Return what is wrong with the first bad pattern, nothing when all can be used."""
    for pattern in patterns:
        if not pattern or re.search(r"[\s\"';,{}]", pattern):
            return f"'{pattern}' has a space, a quote, a comma, a semicolon or a brace, or is empty"
        if regular:
            try:
                re.compile(pattern)
            except re.error as error:
                return f"'{pattern}' is no regular expression ({error})"
    return ""


def apt_text(patterns: Sequence[str]) -> str:
    """Return the file that makes unattended-upgrades pass the packages over.

    It adds to the lists of other files. Each pattern is matched at the beginning of a name.
    """
    rows = "".join(f'    "{pattern}";\n' for pattern in patterns)
    return f"// Managed by rackforge.gpu_cluster\n{_APT_KEY} {{\n{rows}}};\n"


def ignored_by_apt(patterns: Sequence[str], dump: str) -> list[str]:
    """Return the patterns that apt's settings, as apt-config dump shows them, do not have."""
    rows = re.findall(rf'^{re.escape(_APT_KEY)}:: "(.*)";$', dump, re.MULTILINE)
    return [pattern for pattern in patterns if pattern not in rows]


def dnf_excluded(text: str) -> list[str]:
    """Return the packages that excludepkgs names in the section [base]; the last line counts."""
    value, within, goes_on = "", False, False
    for line in text.splitlines():
        if line.startswith("["):
            within, goes_on = line.split("]")[0] == "[base", False
        elif goes_on and line[:1] in (" ", "\t") and line.strip():
            value += f" {line}"
        else:
            setting = re.match(r"excludepkgs\s*=(.*)", line) if within else None
            goes_on = setting is not None
            value = setting.group(1) if setting else value
    return list(dict.fromkeys(re.findall(r"[^\s,]+", value)))


def dnf_lines(patterns: Sequence[str], owners: Sequence[str] = ()) -> list[str]:
    """Return the setting for the section [base] of dnf-automatic's file.

    It names ``owners``, the entries of the owner's own line, too: of two lines the last one counts.
    """
    names = dict.fromkeys((*owners, *patterns))
    return [f"excludepkgs={','.join(names)}"] if patterns else []


def others_removed(simulation: str, name: str) -> list[str]:
    """Return the packages besides ``name`` that a simulated removal would take away."""
    found = re.findall(r"^(?:Remv|Purg) (\S+)", simulation, re.MULTILINE)
    return [each for each in found if each != name]
