# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""iptables without ufw or firewalld: is the input closed, and the chain that opens it.

Pure. Our rules stand in a chain of their own, ``RACKFORGE``, to which the owner's INPUT jumps.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_rules import Opening
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_ufw import chunks

CHAIN = "RACKFORGE"
COMMENT = "rackforge.gpu_cluster"
JUMP = ("-m", "comment", "--comment", COMMENT, "-j", CHAIN)


def is_closed(saved: str) -> bool:
    """Return whether the output of ``iptables-save`` turns down input that no rule lets in."""
    policy = [line for line in saved.splitlines() if line.startswith(":INPUT ")]
    rules = [line for line in saved.splitlines() if line.startswith("-A INPUT ")]
    last = rules[-1].split() if rules else []
    return any(line.split()[1] == "DROP" for line in policy) or last[2:4] in (
        ["-j", "DROP"],
        ["-j", "REJECT"],
    )


def our_rules(saved: str) -> list[str]:
    """Return the rules of our chain in the output of ``iptables-save``."""
    return [line for line in saved.splitlines() if line.startswith(f"-A {CHAIN} ")]


def has_jump(saved: str) -> bool:
    """Return whether INPUT leads to our chain."""
    return any(
        line.startswith("-A INPUT ") and line.endswith(f"-j {CHAIN}") for line in saved.splitlines()
    )


def has_chain(saved: str) -> bool:
    """Return whether our chain is there."""
    return any(line.startswith(f":{CHAIN} ") for line in saved.splitlines())


def chain_text(openings: Iterable[Opening], version: int) -> str:
    """Return the input for ``iptables-restore --noflush`` that fills our chain."""
    rules = [
        f"-A {CHAIN}{where}{who} -p {protocol} -m multiport --dports {','.join(chunk)} -j ACCEPT"
        for opening in openings
        for where in [f" -i {opening.interface}" if opening.interface else ""]
        for who in _sources(opening, version)
        for protocol, spans in opening.ports
        for chunk in chunks(spans)
    ]
    return "".join(f"{line}\n" for line in ["*filter", f":{CHAIN} - [0:0]", *rules, "COMMIT"])


def _sources(opening: Opening, version: int) -> list[str]:
    if not opening.sources:
        return [""]
    return [f" -s {each}" for each in opening.of_family(version)]
