# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets that are made once on the control node and kept there."""

from __future__ import annotations

import os
import secrets
import tempfile

#: What the name of a secret's former value ends with while it is being replaced.
PREVIOUS = ".previous"


class SecretError(ValueError):
    """A secret that cannot be made or must not be used."""


def ensure_secret(path: str, size: int) -> bool:
    """Make the file at ``path`` with a random value unless it is there; return whether it was made.

    Several processes may ask at once (one for each node): the first one's value is everybody's.
    """
    if os.path.exists(path):
        check_secret(path)
        return False
    draft = _draft(path, secrets.token_hex(size))
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(draft)
    return True


def replace_secret(path: str, value: str) -> bool:
    """Make ``value`` the content of the file at ``path``; return whether it was another one."""
    if not holds_other(path, value):
        return False
    os.replace(_draft(path, value), path)
    return True


def holds_other(path: str, value: str) -> bool:
    """Return whether the file at ``path`` is missing or has another content than ``value``.

    A value that fits into no line of a file is refused, and so is a file that others can read.
    """
    if not value.strip() or len(value.split()) > 1:
        raise SecretError("the given value is empty or has white space in it, expected one word")
    if not os.path.exists(path):
        return True
    check_secret(path)
    return read_secret(path) != value.strip()


def begin_rotation(path: str, size: int) -> bool:
    """Have a new random value at ``path`` and the old one beside it; False where that was begun.

    A process that is killed at any point leaves one value, or both: nothing is ever lost. The old
    value lies there until ``end_rotation``, and a rotation that was begun is gone on with.
    """
    check_secret(path)
    old, kept = read_secret(path), path + PREVIOUS
    begun = os.path.exists(kept)
    if not begun:
        os.replace(_draft(path, old), kept)
    if read_secret(kept) == old:
        os.replace(_draft(path, secrets.token_hex(size)), path)
    return not begun


def end_rotation(path: str) -> bool:
    """Forget the old value, once the new one has proven itself; return whether there was one."""
    if not os.path.exists(path + PREVIOUS):
        return False
    os.unlink(path + PREVIOUS)
    return True


def read_secret(path: str) -> str:
    """Return the secret, without the end of its line."""
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def _draft(path: str, value: str) -> str:
    """Return the path of a new file beside ``path``, mode 0600, that holds ``value``."""
    directory = os.path.dirname(path)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=directory, prefix=".new-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(value.strip())
        file.flush()
        os.fsync(file.fileno())
    return draft


def check_secret(path: str) -> None:
    """Refuse a secret that is empty or that others on the control node can read."""
    status = os.stat(path)
    if status.st_mode & 0o077:
        raise SecretError(
            f"{path}: mode is {status.st_mode & 0o777:04o}, expected 0600, since others could read "
            f"the secret; run: chmod 600 {path}"
        )
    with open(path, "rb") as file:
        content = file.read().strip()
    if not content:
        raise SecretError(
            f"{path}: the file is empty, expected a secret; remove it and one is generated, "
            "or put the cluster's own in"
        )
