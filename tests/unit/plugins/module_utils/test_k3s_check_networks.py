"""Claims about the networks that k3s gives to pods and services."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import Host
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_check_networks import (
    check_k3s_cidrs,
)


def hosts(count: int, **values: Any) -> list[Host]:
    """Return hosts that all have these inputs."""
    return [Host(f"n{number}", values=values) for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("count", "values"),
    [
        pytest.param(0, {}, id="no-k3s"),
        pytest.param(256, {}, id="defaults-hold-256-nodes"),
        pytest.param(1, {"k3s_cluster_cidr": "10.60.1.0/24"}, id="one-node"),
        pytest.param(3, {"k3s_cluster_cidr": "10.60.0.0/22"}, id="three-of-four"),
        pytest.param(1, {"k3s_service_cidr": "10.61.0.0/28"}, id="few-services"),
        pytest.param(1, {"k3s_cluster_cidr": "10.60.0.0"}, id="no-network-is-told-elsewhere"),
        pytest.param(1, {"k3s_cluster_cidr": None, "k3s_service_cidr": ""}, id="not-set"),
    ],
)
def test_networks_that_serve_are_silent(count: int, values: dict[str, Any]) -> None:
    assert check_k3s_cidrs(hosts(count, **values)) == []


@pytest.mark.parametrize(
    ("count", "values", "code", "seen", "fix"),
    [
        pytest.param(
            257,
            {},
            "k3s-network-small",
            "k3s_cluster_cidr=10.42.0.0/16, room for 256 nodes",
            "k3s_cluster_cidr=10.44.0.0/15",
            id="more-nodes-than-the-default-holds",
        ),
        pytest.param(
            3,
            {"k3s_cluster_cidr": "10.60.0.0/23"},
            "k3s-network-small",
            "k3s_cluster_cidr=10.60.0.0/23, room for 2 nodes",
            "k3s_cluster_cidr=10.60.0.0/22",
            id="two-of-three",
        ),
        pytest.param(
            1,
            {"k3s_cluster_cidr": "10.60.0.0/25"},
            "k3s-network-small",
            "k3s_cluster_cidr=10.60.0.0/25, room for 0 nodes",
            "k3s_cluster_cidr=10.60.0.0/24",
            id="less-than-one-node-gets",
        ),
        pytest.param(
            1,
            {"k3s_service_cidr": "10.61.0.0/29"},
            "k3s-network-small",
            "k3s_service_cidr=10.61.0.0/29",
            "k3s_service_cidr=10.43.0.0/16",
            id="no-tenth-service",
        ),
        pytest.param(
            1,
            {"k3s_service_cidr": "10.42.128.0/17"},
            "k3s-network-doubled",
            "k3s_cluster_cidr=10.42.0.0/16, k3s_service_cidr=10.42.128.0/17",
            "k3s_service_cidr=10.43.0.0/16",
            id="services-among-the-pods",
        ),
        pytest.param(
            1,
            {"k3s_cluster_cidr": "10.0.0.0/8"},
            "k3s-network-doubled",
            "k3s_cluster_cidr=10.0.0.0/8, k3s_service_cidr=10.43.0.0/16",
            "k3s_cluster_cidr=10.42.0.0/16",
            id="pods-over-the-services",
        ),
        pytest.param(
            1,
            {"k3s_cluster_cidr": "10.43.0.0/16", "k3s_service_cidr": "10.43.0.0/16"},
            "k3s-network-doubled",
            "k3s_cluster_cidr=10.43.0.0/16, k3s_service_cidr=10.43.0.0/16",
            "k3s_service_cidr=10.44.0.0/16",
            id="the-default-is-taken",
        ),
    ],
)
def test_networks_that_do_not_serve_are_told(
    count: int, values: dict[str, Any], code: str, seen: str, fix: str
) -> None:
    found = [(each.code, each.seen, each.fix) for each in check_k3s_cidrs(hosts(count, **values))]
    assert found == [(code, seen, fix)]


def test_one_cluster_has_one_network_of_pods() -> None:
    (found,) = check_k3s_cidrs([*hosts(1), Host("n2", values={"k3s_cluster_cidr": "10.60.0.0/16"})])
    assert (found.code, found.variable) == ("k3s-network-differs", "k3s_cluster_cidr")
    assert found.seen == "10.42.0.0/16 on n1, 10.60.0.0/16 on n2"
