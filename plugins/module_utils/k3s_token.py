# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tokens that k3s's members show each other, and lines of text without them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_SECURE = re.compile(r"K10(?P<hash>[0-9a-f]{64})::(?:(?P<user>[^:\s]+):)?(?P<password>\S+)")
_NAMED = re.compile(r"(?i)\b(pass(?:word|wd)?|secret|token)(\"?\s*[=:]\s*\"?)([^\s\",;]{4,})")
HIDDEN = "********"


@dataclass(frozen=True)
class Token:
    """A token: the SHA-256 of the CA that it trusts, empty in the short form, and the password."""

    ca_hash: str
    user: str
    password: str


def parse_token(text: str) -> Token:
    """Return the token that a file holds; in the short form the whole text is the password."""
    found = _SECURE.fullmatch(text.strip())
    if not found:
        return Token("", "", text.strip())
    return Token(found["hash"], found["user"] or "", found["password"])


def without_secrets(line: str, passwords: Iterable[str] = ()) -> str:
    """Return a line of a log without tokens, and without the passwords that are known."""
    for password in passwords:
        if password:
            line = line.replace(password, HIDDEN)
    return _NAMED.sub(rf"\1\2{HIDDEN}", _SECURE.sub(HIDDEN, line))
