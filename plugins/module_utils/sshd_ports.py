# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From which ports to which: the steps of a change that never closes the door behind itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.sshd_config import Own

#: Open what is wanted, and let the caller prove it before anything is closed.
TRY = "try"
#: The proof was given: close the rest.
KEEP = "keep"
#: The proof failed: back to how it was.
UNDO = "undo"


@dataclass(frozen=True)
class Ports:
    """How the ports stand: ours, the owner's own, those that hold without any, and what is open."""

    own: Own
    explicit: tuple[int, ...]
    default: tuple[int, ...]
    open: frozenset[int]


@dataclass(frozen=True)
class PortPlan:
    """What our part shall say, and the port that must be proven before the next step, or 0."""

    own: Own
    proof: int = 0


def plan_ports(seen: Ports, wanted: Optional[int], absent: bool, step: str) -> PortPlan:
    """Return the next step towards ``wanted`` (None: as it is), or towards nothing of ours."""
    own = seen.own
    before = own.before if own.trial else own.ports
    if step == UNDO:
        return PortPlan(replace(own, ports=before, trial=0, before=()))
    if wanted is None and not absent:
        return PortPlan(own)
    base = seen.explicit or seen.default
    target = base[0] if absent or wanted is None else wanted
    final = () if target in base else (target,)
    after = frozenset((*seen.explicit, *final)) or frozenset(seen.default)
    if step == KEEP or (target in seen.open and not seen.open - after):
        return PortPlan(replace(own, ports=final, trial=0, before=()))
    implied = () if seen.explicit or own.ports else seen.default
    ports = {*own.ports, *implied, target} - set(seen.explicit)
    trial = replace(own, ports=tuple(sorted(ports)), trial=target, before=before)
    return PortPlan(trial, proof=target)


def staying(plan: PortPlan, explicit: tuple[tuple[int, str], ...]) -> tuple[str, ...]:
    """Return a remark for every port of the owner's that stays open beside ours."""
    if not plan.own.ports or plan.own.trial:
        return ()
    return tuple(
        f"sshd listens on {port} too, because {place} says so; that line is yours and stays. "
        f"Remove it to have {plan.own.ports[0]} alone"
        for port, place in explicit
        if port not in plan.own.ports
    )


def parse_labels(text: str) -> frozenset[int]:
    """Return the ports that ``semanage port -l`` gives to sshd."""
    found: set[int] = set()
    for line in text.splitlines():
        match = re.match(r"^ssh_port_t\s+tcp\s+(.*)$", line)
        for word in match.group(1).split(",") if match else ():
            first, _dash, last = word.strip().partition("-")
            found |= set(range(int(first), int(last or first) + 1)) if first.isdigit() else set()
    return frozenset(found)
