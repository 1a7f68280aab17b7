# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that closes a server of the Prometheus family: who may ask, with which certificate."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Optional

#: What stands in a diff instead of a hash.
HIDDEN = "(hash)"
OTHER = "(another hash)"
_HASH = re.compile(r'"\$2[aby]\$[^"]*"')


class WebConfigError(ValueError):
    """The file cannot be had, and why."""


def web_config_text(
    hashes: Mapping[str, str], certificate: Optional[str], key: Optional[str]
) -> str:
    """Return the file: users with the bcrypt hashes of their passwords, and TLS where asked for.

    The names of files are those on the node, absolute, since relative ones count from this file.
    """
    for user in hashes:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", user):
            raise WebConfigError(f"user is '{user}', expected letters, digits and . _ - only")
    if bool(certificate) != bool(key):
        seen, lacks = (
            ("certificate_file", "key_file") if certificate else ("key_file", "certificate_file")
        )
        raise WebConfigError(f"{seen} is set and {lacks} is not, expected both or none")
    lines = [
        "# Managed by rackforge.gpu_cluster",
        "basic_auth_users:",
        *(f"  {json.dumps(user)}: {json.dumps(each)}" for user, each in hashes.items()),
    ]
    if certificate and key:
        lines += [
            "tls_server_config:",
            f"  cert_file: {json.dumps(certificate)}",
            f"  key_file: {json.dumps(key)}",
            "  min_version: TLS12",
        ]
    return "\n".join(lines) + "\n"


def without_hashes(before: Optional[str], after: str) -> tuple[str, str]:
    """Return both texts for a diff; hashes are only told apart, never shown."""
    old = _HASH.findall(before or "")
    same = old == _HASH.findall(after)
    return (
        _HASH.sub(HIDDEN, before or ""),
        _HASH.sub(HIDDEN if same or not old else OTHER, after),
    )
