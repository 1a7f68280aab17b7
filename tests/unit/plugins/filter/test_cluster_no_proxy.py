"""Claims about the cluster_no_proxy filter as a template calls it."""

from __future__ import annotations

from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.filter.cluster_no_proxy import FilterModule

HOSTVARS: dict[str, Any] = {
    "head": {
        "ansible_host": "203.0.113.11",
        "ansible_facts": {"gpu_cluster": {"node_address": "198.18.1.10", "hostname": "gpu-01"}},
    },
    "worker": {"ansible_host": "203.0.113.12"},
    "nas": {"ansible_host": "203.0.113.99"},
}


def test_members_are_reached_by_all_their_names() -> None:
    cluster_no_proxy = FilterModule().filters()["cluster_no_proxy"]
    assert cluster_no_proxy(HOSTVARS, ["head", "worker"], "198.18.1.0/24", [".lab.example"]) == [
        "localhost",
        "127.0.0.1",
        "::1",
        "198.18.1.0/24",
        ".lab.example",
        "head",
        "gpu-01",
        "198.18.1.10",
        "203.0.113.11",
        "worker",
        "203.0.113.12",
    ]


def test_subnet_and_extras_may_be_missing() -> None:
    cluster_no_proxy = FilterModule().filters()["cluster_no_proxy"]
    assert cluster_no_proxy(HOSTVARS, ["nas"]) == [
        "localhost",
        "127.0.0.1",
        "::1",
        "nas",
        "203.0.113.99",
    ]
