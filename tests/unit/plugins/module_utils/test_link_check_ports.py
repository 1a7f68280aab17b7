"""Claims about ports that are needed and that somebody else has."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import Finding
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_check_ports import (
    check_ports,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import Listener

from tests.unit.plugins.module_utils.link_nodes import brief, host, inventory, links, listens


def needed(
    service: str, ports: str, profile: str = "ray", number: int = 2, protocol: str = "tcp"
) -> Listener:
    return Listener(
        host=f"n{number}",
        address=f"198.19.1.{number}",
        protocol=protocol,
        ports=ports,
        tested=ports,
        service=service,
        profile=profile,
        sources=("n1",),
    )


PLAN = [
    needed("ray-object-manager", "8076"),
    needed("ray-node-manager", "8077"),
    needed("ray-metrics", "54311"),
    needed("ray-workers", "10002-20000"),
]


def check(*rows: dict[str, Any], plan: list[Listener] = PLAN, **changes: Any) -> list[Finding]:
    facts = links(2, listeners=list(rows), **changes)
    return check_ports(inventory(host(1), host(2, facts)), plan)


def test_a_node_where_nobody_is_in_the_way_gives_no_finding() -> None:
    assert check(listens("22", "sshd"), listens("9100", "node_exporter")) == []


def test_the_stranger_is_named_with_what_frees_and_what_moves_the_port() -> None:
    (found,) = check(listens("8076", command="python3 -m http.server"))
    assert found.to_dict() == {
        "severity": "error",
        "code": "port-taken",
        "host": "n2",
        "message": "python3 listens on tcp 8076, which ray-object-manager (tcp 8076) needs.",
        "seen": "python3 (pid 4711; python3 -m http.server) on all addresses",
        "expected": "nobody, or the cluster's own service",
        "fix": 'ansible -i inv.ini -b -m ansible.builtin.command -a "kill 4711" n2'
        "   (or move ours on all nodes: ray_object_manager_port=NUMBER)",
        "variable": "ray_object_manager_port",
    }


@pytest.mark.parametrize(
    ("row", "fix"),
    [
        pytest.param(
            listens("8076", "redis-server", unit="redis.service"),
            "systemctl disable --now redis.service",
            id="service",
        ),
        pytest.param(
            listens("8076", "systemd", unit="cockpit.socket"),
            "systemctl disable --now cockpit.socket",
            id="socket",
        ),
        pytest.param(
            listens("8076", "docker-proxy", unit="docker.service", container_name="web"),
            "docker stop web",
            id="published-by-docker",
        ),
        pytest.param(listens("8076", unit="session-3.scope"), "kill 4711", id="login"),
        pytest.param(listens("8076", processes=3), "ss -Hlntup", id="several-processes"),
        pytest.param(listens("8076", None), "ss -Hlntup", id="the-kernel"),
    ],
)
def test_the_fix_frees_the_port(row: dict[str, Any], fix: str) -> None:
    (found,) = check(row)
    assert f'-a "{fix}" n2' in found.fix


def test_one_stranger_on_several_ports_is_one_finding() -> None:
    (found,) = check(listens("8070-8080"), listens("8070-8080", address="loopback"))
    assert found.message == (
        "python3 listens on tcp 8076-8077, which ray-object-manager (tcp 8076) and"
        " ray-node-manager (tcp 8077) needs."
    )


@pytest.mark.parametrize(
    ("row", "profile"),
    [
        pytest.param(listens("8076", "raylet", unit="ray.service"), "ray", id="ray-in-a-venv"),
        pytest.param(
            listens("8076", "raylet", container="a" * 64, container_name="ray"),
            "ray",
            id="ray-in-a-container",
        ),
        pytest.param(listens("8076", "raylet", container="a" * 64), "ray", id="container-unnamed"),
        pytest.param(listens("8076", "k3s-server", unit="k3s.service"), "k3s", id="k3s"),
        pytest.param(listens("8076", "k3s-agent", unit="k3s-agent.service"), "k3s", id="agent"),
        pytest.param(listens("8076", "k3s-server", unit="k3s.service"), "k3s-ha", id="k3s-ha"),
        pytest.param(
            listens("8076", "vminsert", unit="vminsert.service"), "monitoring", id="vminsert"
        ),
        pytest.param(listens("8076", protocol="udp"), "ray", id="other-protocol"),
    ],
)
def test_the_expected_holder_is_no_stranger(row: dict[str, Any], profile: str) -> None:
    assert check(row, plan=[needed("ray-object-manager", "8076", profile)]) == []


def test_the_listeners_of_another_preflight_are_told_once_and_as_no_stranger() -> None:
    rows = [listens(ports, "rackforge-mesh", unit="session-3.scope") for ports in ("8076", "8077")]
    (found,) = check(*rows)
    assert (found.severity.value, found.code, found.host) == ("warning", "preflight-running", "n2")
    assert found.seen == "rackforge-mesh (pid 4711) on tcp 8076-8077"
    assert "pkill rackforge-mesh" in found.fix


@pytest.mark.parametrize(
    ("services", "severity"),
    [
        pytest.param(["ray-serve"], "warning", id="serve-binds-later"),
        pytest.param(["k3s-http"], "warning", id="ingress-takes-it-by-a-rule"),
        pytest.param(["ray-serve", "ray-gcs"], "error", id="with-one-that-is-needed-at-once"),
    ],
)
def test_a_port_that_is_needed_later_is_a_warning(services: list[str], severity: str) -> None:
    plan = [needed(service, "8076") for service in services]
    assert brief(check(listens("8076"), plan=plan)) == [(severity, "port-taken", "n2")]


def test_a_ray_that_somebody_else_started_is_a_stranger() -> None:
    found = check(listens("8076", "raylet", unit="session-3.scope"))
    assert brief(found) == [("error", "port-taken", "n2")]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"sees_processes": False}, id="without-root"),
        pytest.param({"listeners": None}, id="untold"),
    ],
)
def test_unknown_holders_give_no_finding(changes: dict[str, Any]) -> None:
    facts = links(2, **{"listeners": [listens("8076", None)], **changes})
    assert check_ports(inventory(host(1), host(2, facts)), PLAN) == []


def test_a_socket_of_the_kernel_is_the_service_for_udp() -> None:
    plan = [needed("k3s-vxlan", "8472", "k3s", protocol="udp")]
    assert check(listens("8472", None, protocol="udp"), plan=plan) == []


@pytest.mark.parametrize(
    ("address", "plan", "count"),
    [
        pytest.param("198.19.1.2", PLAN, 1, id="node-address"),
        pytest.param("loopback", PLAN, 1, id="loopback-of-a-service-on-all-addresses"),
        pytest.param("loopback", [needed("ray-dashboard", "8076")], 0, id="loopback-is-free"),
        pytest.param("192.0.2.2", [needed("ray-dashboard", "8076")], 0, id="other-address"),
        pytest.param(
            "loopback", [needed("metrics-upload", "8076", "monitoring")], 0, id="monitoring"
        ),
    ],
)
def test_an_address_counts_where_the_service_binds_it(
    address: str, plan: list[Listener], count: int
) -> None:
    assert len(check(listens("8076", address=address), plan=plan)) == count


@pytest.mark.parametrize(
    ("service", "number", "count"),
    [
        pytest.param("ray-dashboard-grpc", 1, 0, id="gone-from-current-ray"),
        pytest.param("ray-autoscaler-metrics", 2, 0, id="worker-does-not-serve-it"),
        pytest.param("ray-autoscaler-metrics", 1, 1, id="head-serves-it"),
    ],
)
def test_a_port_that_ray_does_not_use_is_free_for_others(
    service: str, number: int, count: int
) -> None:
    facts = links(number, listeners=[listens("8076")])
    plan = [needed(service, "8076", number=number)]
    assert len(check_ports(inventory(host(number, facts)), plan)) == count


def test_ray_passes_over_ports_of_its_worker_range_that_are_in_use() -> None:
    assert check(listens("10250", "kubelet"), listens("11434", "ollama")) == []


def test_a_worker_range_crowded_by_others_is_a_note() -> None:
    found = check(listens("10100-10150"), listens("11000-11050", "other"))
    assert brief(found) == [("note", "port-taken", "n2")]
    assert found[0].seen == "10100-10150,11000-11050"


def test_a_needed_port_held_by_a_connection_is_a_warning() -> None:
    (found,) = check(outgoing={"tcp": "40000,54311", "udp": ""})
    assert brief([found]) == [("warning", "port-in-ephemeral-range", "n2")]
    assert found.seen == "net.ipv4.ip_local_port_range 32768 60999, reserved: none"
    assert 'ss -Hnp sport = :54311" n2' in found.fix


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"outgoing": {"tcp": "40000", "udp": "54311"}}, id="other-ports"),
        pytest.param(
            {"outgoing": {"tcp": "54311", "udp": ""}, "reserved_ports": "54000-55000"},
            id="reserved",
        ),
        pytest.param({"outgoing": None}, id="untold"),
        pytest.param({"outgoing": {"tcp": "15000", "udp": ""}}, id="worker-range"),
    ],
)
def test_a_connection_on_other_ports_is_nobodys_fault(changes: dict[str, Any]) -> None:
    assert check(**changes) == []


def firewall(*rules: str) -> dict[str, Any]:
    return {"active": ["ufw"], "ours": False, "closed_by_us": False, "ufw_rules": list(rules)}


def test_a_rule_of_the_owner_that_denies_a_member_is_named_with_its_deletion() -> None:
    (found,) = check(firewall=firewall("allow 22/tcp", "deny 8076:8077/tcp"))
    assert brief([found]) == [("error", "firewall-denies", "n2")]
    assert found.seen == "ufw deny 8076:8077/tcp"
    assert found.fix == (
        'ansible -i inv.ini -b -m ansible.builtin.command -a "ufw delete deny 8076:8077/tcp" n2'
    )
    assert "denies n1 tcp 8076 of ray-object-manager and tcp 8077 of ray-node-manager" in (
        found.message
    )


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(["deny 9999"], id="other-port"),
        pytest.param(["allow from 198.19.1.0/24", "deny 8076"], id="allowed-before"),
        pytest.param(["deny in on eth0"], id="other-interface"),
        pytest.param([], id="none"),
    ],
)
def test_rules_that_let_the_members_in_give_no_finding(rules: list[str]) -> None:
    assert check(firewall=firewall(*rules)) == []


def test_a_firewall_that_could_not_be_read_gives_no_finding() -> None:
    assert check(firewall=None) == []
