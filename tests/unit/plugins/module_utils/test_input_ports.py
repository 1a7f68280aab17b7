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
