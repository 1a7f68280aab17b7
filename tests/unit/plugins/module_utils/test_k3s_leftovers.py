# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about what of a node is k3s', and what is another engine's or the owner's."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_leftovers import (
    Leftovers,
    Link,
    Process,
    Standing,
    ancestors,
    find_leftovers,
    flannel_network,
    fstab_points,
    is_ours,
    pod_routes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import (
    Declaration,
    NodeState,
    RoleRecord,
    UnitState,
)

DATA = "/var/lib/rancher/k3s/data/abc/bin"
SHIM = f"{DATA}/containerd-shim-runc-v2"
DOCKERS = "/usr/bin/containerd-shim-runc-v2"


@pytest.mark.parametrize(
    ("process", "goes"),
    [
        pytest.param(Process(7, 1, (), SHIM, (SHIM, "-namespace", "k8s.io")), True, id="shim"),
        pytest.param(
            Process(7, 1, (), "/usr/bin/python3.13", ("python3", SHIM)), True, id="interpreted"
        ),
        pytest.param(Process(7, 1, (), f"{DATA}/k3s", ("containerd",)), True, id="containerd"),
        pytest.param(Process(7, 1, ("/kubepods/besteffort/pod1/x",)), True, id="pod"),
        pytest.param(
            Process(7, 1, ("/kubepods.slice/kubepods-pod1.slice/cri-x.scope",)), True, id="slice"
        ),
        pytest.param(Process(7, 1, ("/system.slice/k3s.service",)), True, id="in-the-unit"),
        pytest.param(Process(7, 1, ("/box/kubepods/pod1",)), True, id="slices-are-elsewhere"),
        pytest.param(
            Process(7, 1, ("/system.slice/docker.service",), DOCKERS, (DOCKERS, "-namespace")),
            False,
            id="dockers-shim",
        ),
        pytest.param(
            Process(7, 1, ("/docker/f00/kubepods/pod1",)), False, id="kubernetes-in-docker"
        ),
        pytest.param(
            Process(7, 1, ("/docker/f00",), f"{DATA}/k3s", ("k3s", "server"), here=False),
            False,
            id="k3s-in-docker",
        ),
        pytest.param(
            Process(7, 1, ("/system.slice/k3s.service-not",)), False, id="unit-of-a-like-name"
        ),
        pytest.param(
            Process(7, 1, (), "/usr/bin/vim", ("vim", f"{DATA}/notes")), False, id="an-editor"
        ),
        pytest.param(
            Process(7, 1, (), "/var/lib/rancher/k3s-mine/x", ()), False, id="folder-of-a-like-name"
        ),
    ],
)
def test_only_processes_of_k3s_are_ended(process: Process, goes: bool) -> None:
    found = find_leftovers(Standing(processes=(process,), slices="/box"), ())
    assert found.processes == ((process,) if goes else ())


def test_what_a_shim_started_goes_with_it() -> None:
    shim, pause, child = Process(7, 1, (), SHIM), Process(8, 7), Process(9, 8)
    other = Process(10, 1)
    found = find_leftovers(Standing(processes=(child, other, pause, shim)), ())
    assert found.processes == (child, pause, shim)


def test_this_program_and_its_callers_are_never_ended() -> None:
    processes = (Process(7, 1, (), SHIM), Process(8, 7), Process(9, 8))
    spared = ancestors(processes, 9)
    assert spared == {9, 8, 7, 1}
    assert find_leftovers(Standing(processes=processes), (), spared).processes == ()


def test_mounts_of_pods_go_from_the_last_to_the_first_and_the_owners_stay() -> None:
    mounts = (
        "/",
        "/var/lib/rancher",
        "/var/lib/rancher/k3s",
        "/var/lib/rancher/k3s/storage",
        "/run/docker/netns/x",
        "/var/lib/kubelet/pods/1/volumes/t",
        "/run/k3s/containerd/a",
        "/run/k3s/containerd/a/b",
        "/run/netns/cni-1",
        "/run/netns/mine",
        "/var/lib/kubelets/x",
    )
    seen = Standing(mounts=mounts, fstab=fstab_points("a:/b /var/lib/rancher/k3s/storage nfs\n"))
    assert find_leftovers(seen, ()).mounts == (
        "/run/netns/cni-1",
        "/run/k3s/containerd/a/b",
        "/run/k3s/containerd/a",
        "/var/lib/kubelet/pods/1/volumes/t",
    )


def test_namespaces_of_pods_go_and_others_stay() -> None:
    seen = Standing(namespaces=("cni-1", "mine", "podman-cni-2"))
    assert find_leftovers(seen, ()).namespaces == ("cni-1",)


LINKS = (
    Link("cni0"),
    Link("docker0"),
    Link("eth1", "cni0", hardware=True),
    Link("flannel.1"),
    Link("veth1", "cni0"),
    Link("veth2", "docker0"),
)


def test_interfaces_of_k3s_go_ports_of_its_bridge_first() -> None:
    found = find_leftovers(Standing(links=LINKS), ("eth1", "docker0"))
    assert found.interfaces == ("veth1", "cni0", "flannel.1")


def test_a_bridge_that_was_there_before_keeps_its_ports() -> None:
    assert find_leftovers(Standing(links=LINKS), ("cni0",)).interfaces == ("flannel.1",)


def test_only_sets_of_k3s_go() -> None:
    seen = Standing(sets=("KUBE-DST-A", "inet6:KUBE-SRC-B", "mine", "MY-KUBE-C"))
    assert find_leftovers(seen, ()).sets == ("KUBE-DST-A", "inet6:KUBE-SRC-B")


ROUTES = """[
 {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0"},
 {"dst": "10.42.1.0/24", "gateway": "192.0.2.12", "dev": "eth0"},
 {"dst": "10.42.2.0/24", "gateway": "10.42.2.0", "dev": "flannel.1"},
 {"dst": "10.43.0.0/24", "gateway": "192.0.2.12", "dev": "eth0"},
 {"dst": "10.42.0.0/24", "dev": "cni0"}
]"""


@pytest.mark.parametrize(
    ("routes", "network", "expected"),
    [
        pytest.param(ROUTES, "10.42.0.0/16", ("10.42.1.0/24",), id="host-gw"),
        pytest.param(ROUTES, "", (), id="no-flannel"),
        pytest.param("", "10.42.0.0/16", (), id="no-ip-program"),
        pytest.param("{}", "10.42.0.0/16", (), id="no-list"),
        pytest.param('[1, {"dst": 5}]', "10.42.0.0/16", (), id="garbage"),
    ],
)
def test_only_routes_to_pods_go(routes: str, network: str, expected: tuple[str, ...]) -> None:
    assert pod_routes(routes, network) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_MTU=1450\n", "10.42.0.0/16", id="there"
        ),
        pytest.param("", "", id="no-file"),
    ],
)
def test_flannels_network_is_read(text: str, expected: str) -> None:
    assert flannel_network(text) == expected


def record(**units: UnitState) -> RoleRecord:
    """Return a record of the role, with how two units stood before."""
    before = {name.replace("_", "-") + ".service": state for name, state in units.items()}
    return RoleRecord("k3s", Declaration(), NodeState(units=before))


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param(None, False, id="no-record"),
        pytest.param(record(), True, id="record-without-units"),
        pytest.param(record(k3s=UnitState(), k3s_agent=UnitState()), True, id="none-before"),
        pytest.param(record(k3s=UnitState("loaded", "active", "enabled")), False, id="ran-before"),
        pytest.param(record(k3s_agent=UnitState("loaded")), False, id="lay-there-before"),
    ],
)
def test_a_k3s_that_was_there_before_is_not_ours(known: RoleRecord | None, expected: bool) -> None:
    assert is_ours(known) is expected


def test_everything_is_told_in_the_order_in_which_it_goes() -> None:
    found = Leftovers(
        units=("k3s.service",),
        processes=(Process(7, 1, (), SHIM, (SHIM,)),),
        mounts=("/run/k3s/a",),
        namespaces=("cni-1",),
        interfaces=("cni0",),
        routes=("10.42.1.0/24",),
        rules=("iptables-nft",),
        sets=("KUBE-A",),
    )
    assert found.sentences() == (
        "stop and disable unit k3s.service",
        "end process containerd-shim-runc-v2 (7)",
        "unmount /run/k3s/a",
        "delete network namespace cni-1",
        "delete interface cni0",
        "delete route to 10.42.1.0/24",
        "take the rules of k3s out of iptables-nft",
        "delete IP set KUBE-A",
    )
    assert not found.empty()
    assert Leftovers().empty()
