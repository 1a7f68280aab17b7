"""Claims about ports that the inputs give to two services."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_ports import check_ports
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
)


def findings(
    values: dict[str, Any], group: str = "ray_head", profiles: tuple[str, ...] = ("ray",)
) -> list[Finding]:
    """Return what is said of one host with these inputs."""
    host = Host("n1", frozenset({group}), frozenset(values), values)
    return check_ports(
        Inventory((host,), {}, cluster_groups=(group,), profiles=frozenset(profiles))
    )


@pytest.mark.parametrize(
    ("values", "group", "profiles"),
    [
        pytest.param({}, "ray_head", ("ray",), id="defaults"),
        pytest.param({}, "k3s_server", ("k3s", "management"), id="defaults-of-k3s"),
        pytest.param({}, "ray_head", ("ray", "lan"), id="a-whole-network"),
        pytest.param({"ray_serve_port": 8001}, "ray_head", ("ray",), id="moved"),
        pytest.param({"ray_serve_port": "x"}, "ray_head", ("ray",), id="no-port"),
        pytest.param({"ray_serve_port": 70000}, "ray_head", ("ray",), id="not-within-bounds"),
        pytest.param({"ray_serve_port": None}, "ray_head", ("ray",), id="not-set"),
        pytest.param(
            {"ray_gcs_port": 8077}, "ray_worker", ("ray",), id="a-service-that-is-elsewhere"
        ),
        pytest.param({"ray_gcs_port": 6443}, "ray_head", ("ray",), id="a-service-that-nobody-gets"),
        pytest.param({"os_base_ssh_port": 22332}, "ray_head", ("ray",), id="sshd-moved"),
    ],
)
def test_ports_of_their_own_are_silent(
    values: dict[str, Any], group: str, profiles: tuple[str, ...]
) -> None:
    assert findings(values, group, profiles) == []


def test_one_port_for_two_services_names_both_inputs() -> None:
    assert findings({"ray_serve_port": 8265}) == [
        Finding(
            Severity.ERROR,
            "port-doubled",
            "n1",
            "ray_serve_port=8265 and ray_dashboard_port=8265 give one tcp port to two services of "
            "this node.",
            seen="8265 for ray-serve and for ray-dashboard",
            expected="another port for each",
            fix="ray_serve_port=8000",
            variable="ray_serve_port",
        )
    ]


@pytest.mark.parametrize(
    ("values", "fix"),
    [
        pytest.param({"ray_serve_port": 15000}, "ray_serve_port=8000", id="within-the-workers"),
        pytest.param({"ray_serve_port": 22}, "ray_serve_port=8000", id="that-of-the-login"),
        pytest.param(
            {"os_base_ssh_port": 8000}, "os_base_ssh_port=22", id="sshd-on-that-of-a-service"
        ),
        pytest.param(
            {"ray_min_worker_port": 8050, "ray_max_worker_port": 8076},
            "ray_min_worker_port=10002",
            id="workers-over-a-service",
        ),
        pytest.param(
            {"ray_serve_port": 8265, "ray_dashboard_port": 8000, "ray_gcs_port": 8000},
            "ray_dashboard_port=8001",
            id="three-in-a-row",
        ),
    ],
)
def test_the_fix_is_a_port_that_is_free(values: dict[str, Any], fix: str) -> None:
    found = findings(values)
    assert [each.code for each in found] == ["port-doubled"]
    assert found[0].fix == fix


def test_a_range_that_begins_above_its_end_is_turned() -> None:
    found = findings({"ray_min_worker_port": 20000, "ray_max_worker_port": 10002})
    assert [(each.code, each.fix) for each in found] == [
        ("value-invalid", "ray_min_worker_port=10002 ray_max_worker_port=20000")
    ]


def test_a_login_port_that_was_not_read_is_not_guessed() -> None:
    values = {"ray_serve_port": 22}
    host = Host("n1", frozenset({"ray_head"}), frozenset({"ansible_port"}), values)
    assert check_ports(Inventory((host,), {})) == []


def shared(values: dict[str, Any]) -> list[Finding]:
    """Return what is said of a host that gets Ray's head and a server of k3s."""
    host = Host("n1", frozenset({"ray_head", "k3s_server"}), frozenset(values), values)
    groups = ("ray_head", "k3s_server")
    profiles = frozenset({"ray", "k3s"})
    return check_ports(Inventory((host,), {}, frozenset(groups), groups, profiles=profiles))


def test_ray_and_k3s_share_a_node_by_default() -> None:
    assert shared({}) == []


def test_a_range_of_workers_over_the_ports_of_k3s_is_one_finding() -> None:
    assert shared({"ray_min_worker_port": 10002}) == [
        Finding(
            Severity.ERROR,
            "port-doubled",
            "n1",
            "ray_min_worker_port=10002 to ray_max_worker_port=20000 and k3s-kubelet at 10250 give "
            "one tcp port to two services of this node.",
            seen="10250 for ray-workers and for k3s-kubelet",
            expected="another port for each",
            fix="ray_min_worker_port=10300",
            variable="ray_min_worker_port",
        )
    ]


@pytest.mark.parametrize(
    ("values", "seen", "fix"),
    [
        pytest.param(
            {"k3s_http_port": 8000},
            "8000 for k3s-http and for ray-serve",
            "k3s_http_port=80",
            id="ingress-on-serve",
        ),
        pytest.param(
            {"https_port": 8265},
            "8265 for k3s-https and for ray-dashboard",
            "https_port=443",
            id="the-documents-name",
        ),
        pytest.param(
            {"k3s_api_port": 443},
            "443 for k3s-api and for k3s-https",
            "k3s_api_port=6443",
            id="api-on-the-ingress",
        ),
        pytest.param(
            {"k3s_http_port": 30080},
            "30080 for k3s-http and for node-ports-tcp",
            "k3s_http_port=80",
            id="ingress-among-the-node-ports",
        ),
        pytest.param(
            {"k3s_node_port_first": 6000},
            "10300 for node-ports-tcp and for ray-workers",
            "k3s_node_port_first=30000",
            id="node-ports-over-services",
        ),
        pytest.param(
            {"ray_gcs_port": 10257},
            "10257 for ray-gcs and for k3s itself (10256-10259)",
            "ray_gcs_port=6379",
            id="on-the-loopback-of-k3s",
        ),
        pytest.param(
            {"ray_client_port": 6444},
            "6444 for ray-client and for k3s itself (6444)",
            "ray_client_port=10001",
            id="on-the-way-to-the-api",
        ),
    ],
)
def test_ray_and_k3s_keep_off_each_others_ports(
    values: dict[str, Any], seen: str, fix: str
) -> None:
    assert [(each.code, each.seen, each.fix) for each in shared(values)] == [
        ("port-doubled", seen, fix)
    ]


def test_the_ports_of_etcd_count_with_several_servers() -> None:
    found = findings({"k3s_http_port": 2380}, "k3s_server", ("k3s", "k3s-ha"))
    assert [each.seen for each in found] == ["2380 for k3s-http and for k3s-etcd"]


def test_a_range_of_node_ports_begins_below_its_end() -> None:
    found = findings(
        {"k3s_node_port_first": 32767, "k3s_node_port_last": 30000}, "k3s_agent", ("k3s",)
    )
    assert [each.fix for each in found] == ["k3s_node_port_first=30000 k3s_node_port_last=32767"]
