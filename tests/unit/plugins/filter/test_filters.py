"""Claims about the filters as a template calls them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.filter.cluster_firewall import (
    FilterModule as ClusterFirewall,
)
from ansible_collections.rackforge.gpu_cluster.plugins.filter.cluster_hosts import (
    FilterModule as ClusterHosts,
)
from ansible_collections.rackforge.gpu_cluster.plugins.filter.cluster_members import (
    FilterModule as ClusterMembers,
)
from ansible_collections.rackforge.gpu_cluster.plugins.filter.k3s_config import (
    FilterModule as K3sConfig,
)
from ansible_collections.rackforge.gpu_cluster.plugins.filter.k3s_token_prefix import (
    FilterModule as K3sTokenPrefix,
)
from ansible_collections.rackforge.gpu_cluster.plugins.filter.ray_reserved_ports import (
    FilterModule as RayReservedPorts,
)
from ansible_collections.rackforge.gpu_cluster.plugins.filter.ray_unit import (
    FilterModule as RayUnit,
)


def host(address: str | None, hostname: str) -> dict[str, Any]:
    """Return the variables of a host that was probed."""
    node = {"node_address": address, "hostname": hostname}
    return {"ansible_facts": {"gpu_cluster": node}}


@pytest.mark.parametrize(
    ("hostvars", "expected"),
    [
        pytest.param(
            {"head": host("198.18.1.10", "gpu-01"), "w1": host("198.18.1.11", "w1")},
            {"198.18.1.10": ["head", "gpu-01"], "198.18.1.11": ["w1"]},
            id="hostname-added-where-it-differs",
        ),
        pytest.param(
            {"head": host("198.18.1.10", "head"), "w1": {"ansible_facts": {}}, "w2": {}},
            {"198.18.1.10": ["head"]},
            id="members-without-facts-left-out",
        ),
        pytest.param({"w1": host(None, "w1")}, {}, id="no-address-found"),
        pytest.param(
            {"localhost": host("198.18.1.10", "gpu-01")},
            {"198.18.1.10": ["gpu-01"]},
            id="localhost-stays-the-machine-itself",
        ),
        pytest.param(
            {"localhost": host("198.18.1.10", "localhost.localdomain")}, {}, id="no-name-at-all"
        ),
        pytest.param(
            {"10.0.0.5": host("198.18.1.10", "gpu-01"), "fd00::5": host("198.18.1.11", "gpu-02")},
            {"198.18.1.10": ["gpu-01"], "198.18.1.11": ["gpu-02"]},
            id="inventory-of-addresses",
        ),
    ],
)
def test_members_are_listed_by_address(
    hostvars: dict[str, Any], expected: dict[str, list[str]]
) -> None:
    assert ClusterHosts().filters()["cluster_hosts"](hostvars, list(hostvars)) == expected


def test_only_the_members_asked_for_are_listed() -> None:
    hostvars = {"head": host("198.18.1.10", "head"), "nas": host("198.18.1.99", "nas")}
    assert ClusterHosts().filters()["cluster_hosts"](hostvars, ["head"]) == {
        "198.18.1.10": ["head"]
    }


def test_reserved_ports_follow_the_hosts_variables() -> None:
    reserve = RayReservedPorts().filters()["ray_reserved_ports"]
    assert reserve({"ray_gcs_port": 6380, "ansible_host": "x"}).startswith("6380,8000,")
    with pytest.raises(AnsibleFilterError, match="ray_gcs_port: saw 'x', expected a port"):
        reserve({"ray_gcs_port": "x"})


def test_a_wrong_setting_reaches_the_user_as_a_sentence() -> None:
    ray_unit = RayUnit().filters()["ray_unit"]
    settings = {"kind": "head", "version": "2.60.0", "node_address": "198.18.1.10"}
    assert ray_unit(settings)["arguments"][0] == "--head"
    with pytest.raises(AnsibleFilterError, match="ray_num_cpus: saw 'x', expected a whole number"):
        ray_unit({**settings, "num_cpus": "x"})


def test_what_is_kept_of_the_members_serves_the_other_filters() -> None:
    hostvars = {
        "head": {**host("198.18.1.10", "gpu-01"), "ansible_host": "h.example", "secret": "x"},
        "away": {"ansible_host": "a.example"},
    }
    hostvars["head"]["ansible_facts"]["gpu_cluster"]["node_interface"] = "eth1"
    members = ClusterMembers().filters()["cluster_members"](hostvars, ["head", "away"])
    assert members == {
        "head": {
            "ansible_facts": {
                "gpu_cluster": {
                    "hostname": "gpu-01",
                    "node_address": "198.18.1.10",
                    "node_interface": "eth1",
                }
            },
            "ansible_host": "h.example",
        },
        "away": {"ansible_host": "a.example"},
    }
    assert ClusterHosts().filters()["cluster_hosts"](members, list(members)) == {
        "198.18.1.10": ["head", "gpu-01"]
    }
    rules = ClusterFirewall().filters()["cluster_firewall"](
        members,
        list(members),
        {"ray_head": ["head"], "ray_worker": ["away"]},
        "head",
        {"ray_node_manager_port": 9077},
    )
    every = next(rule for rule in rules if rule["name"] == "every node")
    assert (every["interface"], every["sources"]) == ("eth1", ["away"])
    assert "tcp/9077" in every["ports"]


AGENT = {
    "kind": "agent",
    "node_name": "gpu-02",
    "node_address": "198.19.1.12",
    "node_interface": "eth1",
    "join_address": "198.19.1.11",
    "api_port": 6443,
}


def test_an_agents_settings_become_the_keys_of_its_file() -> None:
    assert K3sConfig().filters()["k3s_config"](AGENT) == {
        "node-name": "gpu-02",
        "node-ip": "198.19.1.12",
        "token-file": "/etc/rancher/k3s/token",
        "server": "https://198.19.1.11:6443",
        "flannel-iface": "eth1",
    }


@pytest.mark.parametrize(
    ("more", "told"),
    [
        pytest.param({"join_address": ""}, "k3s_join_address is empty", id="joins-nobody"),
        pytest.param(
            {"extra": {"node-ip": "198.19.1.99"}},
            "k3s_extra_config has node-ip, which k3s_node_address decides",
            id="decided-elsewhere",
        ),
    ],
)
def test_a_setting_that_k3s_cannot_have_reaches_the_user_as_a_sentence(
    more: dict[str, Any], told: str
) -> None:
    with pytest.raises(AnsibleFilterError, match=told):
        K3sConfig().filters()["k3s_config"]({**AGENT, **more})


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(("ab" * 32, "node"), f"K10{'ab' * 32}::node:", id="agent"),
        pytest.param(("ab" * 32, "server"), f"K10{'ab' * 32}::server:", id="server"),
        pytest.param(("", "node", True), "K10::node:", id="a-cluster-to-come"),
    ],
)
def test_a_token_begins_with_the_ca_it_trusts(arguments: tuple[Any, ...], expected: str) -> None:
    assert K3sTokenPrefix().filters()["k3s_token_prefix"](*arguments) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("", "node"), id="none"),
        pytest.param(("ab" * 31, "node"), id="too-short"),
        pytest.param(("XY" * 32, "node", True), id="no-digits-not-even-for-check-mode"),
    ],
)
def test_a_token_that_would_trust_anybody_is_refused(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(AnsibleFilterError, match="expected the 64 hexadecimal digits"):
        K3sTokenPrefix().filters()["k3s_token_prefix"](*arguments)
