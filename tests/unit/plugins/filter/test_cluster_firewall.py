"""Claims about the filter cluster_firewall as a template calls it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.filter.cluster_firewall import FilterModule

firewall = FilterModule().filters()["cluster_firewall"]


def host(address: str | None, **variables: Any) -> dict[str, Any]:
    """Return the variables of a host that was probed."""
    node = {"node_address": address, "node_interface": "eth1" if address else None}
    return {"ansible_facts": {"gpu_cluster": node}, **variables}


HOSTVARS = {"head": host("198.19.1.11", ray_gcs_port=6390), "w1": host("198.19.1.12"), "w2": {}}
GROUPS = {"all": ["head", "w1", "w2"], "ray_head": ["head"], "ray_worker": ["w1", "w2"]}


def test_addresses_and_interface_come_from_the_probe_and_ports_from_the_listener() -> None:
    rules = {rule["name"]: rule for rule in firewall(HOSTVARS, GROUPS["all"], GROUPS, "head")}
    assert rules["ray_worker"] == {
        "name": "ray_worker",
        "interface": "eth1",
        "sources": ["w1=198.19.1.12", "w2"],
        "ports": ["tcp/6390"],
    }


def test_without_a_word_the_control_node_is_the_connection_and_nobody_a_developer() -> None:
    rules = {rule["name"]: rule for rule in firewall(HOSTVARS, GROUPS["all"], GROUPS, "head")}
    assert rules["control node"]["sources"] == ["connection"]
    assert "developers" not in rules


def test_control_nodes_and_developers_are_who_the_inventory_says() -> None:
    own = HOSTVARS["head"]
    made = firewall(HOSTVARS, ["head"], GROUPS, "head", own, ["203.0.113.9"], ["203.0.113.0/24"])
    sources = {rule["name"]: rule["sources"] for rule in made}
    assert sources == {"control node": ["203.0.113.9"], "developers": ["203.0.113.0/24"]}


def test_a_variable_that_is_no_port_fails_by_its_name() -> None:
    wrong = {**HOSTVARS, "w1": host("198.19.1.12", ray_metrics_export_port="high")}
    with pytest.raises(AnsibleFilterError, match="ray_metrics_export_port: saw 'high'"):
        firewall(wrong, GROUPS["all"], GROUPS, "w1")


def test_all_ports_open_between_members_of_a_lan_only_when_that_is_chosen() -> None:
    own = HOSTVARS["head"]
    made = firewall(HOSTVARS, GROUPS["all"], GROUPS, "head", own, profiles="lan")
    rules = {rule["name"]: rule["ports"] for rule in made}
    assert rules["cluster network"] == ["tcp/1-65535", "udp/1-65535"]
    usual = firewall(HOSTVARS, GROUPS["all"], GROUPS, "head", own)
    assert [rule["name"] for rule in usual] == ["control node", "every node", "ray_worker"]


def test_an_unknown_profile_fails_by_its_name() -> None:
    with pytest.raises(AnsibleFilterError, match="preflight_profiles: saw 'wan'"):
        firewall(HOSTVARS, GROUPS["all"], GROUPS, "head", profiles=["wan"])
