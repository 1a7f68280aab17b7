"""Claims about inputs that do not go together."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import Severity
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_check import check_inputs
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
)


def findings(**values: Any) -> list[tuple[str, str, str]]:
    """Return code, input and fix of what is said of one host with these inputs."""
    host = Host("n1", frozenset({"ray_head"}), frozenset(values), values)
    return [(each.code, each.variable, each.fix) for each in check_inputs(Inventory((host,), {}))]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="nothing-set"),
        pytest.param({"docker_source": "packages", "docker_package_dir": "/srv"}, id="both-set"),
        pytest.param({"docker_source": "packages", "install_docker": False}, id="docker-is-there"),
        pytest.param({"nvidia_driver_source": "runfile"}, id="no-gpu"),
        pytest.param(
            {"nvidia_driver_source": "runfile", "has_gpu": True, "install_nvidia_driver": "false"},
            id="driver-is-there",
        ),
        pytest.param(
            {"docker_address_pools": [{"base": "10.240.0.0/16", "size": 24}]}, id="a-good-pool"
        ),
        pytest.param({"docker_address_pools": "10.240.0.0/16"}, id="refused-elsewhere"),
        pytest.param({"docker_reserved_subnets": "172.20.0.0/16,172.21.0.0/16"}, id="as-text"),
        pytest.param(
            {"has_gpu": True, "nvidia_driver_branch": 580, "nvidia_driver_version": "580.95.05"},
            id="version-of-the-branch",
        ),
        pytest.param({"has_gpu": True, "nvidia_driver_version": "590.48.01"}, id="version-alone"),
    ],
)
def test_inputs_that_go_together_are_silent(values: dict[str, Any]) -> None:
    assert findings(**values) == []


def test_files_are_asked_for_before_the_first_change() -> None:
    assert findings(has_gpu=True, docker_source="packages", nvidia_driver_source="runfile") == [
        ("value-missing", "docker_package_dir", "docker_package_dir=/srv/docker-packages"),
        ("value-missing", "nvidia_runfile", "nvidia_runfile=PATH"),
        ("value-missing", "nvidia_runfile_sha256", "nvidia_runfile_sha256=SUM"),
    ]


@pytest.mark.parametrize(
    ("name", "value", "seen", "expected"),
    [
        pytest.param(
            "docker_reserved_subnets",
            ["172.20.0.0/33"],
            "docker_reserved_subnets has '172.20.0.0/33' ('33' is not a valid netmask)",
            "a subnet such as 172.20.0.0/16",
            id="no-subnet",
        ),
        pytest.param(
            "docker_address_pools",
            [{"base": "10.240.0.0/16", "size": 30}],
            "10.240.0.0/16 is to be cut into networks of size 30",
            "16 to 29",
            id="networks-too-small",
        ),
        pytest.param(
            "docker_address_pools",
            [{"base": "10.240.0.1/16", "size": 24}],
            "saw base '10.240.0.1/16', size '24' (10.240.0.1/16 has host bits set)",
            "such as {base: 10.240.0.0/16, size: 24}",
            id="host-bits",
        ),
        pytest.param(
            "docker_address_pools",
            [{"base": "172.240.0.0/16", "size": 24}],
            "172.240.0.0/16 is not private (172.16.0.0/12 ends at 172.31.255.255): machines of the "
            "internet with these addresses could not be reached",
            "private IPv4 subnets that are apart from each other",
            id="not-private",
        ),
        pytest.param(
            "docker_address_pools",
            [{"base": "10.0.0.0/8", "size": 24}, {"base": "10.1.0.0/16", "size": 24}],
            "10.1.0.0/16 overlaps 10.0.0.0/8",
            "private IPv4 subnets that are apart from each other",
            id="one-in-the-other",
        ),
    ],
)
def test_a_subnet_that_docker_cannot_use_is_named(
    name: str, value: Any, seen: str, expected: str
) -> None:
    host = Host("n1", frozenset({"ray_head"}), frozenset({name}), {name: value})
    (found,) = check_inputs(Inventory((host,), {}))
    assert (found.code, found.variable, found.seen, found.expected) == (
        "value-invalid",
        name,
        seen,
        expected,
    )


def test_a_pool_keeps_out_of_what_is_reserved() -> None:
    assert findings(
        docker_reserved_subnets=["10.240.0.0/24"],
        docker_address_pools=[{"base": "10.240.0.0/16", "size": 24}],
    ) == [
        (
            "value-invalid",
            "docker_address_pools",
            "docker_address_pools=\"[{'base': '10.241.0.0/16', 'size': 24}]\"   (below [all:vars] "
            "without the outer quotes)",
        )
    ]


def test_a_version_of_another_branch_is_a_warning_since_the_version_counts() -> None:
    values = {
        "has_gpu": "true",
        "nvidia_driver_branch": "580",
        "nvidia_driver_version": "590.48.01",
    }
    host = Host("n1", frozenset({"ray_head"}), frozenset(values), values)
    (found,) = check_inputs(Inventory((host,), {}))
    assert (found.severity, found.code) == (Severity.WARNING, "driver-version-of-another-branch")
    assert found.fix == "nvidia_driver_branch=590"
