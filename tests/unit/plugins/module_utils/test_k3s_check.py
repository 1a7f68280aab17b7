"""Claims about what preflight finds in the inventory of a k3s cluster."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import Finding
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_check import (
    check_k3s,
    taint_problem,
    token_problem,
)

WORD_16 = "0123456789abcdef"


def host(name: str, *groups: str, **values: Any) -> Host:
    """Return a host with these inputs; a server unless it has groups."""
    return Host(name, frozenset(groups or ("k3s_server",)), frozenset(values), values)


def check(*hosts: Host) -> list[Finding]:
    """Return what is said of an inventory with these hosts."""
    return check_k3s(Inventory(hosts, {}, profiles=frozenset({"k3s"})))


def brief(*hosts: Host) -> list[tuple[str, str, str, str]]:
    """Return severity, host, code and fix of each finding."""
    return [(each.severity.value, each.host, each.code, each.fix) for each in check(*hosts)]


def test_a_sound_inventory_is_silent() -> None:
    server = host(
        "Master_1",
        k3s_labels={"registry": "yes", "example.org/rack": 7, "empty": ""},
        k3s_taints=["team=vision:NoSchedule", "example.org/gpu:NoExecute"],
        k3s_token=WORD_16,
    )
    assert check(server, host("gpu-01.rack", "k3s_agent", k3s_token=WORD_16)) == []


def test_an_inventory_without_k3s_is_nobodys_business() -> None:
    assert check(host("h1", "ray_head", k3s_token="x", k3s_labels={"!": "x"})) == []


def test_a_host_is_server_or_agent() -> None:
    assert brief(host("n1", "k3s_server", "k3s_agent")) == [
        ("error", "n1", "k3s-server-is-agent-too", "take n1 out of [k3s_agent]")
    ]


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        pytest.param("node.", "node.", id="dot-at-the-end"),
        pytest.param("-gpu", "-gpu", id="hyphen-at-the-start"),
        pytest.param("gpu:1", "gpu:1", id="colon"),
        pytest.param("k\N{LATIN SMALL LETTER U WITH DIAERESIS}che", "k\xfcche", id="umlaut"),
        pytest.param("g" * 64, "g" * 64, id="64-characters"),
        pytest.param("_", "-", id="nothing-is-left"),
    ],
)
def test_a_name_that_kubernetes_refuses_is_told(name: str, seen: str) -> None:
    (found,) = check(host(name))
    assert (found.code, found.host, found.seen) == ("k3s-node-name", name, seen)
    assert found.fix == f"{name} k3s_node_name=NAME"


def test_a_given_name_stands_for_one_that_kubernetes_refuses() -> None:
    assert check(host("gpu:1", k3s_node_name="gpu-1")) == []


@pytest.mark.parametrize(
    ("second", "name"),
    [
        pytest.param(host("GPU_1", "k3s_agent"), "gpu-1", id="after-mapping"),
        pytest.param(host("w2", "k3s_agent", k3s_node_name="gpu-1"), "gpu-1", id="as-given"),
    ],
)
def test_two_hosts_with_one_name_are_told_once(second: Host, name: str) -> None:
    (found,) = check(host("gpu-1"), second)
    assert (found.code, found.host) == ("k3s-node-name-doubled", second.name)
    assert found.seen == f"{name} for gpu-1 and {second.name}"
    assert found.fix == f"{second.name} k3s_node_name=gpu-1-2"


@pytest.mark.parametrize(
    ("labels", "seen", "expected"),
    [
        pytest.param(
            {"registry": True},
            "registry: True",
            "a text: quotes around yes, no, true and false",
            id="bare-yes",
        ),
        pytest.param(
            {"rack": "r 1"},
            "rack: 'r 1'",
            "a value of letters, digits, hyphens, underscores and dots, at most 63, or none",
            id="blank",
        ),
        pytest.param(
            {"rack": ["r1"]},
            "rack: ['r1']",
            "a value of letters, digits, hyphens, underscores and dots, at most 63, or none",
            id="list",
        ),
        pytest.param(
            {"Example.org/rack": "r1"},
            "Example.org/rack: 'r1'",
            "a key of letters, digits, hyphens, underscores and dots, at most 63, and a domain with"
            " / before it where you like",
            id="capital-in-the-domain",
        ),
    ],
)
def test_a_label_that_kubernetes_refuses_is_told(
    labels: dict[str, Any], seen: str, expected: str
) -> None:
    (found,) = check(host("n1", k3s_labels=labels))
    assert (found.code, found.variable, found.seen) == ("k3s-label", "k3s_labels", seen)
    assert found.expected == expected


@pytest.mark.parametrize(
    ("taint", "expected"),
    [
        pytest.param("team=vision:NoSchedule", None, id="with-a-value"),
        pytest.param("example.org/gpu:PreferNoSchedule", None, id="without"),
        pytest.param("team=vision", "KEY=VALUE:EFFECT, or KEY:EFFECT", id="no-effect"),
        pytest.param("", "KEY=VALUE:EFFECT, or KEY:EFFECT", id="empty"),
        pytest.param(
            "team:Noschedule",
            "one of NoSchedule, PreferNoSchedule, NoExecute after the colon",
            id="unknown-effect",
        ),
        pytest.param(
            "=vision:NoExecute",
            "a key of letters, digits, hyphens, underscores and dots, at most 63, and a domain with"
            " / before it where you like",
            id="no-key",
        ),
        pytest.param(
            "team=a b:NoExecute", "a value of letters and digits, at most 63", id="blank-in-value"
        ),
    ],
)
def test_taints_are_judged(taint: str, expected: str | None) -> None:
    assert taint_problem(taint) == expected


def test_a_taint_that_is_refused_names_its_host() -> None:
    (found,) = check(host("n1", k3s_taints=["team:Never"]))
    assert (found.code, found.host, found.seen) == ("k3s-taint", "n1", "team:Never")


def test_what_is_no_map_and_no_list_is_left_to_the_check_of_values() -> None:
    assert check(host("n1", k3s_labels="a=b", k3s_taints="a:NoExecute")) == []


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        pytest.param(WORD_16, None, id="long-enough"),
        pytest.param("0123456789abcde", "15 characters", id="short"),
        pytest.param("", "0 characters", id="empty"),
        pytest.param(
            "k3s_hub_token",
            "the one that the ConvectHub document shows to everybody",
            id="the-documents",
        ),
        pytest.param(f"{WORD_16} {WORD_16}", "blanks or colons in it", id="blank"),
        pytest.param(
            f"K10{'0' * 64}::server:{WORD_16}",
            "a whole join token (K10...), not the password in it",
            id="join-token",
        ),
    ],
)
def test_tokens_are_judged_and_not_shown(token: str, expected: str | None) -> None:
    assert token_problem(token) == expected


def test_a_weak_token_is_an_error_of_all_hosts_that_does_not_show_it() -> None:
    (found,) = check(
        host("n1", k3s_token="s3cret-7"), host("n2", "k3s_agent", k3s_token="s3cret-7")
    )
    assert (found.code, found.host, found.seen) == ("k3s-token-weak", "inventory", "8 characters")
    assert "s3cret-7" not in repr(found)


def test_hosts_with_different_tokens_are_told() -> None:
    hosts = host("n1", k3s_token=WORD_16), host("n2", "k3s_agent", k3s_token=WORD_16 * 2)
    assert [each.seen for each in check(*hosts)] == ["2 different ones"]


def test_the_documents_token_is_a_warning_since_it_is_not_used() -> None:
    assert brief(host("master", convect_token="k3s_hub_token")) == [
        (
            "warning",
            "inventory",
            "k3s-token-public",
            "remove convect_token from the inventory",
        )
    ]


def test_the_documents_token_under_the_roles_own_name_is_an_error() -> None:
    (found,) = check(host("master", k3s_token="k3s_hub_token"))
    assert (found.severity.value, found.code) == ("error", "k3s-token-weak")
