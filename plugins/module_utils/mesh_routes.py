# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From which of this machine's addresses the kernel would reach others."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import Target

# Any port will do: nothing is sent.
_DISCARD = 9


def by_source(targets: Iterable[Target]) -> dict[str, tuple[Target, ...]]:
    """Return the targets by the address that the kernel takes towards them.

    Those without a route go with the first of the others, or with the loopback address: trying
    them tells that there is no route.
    """
    found: dict[str, list[Target]] = {}
    stranded: list[Target] = []
    for target in targets:
        source = source_towards(target.address)
        (found.setdefault(source, []) if source else stranded).append(target)
    if stranded:
        found.setdefault(next(iter(found), "127.0.0.1"), []).extend(stranded)
    return {source: tuple(each) for source, each in found.items()}


def source_towards(address: str) -> str:
    """Return this machine's address on the way to another one, "" where there is no way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((address, _DISCARD))
        except OSError:
            return ""
        return str(sock.getsockname()[0])
