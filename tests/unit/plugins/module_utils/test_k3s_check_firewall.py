"""Claims about pods behind a node's firewalld."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import Finding
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_check import check_links

from tests.unit.plugins.module_utils.link_nodes import brief, host, inventory, links

GROUPS = ("ray_head", "ray_worker", "k3s_server", "k3s_agent")


def check(
    firewall: dict[str, Any] | None, group: str = "k3s_agent", **values: Any
) -> list[Finding]:
    """Return what is said of a node with this firewall, beside one without."""
    facts = links(2, firewall=firewall)
    made = inventory(
        host(1, groups=["k3s_server"]),
        host(2, facts, groups=[group], **values),
        profiles=frozenset({"k3s", "ray"}),
        cluster_groups=GROUPS,
    )
    return [each for each in check_links(made) if each.code == "k3s-pods-firewalled"]


def firewalld(*trusted: str) -> dict[str, Any]:
    return {"active": ["firewalld"], "ours": True, "closed_by_us": False, "trusted": list(trusted)}


def test_firewalld_on_a_node_of_k3s_is_told_with_what_to_type() -> None:
    (found,) = check(firewalld())
    assert brief([found]) == [("warning", "k3s-pods-firewalled", "n2")]
    assert found.fix == (
        "on the node: firewall-cmd --permanent --zone=trusted --add-source=10.42.0.0/16"
        " --add-source=10.43.0.0/16 && firewall-cmd --reload"
    )


def test_the_networks_of_the_inventory_are_meant() -> None:
    (found,) = check(firewalld("10.42.0.0/16"), k3s_cluster_cidr="10.99.0.0/16")
    assert found.expected == "10.99.0.0/16 and 10.43.0.0/16 in the zone trusted, or no firewalld"


@pytest.mark.parametrize(
    ("trusted", "values"),
    [
        pytest.param(["10.42.0.0/24"], {}, id="a-part-of-the-pods"),
        pytest.param(["fd42::/16", "00:11:22:33:44:55"], {}, id="others"),
        pytest.param(["cni0"], {}, id="one-interface"),
        pytest.param(
            ["cni0", "flannel.1"], {"k3s_flannel_backend": "host-gw"}, id="pods-come-unwrapped"
        ),
        pytest.param(
            ["10.42.0.0/16"], {"k3s_cluster_cidr": "10.42.0.0/16,fd42::/56"}, id="one-of-two"
        ),
    ],
)
def test_pods_that_are_trusted_in_part_are_cut_off_all_the_same(
    trusted: list[str], values: dict[str, Any]
) -> None:
    assert len(check(firewalld(*trusted), **values)) == 1


@pytest.mark.parametrize(
    ("firewall", "group", "values"),
    [
        pytest.param(firewalld("10.42.0.0/16", "10.43.0.0/16"), "k3s_agent", {}, id="as-k3s-says"),
        pytest.param(firewalld("10.0.0.0/8"), "k3s_server", {}, id="a-larger-network"),
        pytest.param(firewalld("cni0", "flannel.1"), "k3s_agent", {}, id="interfaces"),
        pytest.param(firewalld(), "ray_worker", {}, id="gets-no-k3s"),
        pytest.param(firewalld(), "k3s_agent", {"os_base_firewall": "off"}, id="is-stopped"),
        pytest.param(firewalld(), "k3s_agent", {"os_base_firewall": False}, id="off-unquoted"),
        pytest.param(firewalld(), "k3s_agent", {"k3s_cluster_cidr": "pods"}, id="told-elsewhere"),
        pytest.param({**firewalld(), "active": ["ufw"]}, "k3s_agent", {}, id="ufw"),
        pytest.param({"active": []}, "k3s_agent", {}, id="none"),
        pytest.param(None, "k3s_agent", {}, id="not-known"),
    ],
)
def test_pods_that_reach_each_other_are_no_finding(
    firewall: dict[str, Any] | None, group: str, values: dict[str, Any]
) -> None:
    assert check(firewall, group, **values) == []
