# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at the files of the control node that role monitoring is to bring."""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.monitoring_inputs import (
    input_problems,
    paths_of,
)


def unreadable_files(paths: Iterable[str]) -> dict[str, str]:
    """Return why files cannot be read, by path."""
    reasons = {path: _why_not(path) for path in paths}
    return {path: reason for path, reason in reasons.items() if reason}


def _why_not(path: str) -> str:
    try:
        with open(os.path.expanduser(path), "rb") as file:
            return "" if file.read(1) else "an empty file"
    except OSError as error:
        return error.strerror or str(error)


def certificate_problem(certificate: str, key: str) -> Optional[str]:
    """Return why a server cannot use a certificate with its key, None when it can."""
    certificate, key = os.path.expanduser(certificate), os.path.expanduser(key)
    mode = stat.S_IMODE(os.stat(key).st_mode)
    if mode & 0o077:
        return f"its key {key} has mode {mode:04o}, expected 0600; run: chmod 600 {key}"
    try:
        # A key with a passphrase is no key for a server: the empty answer makes it fail.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, lambda: "")
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or str(error)
        return (
            f"{certificate} and its key {key} cannot be used together ({reason}), expected PEM: "
            "the server's certificate first, then intermediate ones, and a key without a passphrase"
        )
    return None


def problems_of(inputs: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each input that is wrong."""
    unreadable = unreadable_files(paths_of(inputs))
    certificate, key = inputs.get("certificate_file"), inputs.get("key_file")
    wrong = None
    if certificate and key and not {certificate, key} & set(unreadable):
        wrong = certificate_problem(str(certificate), str(key))
    return input_problems(inputs, unreadable, wrong)
