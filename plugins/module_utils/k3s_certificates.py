# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k3s's certificates on a node: which of them prove a rotation, and what k3s said of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_paths import DATA_DIR

#: Certificates that every start makes anew once they were taken away. A server's own kubelet gets
#: its certificate a moment after the API answers, so it proves nothing there.
PROOFS: Mapping[str, tuple[str, ...]] = {
    "server": (
        f"{DATA_DIR}/server/tls/client-admin.crt",
        f"{DATA_DIR}/server/tls/serving-kube-apiserver.crt",
    ),
    "agent": (f"{DATA_DIR}/agent/serving-kubelet.crt",),
}
_BACKUP = re.compile(r"backed up certificates to (?P<folder>/[^\s,\"]+)")

Digests = Mapping[str, Optional[str]]


def digests(paths: Iterable[str]) -> dict[str, Optional[str]]:
    """Return a digest of each file, None where there is none."""
    return {path: _digest(path) for path in paths}


def _digest(path: str) -> Optional[str]:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None


def kept(before: Digests, after: Digests) -> list[str]:
    """Return the certificates that are as before, or missing."""
    return [path for path in before if after.get(path) in (None, before[path])]


def backup_folder(said: str) -> str:
    """Return where k3s put the old certificates, empty when it does not say."""
    match = _BACKUP.search(said)
    return match.group("folder") if match else ""
