# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories that a node offers over NFS: what is wrong with them, and the text that says so."""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

HEADER = "# Managed by rackforge.gpu_cluster\n"
#: Writes are on the server's disk before they are answered; renamed files stay reachable.
DEFAULTS = "rw,sync,no_subtree_check"
_HOST = re.compile(r"[A-Za-z0-9*?]([A-Za-z0-9.*?-]*[A-Za-z0-9*?])?$")
_OPTIONS = re.compile(r"[A-Za-z0-9_=:/.@,+-]+$")


@dataclass(frozen=True)
class Export:
    """A directory and who may mount it."""

    path: str
    clients: tuple[str, ...]
    options: str = ""

    def line(self) -> str:
        """Return the line of an exports file."""
        options = self.options or DEFAULTS
        path = f'"{self.path}"' if re.search(r"\s", self.path) else self.path
        return " ".join([path, *(f"{client}({options})" for client in self.clients)])

    @property
    def reads_only(self) -> bool:
        """Return whether clients cannot write."""
        words = (self.options or DEFAULTS).split(",")
        return "rw" not in words  # NFS exports are read-only when nothing is said


def problems(exports: Sequence[Export]) -> list[str]:
    """Return everything that is wrong with the list, one sentence each."""
    paths = [export.path for export in exports]
    found = [f"{path} is listed twice" for path in sorted({p for p in paths if paths.count(p) > 1})]
    for export in exports:
        found += [f"{export.path}: {why}" for why in _problems_of(export)]
    return found


def _problems_of(export: Export) -> list[str]:
    found = []
    plain = export.path.startswith("/") and posixpath.normpath(export.path) == export.path
    if not plain or '"' in export.path or "\n" in export.path:
        found.append("is no plain absolute path")
    if not export.clients:
        found.append("has no clients; list addresses, networks or host names")
    if export.options and not _OPTIONS.match(export.options):
        found.append(f"options '{export.options}' are not words with commas between them")
    for client in export.clients:
        if is_everybody(client) and not export.reads_only:
            found.append(
                f"client '{client}' is everybody who reaches this node, and NFS believes each of "
                f"them who they say they are: they could write everything. List the cluster's "
                f"network instead, or let everybody only read with options: ro"
            )
        elif not is_client(client):
            found.append(f"client '{client}' is no address, network, host name or @netgroup")
    return found


def is_everybody(client: str) -> bool:
    """Return whether a client's name stands for every machine."""
    return client == "*" or re.match(r"(0\.0\.0\.0|::)/0(\.0\.0\.0)?$", client) is not None


def is_client(client: str) -> bool:
    """Return whether exports(5) knows such a client."""
    if is_everybody(client) or re.match(r"@[A-Za-z0-9._-]+$", client):
        return True
    try:
        ipaddress.ip_network(client, strict=False)
    except ValueError:
        return _HOST.match(client) is not None and not re.match(r"[0-9.]+$", client)
    return True


def text(exports: Sequence[Export]) -> str:
    """Return the exports file."""
    return HEADER + "".join(f"{export.line()}\n" for export in exports)
