# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packet-filter rules Docker left behind, and the input that takes exactly those out.

Pure. A rule goes when it was not there before and is Docker's; nothing else is touched and
nothing is flushed that is not ours.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Optional

# The programs that print and load rules. The iptables-nft ones and the legacy ones keep
# different rules; a node may have both.
SAVERS = ("iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy")
NFT = "nft"

_CHAIN = re.compile(r"DOCKER(-[\w-]+)?$")
_JUMP = re.compile(r"-[jg] DOCKER(-[\w-]+)?(\s|$)")
_BRIDGE = re.compile(r"-[io] (docker0|docker_gwbridge|br-[0-9a-f]{12})(\s|$)")
_HAIRPIN = re.compile(r"-s (\S+) -d (\S+) .*-j MASQUERADE")
_IPTABLES_TABLES = ("filter", "nat", "mangle", "raw", "security")
_NFT_BACKEND = "docker-bridges"


@dataclass
class Table:
    """One table as ``iptables-save`` prints it."""

    policies: dict[str, str] = field(default_factory=dict)  # "-" for a chain of one's own
    rules: list[str] = field(default_factory=list)  # without the leading "-A "


def parse_iptables(text: str) -> dict[str, Table]:
    """Return the tables in the output of ``iptables-save``, without counters."""
    tables: dict[str, Table] = {}
    table = Table()
    for line in text.splitlines():
        if line.startswith("*"):
            table = tables.setdefault(line[1:].strip(), Table())
        elif line.startswith(":"):
            chain, policy = line[1:].split()[:2]
            table.policies[chain] = policy
        elif line.startswith("-A "):
            table.rules.append(line[3:].strip())
        elif line.startswith("[") and "] -A " in line:
            table.rules.append(line.split("] -A ", 1)[1].strip())
    return tables


def is_dockers(rule: str) -> bool:
    """Return True when Docker wrote the rule ``CHAIN ...`` of an iptables-save."""
    chain = rule.split(" ", 1)[0]
    if _CHAIN.match(chain) or _JUMP.search(rule) or _BRIDGE.search(rule):
        return True
    hairpin = _HAIRPIN.search(rule)
    return bool(chain == "POSTROUTING" and hairpin and hairpin.group(1) == hairpin.group(2))


def undo_iptables(before: Optional[str], now: str) -> str:
    """Return the input for ``iptables-restore --noflush`` that takes Docker's new rules out.

    Empty when there is nothing to take out, or when Docker's chains were there before: then
    Docker is the owner's and so are its rules.
    """
    old, new = parse_iptables(before or ""), parse_iptables(now)
    if any(_CHAIN.match(chain) for table in old.values() for chain in table.policies):
        return ""
    parts = [_undo_table(name, old.get(name, Table()), table) for name, table in new.items()]
    return "".join(part for part in parts if part)


def _undo_table(name: str, old: Table, new: Table) -> str:
    fresh = Counter(new.rules) - Counter(old.rules)
    ours = [rule for rule in new.rules if fresh[rule] > 0 and is_dockers(rule)]
    chains = [c for c, policy in new.policies.items() if policy == "-" and _CHAIN.match(c)]
    outside = [rule for rule in ours if rule.split(" ", 1)[0] not in chains]
    lines = [f"-D {rule}" for rule in outside]
    lines += [f"-F {chain}" for chain in chains] + [f"-X {chain}" for chain in chains]
    policies = _policies(name, old, new) if ours or chains or _only_policies(new) else []
    if not lines and not policies:
        return ""
    return "\n".join([f"*{name}", *policies, *lines, "COMMIT", ""])


def _policies(name: str, old: Table, new: Table) -> list[str]:
    """Return the FORWARD policy's line when Docker closed it (no other policy is Docker's)."""
    before, now = old.policies.get("FORWARD", "ACCEPT"), new.policies.get("FORWARD", "ACCEPT")
    return [f":FORWARD {before} [0:0]"] if name == "filter" and now != before else []


def _only_policies(table: Table) -> bool:
    return not table.rules and all(policy != "-" for policy in table.policies.values())


@dataclass(frozen=True)
class NftChain:
    """One chain of ``nft list ruleset``: is it a hook, its policy, how many rules it has."""

    base: bool
    policy: str
    rules: int


def parse_nft(text: str) -> dict[tuple[str, str], dict[str, NftChain]]:
    """Return the chains of every table (family, name) in the output of ``nft list ruleset``.

    Sets, maps and the like count as a rule of a chain without a name: such a table is in use.
    """
    tables: dict[tuple[str, str], dict[str, NftChain]] = {}
    for family, name, body in _blocks(text, r"table (\S+) (\S+)"):
        chains = {}
        for chain, _unused, lines in _blocks(body, r"\tchain (\S+)()"):
            chains[chain] = _nft_chain(lines)
        other = re.findall(r"^\t(?!chain )(\w+) \S+ \{", body, re.MULTILINE)
        if other:
            chains[""] = NftChain(False, "", len(other))
        tables[family, name] = chains
    return tables


def _blocks(text: str, head: str) -> list[tuple[str, str, str]]:
    indent = "\t" if head.startswith("\\t") else ""
    found = re.finditer(rf"^{head} \{{.*?\n(.*?)^{indent}\}}", text, re.MULTILINE | re.DOTALL)
    return [(match.group(1), match.group(2), match.group(3)) for match in found]


def _nft_chain(body: str) -> NftChain:
    lines = [line.strip() for line in body.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    hook = [line for line in lines if line.startswith("type ")]
    policy = re.search(r"policy (\w+)", hook[0]) if hook else None
    return NftChain(bool(hook), policy.group(1) if policy else "accept", len(lines) - len(hook))


def undo_nft(before: Optional[str], now: str) -> str:
    """Return the input for ``nft -f`` that deletes what Docker left empty.

    That is: tables of iptables-nft and of Docker's own nftables backend that were not there
    before, and base chains that iptables-nft added to tables that were. A table or chain
    with a rule, a set or a closed policy in it stays. Without a record of the rules (the node
    had no nft then, and so nothing that leaves empty chains) every empty base chain is new.
    """
    old, new = parse_nft(before or ""), parse_nft(now)
    lines = []
    for (family, name), chains in new.items():
        compatible = family in ("ip", "ip6") and name in _IPTABLES_TABLES
        idle = [chain for chain, found in chains.items() if _idle(found)]
        fresh = (family, name) not in old
        if fresh and (name == _NFT_BACKEND or (compatible and len(idle) == len(chains))):
            lines.append(f"delete table {family} {name}")
        elif compatible and (before is None or not fresh):
            known = old.get((family, name), {})
            lines += [f"delete chain {family} {name} {c}" for c in idle if c not in known]
    return "".join(f"{line}\n" for line in lines)


def _idle(chain: NftChain) -> bool:
    return chain.base and chain.policy == "accept" and chain.rules == 0
