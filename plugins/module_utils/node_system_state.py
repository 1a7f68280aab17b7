# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What files of a node say of its state: cgroups, boots that wait, upgrades and names.

Text in, values out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

_COMMENT = re.compile(r"//.*|#.*")
_SETTING = re.compile(
    r'(?:^|;)\s*APT::Periodic::Unattended-Upgrade\s+"?([^";\s]*)"?', re.IGNORECASE
)
_BLOCK = re.compile(r"APT::Periodic\s*\{(.*?)\}", re.IGNORECASE | re.DOTALL)
_IN_BLOCK = re.compile(r'(?:^|[;\s{])Unattended-Upgrade\s+"?([^";\s]*)"?', re.IGNORECASE)
_OFF = frozenset({"", "0", "no", "false", "off", "disable"})
_WORD = re.compile(r"[-.+~_](?=[a-zA-Z])")
_FLAVOUR = re.compile(r"[a-zA-Z_]+")


def cgroup_mode(kinds: Mapping[str, str]) -> Optional[str]:
    """Return v2, v1 or hybrid from mount points and their file systems, None without any cgroup.

    hybrid has version 2 beside version 1: programs find the controllers in version 1.
    """
    if kinds.get("/sys/fs/cgroup") == "cgroup2":
        return "v2"
    below = {kind for point, kind in kinds.items() if point.startswith("/sys/fs/cgroup/")}
    if "cgroup" not in below:
        return None
    return "hybrid" if "cgroup2" in below else "v1"


def numbers_of(release: str) -> tuple[int, ...]:
    """Return the numbers in a kernel's release, in order: (6, 12, 48, 13) of 6.12.48+deb13."""
    return tuple(int(number) for number in re.findall(r"\d{1,9}", release))


def _version(release: str) -> tuple[int, ...]:
    """Return the numbers of a release up to its first word: those of 5.14.0-570.12.1.el9_6.x86_64.

    The words behind are of the distribution and the machine.
    """
    return numbers_of(_WORD.split(release)[0])


def _flavour(release: str) -> str:
    """Return the last word of a release: amd64 of 6.12.48+deb13-amd64, generic of 6.8.0-60-generic.

    Kernels of Enterprise Linux end with the machine (el9_6.x86_64).
    """
    tail = re.split(r"[-.]", release)[-1]
    return tail if _FLAVOUR.match(tail) else ""


def newer_kernel(running: str, installed: Iterable[str]) -> Optional[str]:
    """Return the newest installed kernel of the running one's flavour, None when that one runs.

    None as well when the running kernel is not among those installed: it came from elsewhere, and
    nothing is known of what the next boot starts.
    """
    releases = set(installed)
    if running not in releases:
        return None
    alike = [each for each in releases if _flavour(each) == _flavour(running)]
    newest = max(alike, key=_version)
    return newest if _version(newest) > _version(running) else None


def kernels_in(names: Iterable[str]) -> list[str]:
    """Return the releases of the kernels in /boot, rescue images left out."""
    found = [name[len("vmlinuz-") :] for name in names if name.startswith("vmlinuz-")]
    return sorted(name for name in found if "rescue" not in name)


def apt_upgrades(texts: Iterable[str]) -> Optional[bool]:
    """Return whether apt's files turn unattended upgrades on; the last that says so counts."""
    answer: Optional[bool] = None
    for text in texts:
        plain = "\n".join(_COMMENT.sub("", line) for line in text.splitlines())
        found = [match for body in _BLOCK.findall(plain) for match in _IN_BLOCK.findall(body)]
        found += [match for line in plain.splitlines() for match in _SETTING.findall(line)]
        if found:
            answer = found[-1].lower() not in _OFF
    return answer


def dnf_applies(text: str) -> bool:
    """Return whether dnf-automatic's file says that updates are installed, not only reported."""
    section = ""
    answer = False
    for line in text.splitlines():
        word = line.strip()
        if word.startswith("["):
            section = word.strip("[] ")
        name, equals, value = (part.strip() for part in word.partition("="))
        if equals and section == "commands" and name == "apply_updates":
            answer = value.lower() in ("yes", "true", "1", "on")
    return answer


def addresses_in_hosts(text: str, name: str) -> list[str]:
    """Return the addresses that a hosts file gives a name, in its order."""
    rows = (line.partition("#")[0].split() for line in text.splitlines())
    wanted = name.lower()
    return [row[0] for row in rows if wanted in (each.lower() for each in row[1:])]


def addresses_in_answer(text: str) -> list[str]:
    """Return the addresses that ``getent ahosts`` printed, each once."""
    rows = (line.split() for line in text.splitlines())
    return list(dict.fromkeys(row[0] for row in rows if row))


def data_root(text: str) -> str:
    """Return where Docker Engine's daemon.json puts its data, "" when it does not say."""
    try:
        values: Any = json.loads(text)
    except ValueError:
        return ""
    root = values.get("data-root") if isinstance(values, dict) else None
    return root if isinstance(root, str) and root.startswith("/") else ""


def too_open(entries: Sequence[Mapping[str, Any]], user_id: int) -> list[Mapping[str, Any]]:
    """Return the paths that sshd's StrictModes refuses.

    They belong to somebody else than the user or root, or others may write them (sshd_config(5)).
    A group in which the user is alone is nobody else; sshd of Debian and Ubuntu sees it so, too.
    """
    return [entry for entry in entries if _is_too_open(entry, user_id)]


def _is_too_open(entry: Mapping[str, Any], user_id: int) -> bool:
    wrong = 0o002 if entry.get("private_group") else 0o022
    return bool(int(entry["mode"], 8) & wrong) or entry["owner"] not in (0, user_id)


def strict_modes(sshd: str) -> Optional[bool]:
    """Return what ``sshd -T`` says of StrictModes, None when it does not say."""
    found = re.search(r"^strictmodes (yes|no)\s*$", sshd, re.MULTILINE | re.IGNORECASE)
    return found.group(1).lower() == "yes" if found else None
