# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rules a node must have, for what it is asked and for the firewalls that are active on it.

Pure. What was seen comes in as values; what must be done goes out as values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    firewall_iptables,
    firewall_nft,
    firewall_script,
    firewall_ufw,
    firewall_zones,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_nft import (
    Chain,
    Closing,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_rules import Opening
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_script import Part
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_zones import Zone


@dataclass(frozen=True)
class Saved:
    """What ``iptables-save`` of one kind prints."""

    program: str
    version: int
    text: str


@dataclass(frozen=True)
class Seen:
    """How a node's packet filters stand; None where that program was not asked.

    ``ufw`` are our rules in it, which it keeps when it is switched off, ``ufw_owners`` the others.
    """

    runtime: Optional[tuple[Zone, ...]] = None
    permanent: tuple[Zone, ...] = ()
    ufw: Optional[tuple[str, ...]] = None
    ufw_runs: bool = False
    ufw_owners: tuple[str, ...] = ()
    chains: tuple[Chain, ...] = ()
    saved: tuple[Saved, ...] = ()

    @property
    def has_manager(self) -> bool:
        """Whether firewalld or ufw keeps the rules of iptables."""
        return self.runtime is not None or self.ufw_runs

    def closed_iptables(self) -> list[Saved]:
        """Return the kinds of iptables that the owner closed by hand."""
        if self.has_manager:
            return []
        return [each for each in self.saved if firewall_iptables.is_closed(each.text)]

    def active(self) -> list[str]:
        """Return the names of the firewalls that turn something down on this node."""
        names = ["firewalld"] if self.runtime is not None else []
        names += ["ufw"] if self.ufw_runs else []
        names += ["nftables"] if firewall_nft.closed_inputs(self.chains) else []
        names += ["iptables"] if self.closed_iptables() else []
        return names


@dataclass(frozen=True)
class Wanted:
    """What must be there: rules in the owner's firewalls, and our own closing table."""

    openings: tuple[Opening, ...] = ()
    closing: Optional[Closing] = None


@dataclass(frozen=True)
class Parts:
    """The parts of the script, and the chains of the owner's that ours is put into."""

    parts: tuple[Part, ...] = ()
    places: tuple[Chain, ...] = ()
    saved: tuple[Saved, ...] = ()
    text: str = field(default="")

    @property
    def script(self) -> str:
        """The script that loads all of it, empty when there is nothing to load."""
        return firewall_script.script(self.parts)

    def trial_input(self) -> str:
        """Return the input for nft that makes the same in an empty network namespace."""
        tables = [f"add table {each.family} {each.table}\n" for each in self.places]
        texts = [part.text for part in self.parts if part.program.startswith("nft")]
        return "".join([*dict.fromkeys(tables), *texts])


def parts_for(wanted: Wanted, seen: Seen) -> Parts:
    """Return what nft and iptables must load."""
    places = firewall_nft.closed_inputs(seen.chains) if wanted.openings else []
    saved = seen.closed_iptables() if wanted.openings else []
    parts = [
        firewall_script.nft_chain(each, firewall_nft.chain_text(each, wanted.openings))
        for each in places
    ]
    parts += [
        firewall_script.iptables_chain(
            each.program, firewall_iptables.chain_text(wanted.openings, each.version)
        )
        for each in saved
    ]
    table = firewall_nft.table_text(wanted.closing) if wanted.closing else ""
    if table:
        parts.insert(0, firewall_script.nft_table(table))
    return Parts(tuple(parts), tuple(places), tuple(saved), table)


@dataclass(frozen=True)
class Difference:
    """What differs between how the filters stand and how they must."""

    runtime: tuple[tuple[str, list[str]], ...] = ()
    permanent: tuple[tuple[str, list[str]], ...] = ()
    ufw: tuple[list[str], ...] = ()
    table: bool = False
    load: bool = False
    surplus: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(
            self.runtime or self.permanent or self.ufw or self.table or self.load or self.surplus
        )


def compare(
    wanted: Wanted, parts: Parts, seen: Seen, made: Sequence[Chain], made_saved: Sequence[str]
) -> Difference:
    """Return the difference; ``made`` and ``made_saved`` are the wanted rules as nft shows them."""
    zones = seen.runtime or ()
    table = firewall_nft.table_listing(seen.chains) != firewall_nft.table_listing(made)
    return Difference(
        runtime=tuple(
            firewall_zones.changes(zones, firewall_zones.wanted_rules(wanted.openings, zones))
        ),
        permanent=tuple(
            firewall_zones.changes(
                seen.permanent, firewall_zones.wanted_rules(wanted.openings, zones)
            )
        ),
        ufw=tuple(
            firewall_ufw.changes(
                seen.ufw, firewall_ufw.wanted_rules(wanted.openings, seen.ufw_owners)
            )
            if seen.ufw is not None
            else ()
        ),
        table=table,
        load=bool(parts.parts)
        and (table or _chains_differ(parts, seen, made) or _saved_differ(parts, made_saved)),
        surplus=tuple(surplus_commands(parts, seen)),
    )


def _chains_differ(parts: Parts, seen: Seen, made: Sequence[Chain]) -> bool:
    for place in parts.places:
        here = _ours_in(place, seen.chains)
        there = _ours_in(place, made)
        jumps = [rule for rule in place.rules if firewall_nft.is_jump(rule)]
        if here is None or there is None or here != there or len(jumps) != 1:
            return True
    return False


def _ours_in(place: Chain, chains: Iterable[Chain]) -> Optional[str]:
    for chain in firewall_nft.our_chains(chains):
        if (chain.family, chain.table) == (place.family, place.table):
            return chain.listing()
    return None


def _saved_differ(parts: Parts, made_saved: Sequence[str]) -> bool:
    return any(
        not firewall_iptables.has_jump(each.text)
        or firewall_iptables.our_rules(each.text) != firewall_iptables.our_rules(made)
        for each, made in zip(parts.saved, made_saved)
    )


def surplus_commands(parts: Parts, seen: Seen) -> list[str]:
    """Return the shell commands that take out what is ours and not wanted."""
    kept = {(place.family, place.table) for place in parts.places}
    commands = [
        f"nft delete rule {chain.place} handle {rule.handle}"
        for chain in seen.chains
        for rule in _extra_jumps(chain, kept)
    ]
    commands += [
        f"nft flush chain {chain.place} && nft delete chain {chain.place}"
        for chain in firewall_nft.our_chains(seen.chains)
        if (chain.family, chain.table) not in kept
    ]
    if not parts.text and any(chain.table == firewall_nft.NAME for chain in seen.chains):
        commands.append(f"nft delete table inet {firewall_nft.NAME}")
    programs = [each.program for each in parts.saved]
    jump, name = " ".join(firewall_iptables.JUMP), firewall_iptables.CHAIN
    for each in seen.saved:
        if each.program not in programs and firewall_iptables.has_jump(each.text):
            commands.append(f"{each.program} -D INPUT {jump}")
        if each.program not in programs and firewall_iptables.has_chain(each.text):
            commands.append(f"{each.program} -F {name} && {each.program} -X {name}")
    return commands


def _extra_jumps(chain: Chain, kept: set[tuple[str, str]]) -> list[firewall_nft.Rule]:
    """Return our jumps in a chain of the owner's beyond the one that is wanted there."""
    jumps = [rule for rule in chain.rules if firewall_nft.is_jump(rule)]
    return jumps[1:] if (chain.family, chain.table) in kept else jumps


def describe(seen: Seen) -> str:
    """Return our rules as they stand, for a person to read."""
    lines = []
    for kind, zones in (("permanent", seen.permanent), ("runtime", seen.runtime or ())):
        lines += [f"firewalld {kind} {z.name}: {rule}" for z in zones for rule in sorted(z.ours)]
    lines += [f"ufw: {rule}" for rule in sorted(seen.ufw or ())]
    for each in seen.saved:
        lines += [f"{each.program}: {rule}" for rule in firewall_iptables.our_rules(each.text)]
    for chain in [*firewall_nft.our_chains(seen.chains), *_closing_chains(seen.chains)]:
        lines += [f"nft {chain.place}: {line}" for line in chain.listing().splitlines()]
    return "".join(f"{line}\n" for line in lines)


def _closing_chains(chains: Iterable[Chain]) -> list[Chain]:
    return [each for each in chains if (each.family, each.table) == ("inet", firewall_nft.NAME)]


def as_wanted(
    wanted: Wanted, parts: Parts, seen: Seen, made: Sequence[Chain], made_saved: Sequence[str]
) -> Seen:
    """Return how the node will stand, for the difference that is shown."""
    rules = firewall_zones.wanted_rules(wanted.openings, seen.runtime or ())

    def with_ours(zones: Iterable[Zone]) -> tuple[Zone, ...]:
        return tuple(
            Zone(z.name, z.is_default, z.interfaces, z.sources, tuple(rules.get(z.name, ())))
            for z in zones
        )

    texts = {each.program: made for each, made in zip(parts.saved, made_saved)}
    ufw = tuple(firewall_ufw.wanted_rules(wanted.openings, seen.ufw_owners))
    return Seen(
        None if seen.runtime is None else with_ours(seen.runtime),
        with_ours(seen.permanent),
        None if seen.ufw is None else ufw,
        seen.ufw_runs,
        seen.ufw_owners,
        tuple(made),
        tuple(Saved(e.program, e.version, texts.get(e.program, "")) for e in seen.saved),
    )
