# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stand-in for k3s asks of a machine, and leaves on it."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from tests.lab.k3s.standin import agent_gpu, agent_machine, agent_network, node, run_server
from tests.lab.k3s.standin.config import Settings
from tests.lab.k3s.standin.log import FatalError

ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth1\t00B613C6\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth0\t00000000\t01B612C6\t0003\t0\t0\t0\t00000000\t0\t0\t0
"""
LINK = "{}\t{}\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"


def test_only_the_default_route_counts() -> None:
    assert node.default_interfaces(ROUTES) == ["eth0"]
    assert node.default_interfaces("\n".join(ROUTES.splitlines()[:2])) == []


def test_a_way_out_goes_through_a_neighbour() -> None:
    assert node.ways_out(ROUTES + LINK.format("eth0", "00B612C6")) == ["198.18.182.1"]
    assert node.ways_out(ROUTES) == []
    nowhere = ROUTES.replace("01B612C6", "FE7100CB")
    assert node.ways_out(nowhere + LINK.format("eth0", "00B612C6")) == []


@pytest.mark.parametrize("given", ["", "198.19.0.11"], ids=["found", "given"])
def test_without_a_default_route_it_does_not_start(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "default_interfaces", lambda _: [])
    with pytest.raises(FatalError, match=r"^no default routes found in"):
        node.node_address(given)


def test_a_given_address_must_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "default_interfaces", lambda _: ["eth0"])
    assert node.node_address("198.19.0.11") == "198.19.0.11"
    with pytest.raises(FatalError, match=r"invalid ip format '198.19.0.300'"):
        node.node_address("198.19.0.300")


def test_an_interface_must_be_there() -> None:
    node.check_interface("lo")
    with pytest.raises(FatalError, match="unable to find interface none9"):
        node.check_interface("none9")


def test_a_taken_port_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        port = other.getsockname()[1]
        with pytest.raises(FatalError, match=f"listen tcp 127.0.0.1:{port}: bind: address already"):
            node.check_free(port, "127.0.0.1")
    node.check_free(port, "127.0.0.1")


def test_kernel_settings_must_be_the_kubelet_s(tmp_path: Path) -> None:
    for name, value in node.KERNEL.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(value + "\n")
    node.check_kernel(tmp_path)
    (tmp_path / "vm/overcommit_memory").write_text("0\n")
    with pytest.raises(FatalError) as caught:
        node.check_kernel(tmp_path)
    assert str(caught.value).endswith(
        'invalid kernel flag: vm/overcommit_memory, expected value: 1, actual value: 0"'
    )


def test_nvidia_s_runtimes_are_found_when_they_are_on_the_path(tmp_path: Path) -> None:
    assert agent_machine.runtimes_on(str(tmp_path)) == []
    for name in ("nvidia-container-runtime", "nvidia-container-runtime.cdi"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    assert agent_machine.runtimes_on(str(tmp_path)) == ["nvidia", "nvidia-cdi"]


def test_containerd_s_settings_name_the_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-container-runtime"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    made = agent_machine.containerd_config(Path("/var/lib/rancher/k3s"), ["nvidia"], "nvidia")
    assert f'BinaryName = "{program}"' in made
    assert 'default_runtime_name = "nvidia"' in made
    assert "nvidia" not in agent_machine.containerd_config(Path("/var/lib/rancher/k3s"), [], "")


def test_kfd_nodes_with_simd_units_are_gpus(tmp_path: Path) -> None:
    for number, count in enumerate((0, 416, 416)):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "properties").write_text(
            f"cpu_cores_count 8\nsimd_count {count}\n"
        )
    assert agent_gpu.amd(tmp_path) == 2


def test_a_device_plugin_offers_nothing_without_its_runtime(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(agent_gpu, "nvidia", lambda: 2)
    image = "nvcr.io/nvidia/k8s-device-plugin:v0.20.0"
    plugin = {"spec": {"containers": [{"image": image}], "runtimeClassName": "nvidia"}}
    assert agent_gpu.offered([plugin], ["nvidia"]) == {"nvidia.com/gpu": "2"}
    assert agent_gpu.offered([plugin], []) == {"nvidia.com/gpu": "0"}
    assert agent_gpu.offered([], ["nvidia"]) == {}


@pytest.mark.parametrize(
    ("cluster", "address", "share"),
    [
        ("10.42.0.0/16", "198.19.0.11", "10.42.11.0/24"),
        ("10.42.0.0/22", "198.19.0.13", "10.42.1.0/24"),
    ],
)
def test_a_node_s_pods_get_a_part_of_the_network(cluster: str, address: str, share: str) -> None:
    assert agent_network.Network("vxlan", cluster, "", address).share() == share


def test_names_of_a_pod_s_network_stay_the_same_and_fit_the_kernel() -> None:
    assert agent_network.veth_of("u1") == agent_network.veth_of("u1")
    assert len(agent_network.veth_of("u1")) < 16
    assert agent_network.netns_of("u1").startswith("cni-")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"flannel-backend": "carrier-pigeon"}, "unknown backend carrier-pigeon"),
        ({"flannel-iface": "none9"}, "unable to find interface none9"),
        (
            {"kube-apiserver-arg": ["audit-policy-file=/none/audit.yaml"]},
            "open /none/audit.yaml: no such file or directory",
        ),
        ({"write-kubeconfig-mode": "rw"}, "Invalid kubeconfig mode rw"),
        ({"service-node-port-range": "30000"}, "invalid port range 30000"),
    ],
    ids=["backend", "interface", "audit", "mode", "range"],
)
def test_a_server_refuses_settings_that_cannot_be(values: dict[str, object], message: str) -> None:
    with pytest.raises(FatalError, match=message):
        run_server.check_server(Settings("server", values))


@pytest.mark.parametrize(
    ("text", "wanted"), [("40s", 40.0), ("1m30s", 90.0), ("400ms", 0.4)], ids=str
)
def test_go_s_durations_are_read(text: str, wanted: float) -> None:
    assert run_server.seconds(text) == wanted


def test_other_text_is_no_duration() -> None:
    with pytest.raises(FatalError, match="invalid duration"):
        run_server.seconds("soon")


def test_the_kubelets_port_never_fills_up() -> None:
    """A queue of connections that nobody takes makes a port look filtered."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        address = listener.getsockname()
        threading.Thread(target=agent_machine.hang_up, args=([listener],), daemon=True).start()
        for _ in range(20):
            with socket.create_connection(address, timeout=5) as made:
                assert made.recv(1) == b""
