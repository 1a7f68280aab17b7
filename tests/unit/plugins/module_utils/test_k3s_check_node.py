"""Claims about a k3s that is on the nodes already."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
    Probe,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check import (
    check_system,
)


def codes(group: str, installed: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return what is said of the k3s on one host of a group."""
    probe = Probe(reachable=True, sudo=True, facts={"system": {"installed": installed}})
    inventory = Inventory((Host("n1", frozenset({group}), probe=probe),), {})
    found = [each for each in check_system(inventory) if each.code == "k3s-foreign"]
    return [(each.severity.value, each.seen, each.fix.rpartition("-a ")[2]) for each in found]


@pytest.mark.parametrize(
    ("unit", "script"),
    [
        pytest.param("k3s", "k3s-uninstall.sh", id="server"),
        pytest.param("k3s-agent", "k3s-agent-uninstall.sh", id="agent"),
    ],
)
def test_a_k3s_of_the_owner_is_not_taken_over(unit: str, script: str) -> None:
    path = f"/etc/systemd/system/{unit}.service"
    assert codes("k3s_agent", {"k3s": True, "k3s_foreign": [path]}) == [
        ("error", path, f"/usr/local/bin/{script} n1")
    ]


@pytest.mark.parametrize(
    ("group", "installed"),
    [
        pytest.param("k3s_server", {"k3s": True, "k3s_foreign": []}, id="ours"),
        pytest.param("ray_head", {"k3s": True, "k3s_foreign": ["k3s.service"]}, id="gets-no-k3s"),
        pytest.param("k3s_server", {"k3s": True}, id="an-older-probe"),
        pytest.param("k3s_server", {}, id="not-known"),
    ],
)
def test_any_other_k3s_is_no_finding(group: str, installed: dict[str, Any]) -> None:
    assert codes(group, installed) == []


def first_server(*installed: bool | None) -> list[tuple[str, str, str]]:
    """Return what is said of servers in this order that have k3s, have none, or are silent."""
    hosts = tuple(
        Host(
            f"n{number}",
            frozenset({"k3s_server"}),
            probe=Probe(
                reachable=has is not None,
                sudo=True,
                facts={} if has is None else {"system": {"installed": {"k3s": has}}},
            ),
        )
        for number, has in enumerate(installed, start=1)
    )
    # The group has an order of its own.
    found = check_system(Inventory(hosts[::-1], {}, first_k3s_server="n1"))
    return [
        (each.severity.value, each.host, each.seen)
        for each in found
        if each.code == "k3s-first-server-new"
    ]


@pytest.mark.parametrize(
    ("installed", "seen"),
    [
        pytest.param((False, True, True), "k3s on n3 and n2, none on n1", id="replaced"),
        pytest.param((False, False, True), "k3s on n3, none on n1", id="one-is-left"),
        pytest.param((False, None, True), "k3s on n3, none on n1", id="one-is-silent"),
    ],
)
def test_a_new_first_server_founds_no_second_cluster(
    installed: tuple[bool, ...], seen: str
) -> None:
    assert first_server(*installed) == [("error", "n1", seen)]


@pytest.mark.parametrize(
    "installed",
    [
        pytest.param((False, False, False), id="a-new-cluster"),
        pytest.param((True, True, True), id="all-run"),
        pytest.param((True, False, True), id="another-joins"),
        pytest.param((None, True, True), id="the-first-is-silent"),
        pytest.param((False, None, False), id="another-is-silent-which-is-told-elsewhere"),
    ],
)
def test_other_servers_may_found_and_join(installed: tuple[bool | None, ...]) -> None:
    assert first_server(*installed) == []


def test_a_limit_may_not_hide_the_cluster_that_is_there() -> None:
    probe = Probe(reachable=True, sudo=True, facts={"system": {"installed": {"k3s": False}}})
    hosts = (
        Host("n1", frozenset({"k3s_server"}), probe=probe),
        Host("n2", frozenset({"k3s_server"}), in_play=False),
    )
    found = check_system(Inventory(hosts, {}, first_k3s_server="n1"))
    (finding,) = [each for each in found if each.code == "k3s-first-server-new"]
    assert finding.seen == "no k3s on n1, n2 not asked"
    assert "without --limit" in finding.fix
