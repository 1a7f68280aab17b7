"""What the monitoring host asks each node for."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_rules import PortRuleError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.scrape_plan import (
    JOBS,
    scrape_plan,
)

RAY = {"ray_head": ["h"], "ray_worker": ["w"], "monitoring": ["m"]}
ADDRESSES = {"h": "198.18.1.11", "w": "198.18.1.12", "m": "198.18.1.13"}


def jobs_of(host: str, groups: dict[str, list[str]], **own: Any) -> dict[str, str]:
    """Return the address that each job asks a host at."""
    addresses = {host: "198.18.1.11"}
    plan = scrape_plan(addresses, groups, {host: own}, "lab")[host]
    return {job: found[0]["targets"][0] for job, found in plan.items()}


def test_the_heads_metrics_are_those_of_a_node_of_ray_and_of_its_dashboard() -> None:
    assert jobs_of("h", RAY) == {
        "node": "198.18.1.11:9100",
        "docker": "198.18.1.11:9323",
        "ray": "198.18.1.11:54311",
        "ray-autoscaler": "198.18.1.11:44217",
        "ray-dashboard": "198.18.1.11:44227",
    }


def test_a_worker_is_not_asked_for_what_only_the_head_serves() -> None:
    assert list(jobs_of("w", RAY)) == ["node", "docker", "ray"]


def test_the_monitoring_host_is_a_target_itself() -> None:
    assert jobs_of("m", RAY) == {
        "node": "198.18.1.11:9100",
        "prometheus": "198.18.1.11:9090",
        "alertmanager": "198.18.1.11:9093",
    }


def test_victoriametrics_has_parts_on_the_loopback() -> None:
    found = jobs_of("m", RAY, monitoring_server="victoriametrics")
    assert found == {
        "node": "198.18.1.11:9100",
        "victoriametrics": "198.18.1.11:9090",
        "vmagent": "127.0.0.1:8429",
        "vmalert": "127.0.0.1:8880",
        "alertmanager": "198.18.1.11:9093",
    }


@pytest.mark.parametrize(
    "own",
    [
        pytest.param({"install_docker": False}, id="left-alone"),
        pytest.param({"install_docker": "false"}, id="left-alone-in-ini"),
        pytest.param({"docker_source": "existing"}, id="existing"),
        pytest.param({"ray_runtime": "venv"}, id="no-docker"),
    ],
)
def test_an_engine_that_is_not_ours_is_no_target(own: dict[str, Any]) -> None:
    assert "docker" not in jobs_of("w", RAY, **own)


@pytest.mark.parametrize(
    ("own", "is_asked"),
    [
        pytest.param({"node_metrics_gpu_exporter": "container", "has_gpu": True}, True, id="gpu"),
        pytest.param({"node_metrics_gpu_exporter": "container"}, False, id="no-gpu"),
        pytest.param({"has_gpu": True}, False, id="collector"),
    ],
)
def test_the_vendors_exporter_is_asked_where_it_is_chosen(
    own: dict[str, Any], is_asked: bool
) -> None:
    assert ("gpu" in jobs_of("w", RAY, **own)) is is_asked


@pytest.mark.parametrize(
    ("host", "servers", "expected"),
    [
        pytest.param("s", ["s"], ["node", "k3s-api", "kubelet", "cadvisor"], id="one-server"),
        pytest.param(
            "s", ["s", "t"], ["node", "k3s-api", "kubelet", "cadvisor", "etcd"], id="with-etcd"
        ),
        pytest.param("a", ["s"], ["node", "kubelet", "cadvisor"], id="agent"),
    ],
)
def test_k3s_shows_its_api_kubelets_and_etcd(
    host: str, servers: list[str], expected: list[str]
) -> None:
    groups = {"k3s_server": servers, "k3s_agent": ["a"], "monitoring": ["m"]}
    assert list(jobs_of(host, groups)) == expected


def test_a_moved_port_is_asked_where_it_is() -> None:
    assert jobs_of("w", RAY, node_metrics_port=9111)["node"] == "198.18.1.11:9111"


def test_targets_are_labelled_with_the_node_and_its_cluster() -> None:
    plan = scrape_plan(ADDRESSES, RAY, {}, "lab")
    assert {row["labels"]["node"] for row in plan["w"]["node"]} == {"w"}
    assert {row["labels"]["cluster"] for row in plan["w"]["node"]} == {"lab"}


def test_a_node_whose_address_is_not_known_is_left_out() -> None:
    assert list(scrape_plan({**ADDRESSES, "w": ""}, RAY, {}, "lab")) == ["h", "m"]


def test_an_input_that_is_no_port_is_named() -> None:
    with pytest.raises(PortRuleError, match="node_metrics_port"):
        jobs_of("w", RAY, node_metrics_port="many")


def test_each_job_has_one_name() -> None:
    assert len({job.name for job in JOBS}) == len(JOBS)
