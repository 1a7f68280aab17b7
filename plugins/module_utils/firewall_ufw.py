# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ufw: from what ``ufw show added`` prints to the rules to add and delete.

Pure. Our rules carry a comment; ufw appends them, so what the owner denied before stays denied.
ufw keeps one rule for the same packets and writes a new one over it, so where the owner has one,
whatever it does with them, we have none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_rules import (
    Network,
    Opening,
)

COMMENT = "rackforge.gpu_cluster"

#: ufw takes at most 15 ports in a rule, and a range counts as two.
MOST_PORTS = 15


def is_active(status: str) -> bool:
    """Return whether the output of ``ufw status`` says that it filters."""
    return status.lstrip().startswith("Status: active")


def our_rules(added: str) -> list[str]:
    """Return our rules in the output of ``ufw show added``, without comment."""
    end = f" comment '{COMMENT}'"
    return [
        line.removeprefix("ufw ").removesuffix(end)
        for line in added.splitlines()
        if line.startswith("ufw ") and line.endswith(end)
    ]


def owners_rules(added: str) -> list[str]:
    """Return the rules that are not ours in the output of ``ufw show added``, without comment."""
    lines = [line.removeprefix("ufw ") for line in added.splitlines() if line.startswith("ufw ")]
    others = [line for line in lines if not line.endswith(f" comment '{COMMENT}'")]
    return [re.sub(r" comment '[^']*'$", "", line) for line in others]


def wanted_rules(openings: Iterable[Opening], owners: Iterable[str] = ()) -> list[str]:
    """Return the rules, written the way that ``ufw show added`` shows them.

    Those are left out that ufw would write over one of ``owners``, the rules that are not ours.
    """
    rules = [
        _rule(opening.interface, source, protocol, ",".join(chunk))
        for opening in openings
        for source in opening.sources or (None,)
        for protocol, spans in opening.ports
        for chunk in chunks(spans)
    ]
    taken = {_packets(rule) for rule in owners}
    return [rule for rule in dict.fromkeys(rules) if _packets(rule) not in taken]


def _packets(rule: str) -> tuple[str, ...]:
    """Return which packets a rule is for: all of it but what it does with them."""
    return tuple(word for word in rule.split()[1:] if word not in ("log", "log-all"))


def _rule(interface: str, source: Optional[Network], protocol: str, ports: str) -> str:
    where = f" in on {interface}" if interface else ""
    if source is None and not interface:
        return f"allow {ports}/{protocol}"
    who = " from " + _written(source) if source else ""
    return f"allow{where}{who} to any port {ports} proto {protocol}"


def _written(source: Network) -> str:
    return str(source.network_address) if source.num_addresses == 1 else str(source)


def chunks(spans: Sequence[str]) -> list[list[str]]:
    """Return ``8000-8010`` as ``8000:8010``, in lists that fit into one rule."""
    found: list[list[str]] = [[]]
    room = MOST_PORTS
    for span in spans:
        cost = 2 if "-" in span else 1
        if cost > room:
            found.append([])
            room = MOST_PORTS
        found[-1].append(span.replace("-", ":"))
        room -= cost
    return found


def changes(present: Sequence[str], wanted: Sequence[str]) -> list[list[str]]:
    """Return the arguments of ``ufw``, one list for each rule to add or delete."""
    surplus = [["delete", *rule.split()] for rule in present if rule not in wanted]
    missing = [[*rule.split(), "comment", COMMENT] for rule in wanted if rule not in present]
    return [*missing, *surplus]
