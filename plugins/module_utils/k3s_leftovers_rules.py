# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packet-filter rules k3s left behind, and the input that takes exactly those out.

Pure. kube-proxy, the network policy controller, flannel and the CNI plugins write them. What was
there before stays, and so do rules of another container engine, also where it uses the same CNI
plugins. No table is ever written anew: a rule that comes meanwhile is not lost.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_firewall import (
    Table,
    parse_iptables,
    parse_nft,
    undo_nft,
)

#: The name of flannel's network in the configuration that k3s writes for the CNI plugins.
NETWORK = "cbr0"

_CHAIN = re.compile(r"(KUBE|CNI|FLANNEL)-")
_JUMP = re.compile(r"-[jg] ((?:KUBE|CNI|FLANNEL)-[\w-]+)")
_COMMENT = re.compile(
    r'--comment "?(flanneld |[\w -]*explicitly ACCEPT traffic that comply to network policies)'
)
#: The CNI plugins name the network in a comment; iptables-save escapes the quotes.
_NETWORK = re.compile(r'name: \\?"([^"\\]*)\\?"')
#: Chains that the CNI plugins make once for all networks of a node.
_SHARED = re.compile(r"CNI-(HOSTPORT-|FORWARD$|ADMIN$)")
#: Tables of their own, where kube-proxy, flannel or a CNI plugin speak nftables themselves.
_NFT_TABLES = ("kube-proxy", "flannel-ipv4", "flannel-ipv6")
_BUILTIN = "-"


def is_k3s_rule(rule: str) -> bool:
    """Return whether k3s wrote the rule ``CHAIN ...`` of an iptables-save."""
    match = _NETWORK.search(rule)
    if match and match.group(1) != NETWORK:
        return False
    return bool(_CHAIN.match(rule) or _JUMP.search(rule) or _COMMENT.search(rule))


def undo_rules(before: Optional[str], now: str) -> str:
    """Return the input for ``iptables-restore --noflush`` that takes k3s' new rules out.

    Empty when there is nothing to take out.
    """
    old, new = parse_iptables(before or ""), parse_iptables(now)
    parts = [_undo_table(name, old.get(name, Table()), table) for name, table in new.items()]
    return "".join(part for part in parts if part)


def _undo_table(name: str, old: Table, new: Table) -> str:
    chains = _going_chains(old, new)
    fresh = Counter(new.rules) - Counter(old.rules)
    lines = [f"-D {rule}" for rule in new.rules if fresh[rule] > 0 and _goes(rule, chains, new)]
    lines += [f"-F {chain}" for chain in chains] + [f"-X {chain}" for chain in chains]
    return "\n".join([f"*{name}", *lines, "COMMIT", ""]) if lines else ""


def _goes(rule: str, chains: Iterable[str], table: Table) -> bool:
    """Return whether a new rule is taken out by itself: its chain stays, and it is k3s'."""
    chain, target = _chain_of(rule), _JUMP.search(rule)
    if chain in chains or not is_k3s_rule(rule):
        return False
    if _NETWORK.search(rule):
        return True
    # A chain of the CNI plugins that stays is in use by others, and so is what leads to it.
    shared = target and target.group(1) in table.policies and target.group(1) not in chains
    return not (chain.startswith("CNI-") or shared)


def _going_chains(old: Table, new: Table) -> tuple[str, ...]:
    """Return the chains that came since and that nobody else uses."""
    ours = [
        chain
        for chain, policy in new.policies.items()
        if policy == _BUILTIN and _CHAIN.match(chain) and chain not in old.policies
    ]
    foreign = [rule for rule in new.rules if _is_foreign(rule)]
    used = {_chain_of(rule) for rule in foreign}
    used |= {match.group(1) for match in map(_JUMP.search, foreign) if match}
    return tuple(
        chain for chain in ours if chain not in used and not (foreign and _SHARED.match(chain))
    )


def _is_foreign(rule: str) -> bool:
    """Return whether another engine's use of a CNI plugin wrote the rule."""
    match = _NETWORK.search(rule)
    return bool(match and match.group(1) != NETWORK and (_CHAIN.match(rule) or _JUMP.search(rule)))


def _chain_of(rule: str) -> str:
    return rule.split(" ", 1)[0]


def undo_tables(before: Optional[str], now: str) -> str:
    """Return the input for ``nft -f`` that deletes tables of k3s' and what it left empty.

    Run it after ``undo_rules``: only then are the chains empty that iptables-nft made.
    """
    old = parse_nft(before or "")
    found = re.findall(r"^table (\S+) (\S+) \{", now, re.MULTILINE)
    lines = [
        f"delete table {family} {name}\n"
        for family, name in found
        if name in _NFT_TABLES and (family, name) not in old
    ]
    return "".join(lines) + undo_nft(before, now)
