# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""nftables: what a ruleset holds, and the text of our own tables and chains.

Pure. Two things are ours: the table ``inet rackforge``, which closes a node, and a chain called
``rackforge`` in a table of the owner's, which opens it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_rules import (
    Network,
    Opening,
)

NAME = "rackforge"
COMMENT = "rackforge.gpu_cluster"
JUMP = f'jump {NAME} comment "{COMMENT}"'

#: Interfaces that container engines and k3s make. Their traffic is the node's own.
CONTAINER_INTERFACES = (
    "docker*",
    "br-*",
    "veth*",
    "podman*",
    "cni*",
    "flannel*",
    "cali*",
    "cilium*",
    "lxc*",
    "kube-*",
    "virbr*",
    "tunl*",
)

#: Tables that a program of its own keeps; the owner's rules are not in them.
_KEPT_BY_PROGRAMS = re.compile(
    r"(firewalld|rackforge|docker-bridges|netavark|podman.*|libvirt_.*|kube-.*|f2b-.*|fail2ban.*"
    r"|cilium.*|calico.*|tailscale.*)$"
)
_FINAL = re.compile(
    r"(counter( packets \d+ bytes \d+)? "
    r"|log( prefix \"[^\"]*\"| level \S+| flags \S+| group \d+)* )*"
    r"(drop|reject( with .+)?)( comment \"[^\"]*\")?$"
)
_HANDLE = re.compile(r" # handle (\d+)$")


@dataclass(frozen=True)
class Rule:
    """A rule's text, and the number by which nft deletes it."""

    text: str
    handle: str = ""


@dataclass(frozen=True)
class Chain:
    """A chain; ``hook`` is its line ``type filter hook ...``, empty where packets jump in."""

    family: str
    table: str
    name: str
    hook: str = ""
    rules: tuple[Rule, ...] = ()

    @property
    def place(self) -> str:
        """Family, table and name, as nft's commands take them."""
        return f"{self.family} {self.table} {self.name}"

    def listing(self) -> str:
        """Return the chain's content as text, to be compared."""
        return "".join(f"{line}\n" for line in (self.hook, *(r.text for r in self.rules)) if line)


def parse_ruleset(text: str) -> tuple[Chain, ...]:
    """Return the chains in the output of ``nft --handle list ruleset``."""
    chains: list[Chain] = []
    table, chain, depth = ("", ""), "", 0
    hook, rules = "", list[Rule]()
    for raw in text.splitlines():
        handle = _HANDLE.search(raw)
        line = _HANDLE.sub("", raw).strip()
        opened = re.match(r"(table) (\S+) (\S+) \{|(chain) (\S+) \{", line)
        if opened and opened[1]:
            table, depth = (opened[2], opened[3]), 1
        elif opened and depth == 1:
            chain, depth, hook, rules = opened[5], 2, "", []
        elif line == "}" and depth == 2 and chain:
            chains.append(Chain(*table, chain, hook, tuple(rules)))
            chain, depth = "", 1
        elif chain and line.startswith("type "):
            hook = line
        elif chain and line and not line.startswith(("#", "comment ")):
            rules.append(Rule(line, handle[1] if handle else ""))
        else:
            depth += line.count("{") - line.count("}")
    return tuple(chains)


def closed_inputs(chains: Iterable[Chain]) -> list[Chain]:
    """Return the hand-written chains through which a node's input goes, and that end closed."""
    return [
        chain
        for chain in chains
        if "type filter hook input" in chain.hook
        and chain.family in ("ip", "ip6", "inet")
        and not _KEPT_BY_PROGRAMS.match(chain.table)
        and not _is_of_iptables(chain)
        and ("policy drop" in chain.hook or _ends_closed(chain))
    ]


def _is_of_iptables(chain: Chain) -> bool:
    return chain.family in ("ip", "ip6") and chain.table == "filter" and chain.name == "INPUT"


def _ends_closed(chain: Chain) -> bool:
    return bool(chain.rules) and _FINAL.match(chain.rules[-1].text) is not None


def is_jump(rule: Rule) -> bool:
    """Return whether the rule is the one that leads from the owner's chain into ours."""
    return rule.text == JUMP


def our_chains(chains: Iterable[Chain]) -> list[Chain]:
    """Return our chains in tables of the owner's."""
    return [chain for chain in chains if chain.name == NAME and chain.table != NAME]


def table_listing(chains: Iterable[Chain]) -> str:
    """Return the content of our closing table as text, empty when there is none."""
    return "".join(
        f"{chain.name}\n{chain.listing()}"
        for chain in chains
        if (chain.family, chain.table) == ("inet", NAME)
    )


def in_braces(items: Sequence[str]) -> str:
    """Return one item as it is, several as a set."""
    return items[0] if len(items) == 1 else "{ " + ", ".join(items) + " }"


def matches(opening: Opening, family: str = "inet") -> list[str]:
    """Return the matches for an opening's interface and sources in a table of ``family``."""
    where = f'iifname "{opening.interface}" ' if opening.interface else ""
    if not opening.sources:
        return [where]
    return [
        f"{where}{word} saddr {in_braces(_written(opening.of_family(version)))} "
        for word, version in (("ip", 4), ("ip6", 6))
        if opening.of_family(version) and family in (word, "inet")
    ]


def _written(networks: Sequence[Network]) -> list[str]:
    """Return networks as ranges, neighbours merged: sets of older nft refuse overlaps."""
    ranges: list[list[int]] = []
    for each in sorted(networks, key=lambda network: int(network.network_address)):
        first, last = int(each.network_address), int(each.broadcast_address)
        if ranges and first <= ranges[-1][1] + 1:
            ranges[-1][1] = max(last, ranges[-1][1])
        else:
            ranges.append([first, last])
    kind = ipaddress.IPv6Address if networks[0].version == 6 else ipaddress.IPv4Address
    return [f"{kind(a)}" if a == b else f"{kind(a)}-{kind(b)}" for a, b in ranges]


def accepting(openings: Iterable[Opening], family: str = "inet") -> list[str]:
    """Return the rules that let the openings in."""
    return [
        f"{match}{protocol} dport {in_braces(spans)} accept"
        for opening in openings
        for match in matches(opening, family)
        for protocol, spans in opening.ports
    ]


def chain_text(place: Chain, openings: Iterable[Opening]) -> str:
    """Return the input for nft that fills our chain in the table of the owner's chain ``place``."""
    head = f"{place.family} {place.table}"
    rules = accepting(openings, place.family)
    lines = [f"add chain {head} {NAME}", f"flush chain {head} {NAME}"]
    return "".join(
        f"{x}\n" for x in [*lines, *(f"add rule {head} {NAME} {rule}" for rule in rules)]
    )


@dataclass(frozen=True)
class Closing:
    """What is open on a node that is closed to everybody else."""

    ssh_ports: tuple[int, ...]
    members: tuple[Opening, ...] = ()
    everybody: tuple[Opening, ...] = ()
    outside: tuple[str, ...] = ()


def table_text(closing: Closing) -> str:
    """Return the input for nft that makes our closing table, in the place of an older one."""
    ssh = in_braces([str(port) for port in sorted(set(closing.ssh_ports))])
    chains = [
        ("inside", _inside(closing.outside)),
        (
            "input",
            [
                "type filter hook input priority filter; policy drop;",
                "ct state established,related accept",
                'iifname "lo" accept',
                # ICMP and ICMPv6 by number: a minimal node has no /etc/protocols for names.
                "meta l4proto { 1, 58 } accept",
                "udp sport 67 udp dport 68 accept",
                "ip6 saddr fe80::/10 udp dport 546 accept",
                f"tcp dport {ssh} accept",
                *accepting(closing.members),
                *accepting(closing.everybody),
                *_published(closing.everybody),
                "jump inside",
            ],
        ),
        (
            "published",
            [
                *_from(closing.members),
                *_published(closing.everybody),
                "jump inside",
                "drop",
            ],
        ),
        (
            "forward",
            [
                "type filter hook forward priority filter; policy accept;",
                "ct state new ct status dnat jump published",
            ],
        ),
    ]
    text = "".join(
        f"\tchain {name} {{\n" + "".join(f"\t\t{rule}\n" for rule in rules) + "\t}\n"
        for name, rules in chains
    )
    return f"{remove_table()}table inet {NAME} {{\n{text}}}\n"


def remove_table() -> str:
    """Return the input for nft after which our closing table is not there."""
    return f"table inet {NAME}\ndelete table inet {NAME}\n"


def _inside(outside: Sequence[str]) -> list[str]:
    """Return the rules that let in what comes from the node's own containers.

    A bridge of the owner's may be named like one of Docker's; those that are known to lead outside
    are turned down first.
    """
    alike = [each for each in sorted(set(outside)) if _looks_like_containers(each)]
    refused = [f"iifname {in_braces([_quoted(each) for each in alike])} drop"] if alike else []
    return refused + [f"iifname {_quoted(each)} accept" for each in CONTAINER_INTERFACES]


def _quoted(interface: str) -> str:
    return f'"{interface}"'


def _looks_like_containers(interface: str) -> bool:
    return any(interface.startswith(each.rstrip("*")) for each in CONTAINER_INTERFACES)


def _published(openings: Iterable[Opening]) -> list[str]:
    """Return the rules for ports that an engine passes on: their first port is the one meant."""
    return [
        f"{match}meta l4proto {protocol} ct status dnat"
        f" ct original proto-dst {in_braces(spans)} accept"
        for opening in openings
        for match in matches(opening)
        for protocol, spans in opening.ports
    ]


def _from(clients: Iterable[Opening]) -> list[str]:
    """Return the rules by which clients reach what an engine publishes.

    Members, who come in at the cluster's interface, reach all of it, others their own ports.
    """
    rules = []
    for each in clients:
        rules += (
            [f"{match}accept" for match in matches(each)] if each.interface else _published([each])
        )
    return list(dict.fromkeys(rules))
