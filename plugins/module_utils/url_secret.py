# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses that an owner gave: whether they can be used, and what in them is secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Optional

_USERINFO = re.compile(r"^[^/]+//([^/@]*)@")


def passwords(urls: Iterable[Optional[str]]) -> set[str]:
    """Return the passwords in the addresses, as they stand there."""
    found = (_USERINFO.match(url) for url in urls if url)
    users = [match[1] for match in found if match]
    return {user.partition(":")[2] for user in users if user.partition(":")[2]}


def wrong_url(url: Optional[str], schemes: Sequence[str]) -> str:
    """Return what is wrong with an address, nothing when it can be used or is not set."""
    names = "|".join(schemes)
    if not url or re.match(rf"({names})://[^\s\"'\\#$`;<>]+$", url):
        return ""
    shown = _USERINFO.sub(lambda match: match[0].replace(match[1], "***"), url)
    return (
        f"is '{shown}', expected an address such as {schemes[0]}://host.example/path "
        "(special characters as %XX)"
    )
