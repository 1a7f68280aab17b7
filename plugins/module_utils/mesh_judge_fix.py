# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line to type about a fault of the mesh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    mesh_judge_ports as port_sets,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import join_names
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_blocks import Kind
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_faults import Item
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_groups import Group
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_nodes import (
    NO_VIEW,
    NodeView,
    sources_as_text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_words import (
    grep_words,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import Verdict

Nodes = Mapping[str, NodeView]

_BETWEEN = "in the switch, router or hypervisor"


def ports_by_protocol(items: Sequence[Item]) -> dict[str, str]:
    """Return the ports to open: those of the whole service where everything tried failed."""
    found: dict[str, str] = {}
    for protocol in ("tcp", "udp"):
        texts = [
            item.ports if port_sets.count(item.bad) == port_sets.count(item.tested) else item.bad
            for item in items
            if item.protocol == protocol
        ]
        if texts:
            found[protocol] = port_sets.union(texts)
    return found


def fix_for(group: Group, nodes: Nodes) -> str:
    """Return what to type about ``group``, and where."""
    block = group.block
    if block.kind is Kind.SCATTERED:
        return "open report.html: the heat map of the mesh shows which pairs"
    source, destination = block.sources[0], block.destinations[0]
    if block.kind is not Kind.FROM and source == destination and len(block.sources) > 1:
        source = block.sources[1]
    if group.verdict is Verdict.UNREACHABLE:
        return _route(group, nodes, source, destination)
    if group.verdict is Verdict.WRONG_ANSWERER:
        return _answerer(group, source if len(block.sources) == 1 else "", destination)
    if block.kind is Kind.FROM:
        return _at_source(group, source)
    return _at_destination(group, nodes, destination)


def _route(group: Group, nodes: Nodes, source: str, destination: str) -> str:
    """Return how to look at the route; from the node at fault where it is known."""
    if group.block.kind is Kind.TO and group.block.mutual:
        source, destination = destination, source
    to = nodes.get(destination, NO_VIEW).address or "ADDRESS"
    here = nodes.get(source, NO_VIEW).address
    return f"on {source}: ip route get {to}" + (f" from {here}" if here else "")


def _answerer(group: Group, source: str, destination: str) -> str:
    """Return where to look for who answers; ``source`` is the only node that sees it, if one is."""
    if group.block.kind is Kind.FROM:
        return f"on {source}: nft list ruleset | grep -n -e redirect -e dnat -e tproxy"
    item = group.items[0]
    first = port_sets.first(item.bad)
    show = "ss -lunp" if item.protocol == "udp" else "ss -ltnp"
    where = f"on {source} and {destination}" if source else f"on {destination}"
    return f"{where}: nft list ruleset | grep -n -e redirect -e dnat; {show} 'sport = :{first}'"


def _at_source(group: Group, source: str) -> str:
    words = "" if group.whole else f" {grep_words(group.items)}"
    return f"on {source}: nft list ruleset | grep -n -e output -e drop -e reject{words}"


def _at_destination(group: Group, nodes: Nodes, destination: str) -> str:
    """Return how to open the firewall of the destination, or where else to look."""
    view = nodes.get(destination, NO_VIEW)
    where = f"on {destination}"
    if len(group.block.destinations) > 1:
        where = "on each of them"
    who = [name for name in group.block.sources if name != destination]
    sources = sources_as_text(who, nodes, view.network)
    if view.firewall == "ufw":
        return f"{where}: {_ufw(group, sources, view.interface)}"
    if view.firewall in _COMMANDS:
        return f"{where}: {_COMMANDS[view.firewall](group, sources)}"
    if view.firewall == "" and all(nodes.get(name, NO_VIEW).firewall == "" for name in who):
        ports = ", ".join(f"{text} {name}" for name, text in ports_by_protocol(group.items).items())
        if group.block.kind is Kind.EVERYBODY:
            return f"{_BETWEEN}: let the nodes reach each other at {ports}"
        there = "them" if len(group.block.destinations) > 1 else view.address or destination
        return f"{_BETWEEN}: let {join_names(sources)} reach {there} at {ports}"
    look = "drop -e reject" if group.whole else grep_words(group.items)[3:]
    return f"{where}: nft list ruleset | grep -n -e {look}"


def _firewalld(group: Group, sources: Sequence[str]) -> str:
    ports = [
        f"{span}/{protocol}"
        for protocol, text in ports_by_protocol(group.items).items()
        for span in text.split(",")
    ]
    rule = (
        "firewall-cmd --permanent --add-rich-rule=\"rule family='ipv4' source address='{source}'"
        " port port='{port}' protocol='{protocol}' accept\""
    )
    if len(sources) == 1 and len(ports) == 1:
        port, _slash, protocol = ports[0].partition("/")
        line = rule.format(source=sources[0], port=port, protocol=protocol)
        return f"{line} && firewall-cmd --reload"
    line = rule.format(source="$s", port="${p%/*}", protocol="${p#*/}")
    return (
        f"for s in {' '.join(sources)}; do for p in {' '.join(ports)}; do {line}; done; done;"
        " firewall-cmd --reload"
    )


def _ufw(group: Group, sources: Sequence[str], interface: str) -> str:
    device = f"in on {interface} " if interface else ""
    source = sources[0] if len(sources) == 1 else "$s"
    lines = [
        f"ufw allow {device}proto {protocol} from {source} to any port {text.replace('-', ':')}"
        for protocol, text in ports_by_protocol(group.items).items()
    ]
    if len(sources) == 1:
        return " && ".join(lines)
    return f"for s in {' '.join(sources)}; do {'; '.join(lines)}; done"


def _nftables(group: Group, sources: Sequence[str]) -> str:
    lines = [
        f"nft insert rule inet filter input ip saddr {_set(sources)}"
        f" {protocol} dport {_set(text.split(','))} accept"
        for protocol, text in ports_by_protocol(group.items).items()
    ]
    return f"{' && '.join(_quoted(line) for line in lines)}   (with your table and chain)"


def _quoted(line: str) -> str:
    return line.replace("nft insert", "nft 'insert", 1) + "'"


def _set(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{{ {', '.join(texts)} }}"


def _iptables(group: Group, sources: Sequence[str]) -> str:
    return " && ".join(
        f"iptables -I INPUT -s {','.join(sources)} -p {protocol} -m multiport"
        f" --dports {text.replace('-', ':')} -j ACCEPT"
        for protocol, text in ports_by_protocol(group.items).items()
    )


_COMMANDS = {
    "firewalld": _firewalld,
    "nftables": _nftables,
    "iptables": _iptables,
}
