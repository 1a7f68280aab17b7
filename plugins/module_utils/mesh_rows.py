# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of a destination's TCP ports, and what neighbouring silent ones have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_connect import (
    ERRORS,
    ICMP_BURST,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    Target,
    Verdict,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_port_text import (
    expand,
    spread,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_talk import Talk

#: Of a longer row of silent ports only some are tried again; all, when one of those is open.
_ROW, _ROW_SAMPLES = 64, 16
#: Verdicts of connections that were made, whoever took them.
CONNECTED = frozenset(
    {
        Verdict.OPEN,
        Verdict.SERVICE,
        Verdict.UNPROVEN,
        Verdict.WRONG_ANSWERER,
        Verdict.TRANSLATED,
    }
)


@dataclass
class Destination:
    """A node, and what is known of its TCP ports so far."""

    target: Target
    served: frozenset[int] = frozenset()
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    silent: set[int] = field(default_factory=set)
    talk: Optional[Talk] = None
    #: Whether somebody who is no agent of this run took our listeners' connections.
    is_stranger: bool = False
    #: Whether the listener that was there a moment before is gone.
    is_gone: bool = False

    def take(self, part: Destination) -> None:
        """Take over what was found out about a part of this node's ports."""
        self.verdicts.update(part.verdicts)
        self.talk, self.is_stranger, self.is_gone = part.talk, part.is_stranger, part.is_gone

    @property
    def is_handed_on(self) -> bool:
        """Return whether the node sees us at its own address: a program on it took our talk."""
        ends = self.talk.ends if self.talk is not None else None
        return ends is not None and ends.peer[0] == self.target.address

    @property
    def ports(self) -> list[int]:
        """All ports to try, in order."""
        return sorted({*expand(self.target.tcp), *self.served})

    def rows(self) -> list[Row]:
        """Return the silent ports, in rows that no connected port and no firewall's block parts."""
        seen = {port: self.verdicts.get(port) for port in self.ports}
        rows, row = [], Row(self, [], [])
        for verdict, group in groupby(seen, key=lambda port: (port in self.silent, seen[port])):
            ports = list(group)
            if verdict[0]:
                row.silent += ports
            elif verdict[1] in CONNECTED or len(ports) > ICMP_BURST:
                rows.append(row)
                row = Row(self, [], [])
            elif verdict[1] is not None:
                row.causes.append(verdict[1])
        return [each for each in (*rows, row) if each.silent]


@dataclass
class Row:
    """Neighbouring silent ports of one destination, and what others between them got."""

    to: Destination
    silent: list[int]
    causes: list[Verdict]

    @property
    def is_short(self) -> bool:
        """Whether all of its ports are tried again."""
        return len(self.silent) < _ROW

    def samples(self) -> list[int]:
        """Return the ports to try again."""
        return list(self.silent) if self.is_short else spread(self.silent, _ROW_SAMPLES)

    def settle(self) -> bool:
        """Give all the verdict that some got; return whether there was one.

        Kernels send few ICMP errors a second: of a thousand rejected ports, two are told so. As
        many as the kernel does send at once speak for themselves only.
        """
        to = self.to
        self.causes += [to.verdicts[port] for port in self.silent if port in to.verdicts]
        self.silent = [port for port in self.silent if port in to.silent]
        causes = [each for each in self.causes if each in ERRORS]
        if len(self.silent) > ICMP_BURST and causes:
            to.verdicts.update(dict.fromkeys(self.silent, causes[-1]))
            to.silent.difference_update(self.silent)
            self.silent = []
        return not self.silent
