# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets that are made once on the control node and kept there."""

from __future__ import annotations

import os
import secrets
import tempfile


class SecretError(ValueError):
    """A secret that cannot be made or must not be used."""


def ensure_secret(path: str, size: int) -> bool:
    """Make the file at ``path`` with a random value unless it is there; return whether it was made.

    Several processes may ask at once (one for each node): the first one's value is everybody's.
    """
    if os.path.exists(path):
        check_secret(path)
        return False
    directory = os.path.dirname(path)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=directory, prefix=".new-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(size))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
    finally:
        os.unlink(draft)
    return True


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
