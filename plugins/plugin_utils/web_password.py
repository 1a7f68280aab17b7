# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hashes of passwords, as servers of the Prometheus family want them. Control node only."""

from __future__ import annotations

import base64
import hashlib

try:
    import bcrypt
except ImportError:
    bcrypt = None  # type: ignore[assignment]

#: The servers compute the hash of a password that they have not just seen: 50 ms at this cost.
COST = 10
#: bcrypt looks at no more, and its Python package refuses longer ones from release 5.0 on.
LONGEST = 72
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BCRYPT_BASE64 = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class PasswordError(ValueError):
    """The password cannot be hashed, and why."""


def hash_password(user: str, password: str) -> str:
    """Return the bcrypt hash of a password: the same one for the same user and password.

    A random salt would give another hash, and so another file, at each run. The salt is part of the
    hash, so it must not be a cheap way to try passwords: it comes from scrypt, which costs a guess
    at least what bcrypt does. For a generated password, 256 random bits, no guessing helps anyway.
    That equal passwords of two users cannot be told, as with random salts, the user's name does.
    """
    if bcrypt is None:
        raise PasswordError(
            "the Python package bcrypt is missing on the control node, expected it beside "
            "ansible-core; run: pip install bcrypt"
        )
    secret = password.encode()
    if not 0 < len(secret) <= LONGEST:
        raise PasswordError(
            f"the password has {len(secret)} bytes, expected 1 to {LONGEST}, since bcrypt looks at "
            "no more"
        )
    salt = hashlib.scrypt(secret, salt=f"rackforge {user}".encode(), n=1 << 14, r=8, p=1, dklen=16)
    # bcrypt writes 16 bytes with the same bits as base64, in an alphabet of its own.
    digits = base64.b64encode(salt).rstrip(b"=").translate(bytes.maketrans(_BASE64, _BCRYPT_BASE64))
    return bcrypt.hashpw(secret, b"$2b$%02d$" % COST + digits).decode()
