"""The rules of the port mesh against a plain reading of the catalogue: a loop over everything.

Sets of ports are numbers here, with a bit for each port.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    Heard,
    Listener,
    ListenReport,
    Target,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_plan import (
    all_targets,
    listen_ports,
    plan_listeners,
    services_at,
    targets_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    CATALOGUE,
    Port,
)
from hypothesis import given
from hypothesis import strategies as st

HOSTS = ("a", "b", "c", "d")
GROUPS = ("ray_head", "ray_worker", "k3s_server", "k3s_agent", "monitoring", "registry")
NAMES = {
    "every node": GROUPS,
    "ray nodes": ("ray_head", "ray_worker"),
    "k3s nodes": ("k3s_server", "k3s_agent"),
}
PROFILES = ("ray", "k3s", "k3s-ha", "management", "monitoring", "lan")
MODES = ("required", "full", "sample")
SOURCES = (*HOSTS, "control node")
VARIABLES = sorted({name for row in CATALOGUE for name in row.variables})

groups_of_hosts = st.dictionaries(
    st.sampled_from(GROUPS), st.lists(st.sampled_from(HOSTS), unique=True)
)
nodes_of = st.fixed_dictionaries(
    {host: st.sampled_from([f"198.18.0.{number}", ""]) for number, host in enumerate(HOSTS, 1)}
)
ports = st.one_of(st.integers(1, 65535), st.integers(1, 65535).map(str), st.just("no port"))
names_of_variables = st.one_of(
    st.sampled_from(["k3s_http_port", "http_port", "ray_max_worker_port"]),
    st.sampled_from(VARIABLES),
)
variables_of = st.dictionaries(
    st.sampled_from(HOSTS), st.dictionaries(names_of_variables, ports, max_size=4)
)
cases = st.tuples(
    nodes_of,
    groups_of_hosts,
    variables_of,
    st.sets(st.sampled_from(PROFILES)),
    st.sampled_from(MODES),
)
Case = tuple[dict[str, str], dict[str, list[str]], dict[str, dict[str, Any]], set[str], str]


def bits(text: str) -> int:
    """Return a list of ports as a number with a bit for each."""
    found = 0
    for part in text.split(",") if text else []:
        first, _dash, last = part.partition("-")
        found |= (1 << int(last or first) + 1) - (1 << int(first))
    return found


def is_in(host: str, name: str, groups: dict[str, list[str]]) -> bool:
    return any(host in groups.get(group, []) for group in NAMES.get(name, (name,)))


def port_of(names: tuple[str, ...], number: int, mine: dict[str, Any]) -> int:
    """Return a port as the first of its variables gives it, 0 when that is none."""
    for name in names:
        if name and name in mine:
            return int(mine[name]) if re.fullmatch("[0-9]+", str(mine[name])) else 0
    return number


def range_of(row: Port, mine: dict[str, Any], is_shared: bool = False) -> int:
    """Return the ports of a row on a host; nothing when its variables are no range."""
    number = 10300 if row.name == "ray-workers" and is_shared else row.number
    first = port_of((row.variable, row.alias), number, mine)
    last = port_of((row.last_variable,), row.last, mine) if row.last else first
    return bits(f"{first}-{last}") if 0 < first <= last else 0


def shared(host: str, groups: dict[str, list[str]]) -> bool:
    """Return whether Ray and k3s are both on a host."""
    kinds = [("ray_head", "ray_worker"), ("k3s_server", "k3s_agent")]
    return all(any(host in groups.get(each, []) for each in kind) for kind in kinds)


def tries(source: str, host: str, row: Port, groups: dict[str, list[str]]) -> bool:
    if source == "control node":
        return "control node" in row.clients
    return source != host and any(is_in(source, client, groups) for client in row.clients)


def by_loop(case: Case) -> dict[tuple[str, str, str], tuple[int, frozenset[str]]]:
    """Return ports and sources of each host and row, the slow and plain way."""
    nodes, groups, variables, profiles, _mode = case
    return {
        (host, row.name, row.protocol): (
            range_of(row, variables.get(host, {}), shared(host, groups)),
            frozenset(
                source
                for source in SOURCES
                if nodes.get(source, "here") and tries(source, host, row, groups)
            ),
        )
        for host in HOSTS
        for row in CATALOGUE
        if nodes[host]
        and row.name != "ssh"
        and row.profile in profiles
        and is_in(host, row.role, groups)
        and row.counts(variables.get(host, {}))
        and range_of(row, variables.get(host, {}), shared(host, groups))
    }


def planned(case: Case) -> list[Listener]:
    nodes, groups, variables, profiles, mode = case
    return plan_listeners(nodes, groups, variables, profiles, mode, "7")


@given(cases)
def test_the_plan_says_what_a_loop_over_the_catalogue_says(case: Case) -> None:
    listeners = planned(case)
    seen = {
        (each.host, each.service, each.protocol): (bits(each.ports), frozenset(each.sources))
        for each in listeners
    }
    assert seen == by_loop(case)
    assert len(listeners) == len(seen)
    assert all(each.address == case[0][each.host] for each in listeners)


@given(cases)
def test_the_mode_says_how_many_ports_of_a_range_are_tested(case: Case) -> None:
    for each in planned(case):
        every, tested = bits(each.ports), bits(each.tested)
        width = every.bit_count()
        expected = {
            "required": 1024 if width > 16384 else width,
            "full": width,
            "sample": min(width, 64),
        }[case[4]]
        ends = 1 << each_end(every)[0] | 1 << each_end(every)[1]
        assert tested.bit_count() == expected
        assert tested & every == tested
        assert tested & ends == ends


def each_end(ports_as_bits: int) -> tuple[int, int]:
    """Return the first and the last port."""
    return (ports_as_bits & -ports_as_bits).bit_length() - 1, ports_as_bits.bit_length() - 1


lists = st.sampled_from(["", "1-65535", "8076-8077", "1-12000", "10250,30000-40000", "50000-60000"])
reports_of = st.dictionaries(
    st.sampled_from(HOSTS),
    st.builds(
        ListenReport,
        address=st.just("198.18.0.9"),
        tcp=st.builds(Heard, ours=lists, served=lists),
        udp=st.builds(Heard, ours=lists, served=lists),
        problem=st.sampled_from(["", "", "", "no more open files"]),
    ),
)


@given(cases, reports_of)
def test_targets_say_what_a_loop_over_plan_and_reports_says(
    case: Case, reports: dict[str, ListenReport]
) -> None:
    listeners = planned(case)
    expected: dict[tuple[str, str], tuple[int, ...]] = {}
    for each in listeners:
        report = reports.get(each.host)
        for source in each.sources if report and not report.problem else ():
            heard = getattr(report, each.protocol)
            add = [0, 0, 0, 0]
            add[PLACES[each.protocol]] = bits(each.tested) & bits(heard.ours)
            add[PLACES[each.protocol] + 1] = bits(each.tested) & bits(heard.served)
            so_far = expected.get((source, each.host), (0, 0, 0, 0))
            expected[source, each.host] = tuple(a | b for a, b in zip(so_far, add, strict=True))
    seen = {
        (source, target.host): as_bits(target)
        for source, targets in all_targets(listeners, reports, SOURCES).items()
        for target in targets
    }
    assert seen == {pair: found for pair, found in expected.items() if any(found)}


PLACES = {"tcp": 0, "udp": 2}


def as_bits(target: Target) -> tuple[int, ...]:
    return (
        bits(target.tcp),
        bits(target.tcp_served),
        bits(target.udp),
        bits(target.udp_served),
    )


@given(cases)
def test_each_port_that_is_tried_is_listened_to_and_known(case: Case) -> None:
    listeners = planned(case)
    listening = {host: listen_ports(listeners, host) for host in HOSTS}
    reports = {
        host: ListenReport(case[0][host], Heard(mine["tcp"]), Heard(mine["udp"]))
        for host, mine in listening.items()
    }
    tried = {(host, protocol): 0 for host in HOSTS for protocol in PLACES}
    for source in SOURCES:
        for target in targets_of(listeners, reports, source):
            assert target.host != source
            assert target.tcp_served == target.udp_served == ""
            tried[target.host, "tcp"] |= bits(target.tcp)
            tried[target.host, "udp"] |= bits(target.udp)
    for (host, protocol), found in tried.items():
        assert found == bits(listening[host][protocol])
        if found:
            assert services_at(listeners, host, protocol, each_end(found)[0])
            assert services_at(listeners, host, protocol, each_end(found)[1])
