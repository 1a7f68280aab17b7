"""Claims about what status.yml makes of the answers of k3s nodes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_status import (
    K3sGpus,
    K3sHost,
    k3s_status,
    render_k3s,
)


def row(name: str, **more: Any) -> dict[str, Any]:
    """Return a node as k3s_cluster_info returns it."""
    return {
        "name": name,
        "ready": True,
        "reasons": [],
        "roles": [],
        "version": "v1.33.5+k3s1",
        "address": "198.19.1.99",
        "unschedulable": False,
        "gpus": {},
        **more,
    }


POD = {
    "namespace": "lab",
    "name": "train",
    "node": "n2",
    "phase": "Pending",
    "reason": "ImagePullBackOff",
    "message": "Back-off\n pulling",
    "restarts": 0,
}
RUNS = {"unit": "k3s-agent.service", "unit_state": "active", "reachable": False}
SERVER = {
    "unit": "k3s.service",
    "unit_state": "active",
    "reachable": True,
    "error": "",
    "server_version": "v1.33.5+k3s1",
    "nodes": [row("n1", roles=["control-plane"]), row("n2")],
    "pods_not_ready": [],
}
STOPPED = {
    "unit": "k3s.service",
    "unit_state": "inactive",
    "reachable": False,
    "error": "was refused",
}
AWAY = {"reachable": False, "findings": [{"message": "n2 did not answer.", "seen": "timed out"}]}
GPUS = {"ansible_facts": {"gpu": {"vendor": "nvidia", "gpus": [{"vendor": "nvidia"}] * 2}}}


def host(name: str, role: str, info: dict[str, Any], **more: Any) -> K3sHost:
    """Return a host that was probed."""
    probe = {"reachable": True, "ansible_facts": {"gpu_cluster": {"node_address": f"ip-{name}"}}}
    return K3sHost(
        name,
        role,
        more.get("variables", {}),
        more.get("probe", probe),
        info,
        more.get("gpus", {}),
    )


def status(*hosts: K3sHost) -> Any:
    """Return the status of the cluster called lab."""
    return k3s_status("lab", hosts, 6443)


def test_a_cluster_with_all_nodes_ready_is_running() -> None:
    seen = status(host("n1", "server", SERVER), host("n2", "agent", RUNS))
    assert (seen.state, seen.asked, seen.server_version) == ("running", "n1", "v1.33.5+k3s1")
    assert seen.api == "https://ip-n1:6443"
    assert render_k3s(seen) == (
        "k3s cluster lab: running, 2 of 2 nodes ready, k3s v1.33.5+k3s1\n"
        "API: https://ip-n1:6443 (asked on n1)\n"
        "\n"
        "NODE  ROLE    ADDRESS  STATE  K3S           GPU  PODS NOT READY\n"
        "n1    server  ip-n1    ready  v1.33.5+k3s1  -    0\n"
        "n2    agent   ip-n2    ready  v1.33.5+k3s1  -    0"
    )


def test_the_document_is_plain_data() -> None:
    seen = status(host("n1", "server", SERVER, gpus=GPUS), host("n2", "agent", RUNS))
    document = json.loads(json.dumps(seen.to_dict()))
    assert document["nodes"][0]["gpus"]["found"] == 2
    assert sorted(document) == [
        "api",
        "asked",
        "cluster",
        "nodes",
        "pods_not_ready",
        "server_version",
        "silent",
        "state",
    ]


NOT_READY = {**SERVER, "nodes": [row("n2", ready=False, reasons=["Ready is Unknown: x"])]}


@pytest.mark.parametrize(
    ("server", "agent", "probe", "state", "reason"),
    [
        pytest.param(
            NOT_READY,
            RUNS,
            None,
            "not-ready",
            "Ready is Unknown: x; see 'journalctl --unit k3s-agent.service' there",
            id="not-ready",
        ),
        pytest.param(
            {**SERVER, "nodes": []},
            RUNS,
            None,
            "not-joined",
            "k3s runs, but the cluster does not have the node; see "
            "'journalctl --unit k3s-agent.service' there",
            id="not-joined",
        ),
        pytest.param(
            SERVER,
            {**RUNS, "unit_state": "failed"},
            None,
            "stopped",
            "k3s-agent.service is failed; see 'journalctl --unit k3s-agent.service' there",
            id="stopped",
        ),
        pytest.param(
            SERVER, {"unit_state": "missing"}, None, "not-installed", "run provision.yml", id="new"
        ),
        pytest.param(
            SERVER,
            {},
            AWAY,
            "unreachable",
            "n2 did not answer. timed out, but the cluster says that it is ready",
            id="unreachable-by-ssh",
        ),
        pytest.param(
            SERVER,
            {},
            {},
            "unreachable",
            "the node was not asked, but the cluster says that it is ready",
            id="outside-the-limit",
        ),
        pytest.param(
            SERVER,
            {"msg": "sudo: a password is required"},
            None,
            "unknown",
            "sudo: a password is required",
            id="unit-not-readable",
        ),
        pytest.param(
            STOPPED, RUNS, None, "unknown", "no server answers that could say", id="no-server"
        ),
    ],
)
def test_a_nodes_state_and_its_reason(
    server: dict[str, Any],
    agent: dict[str, Any],
    probe: dict[str, Any] | None,
    state: str,
    reason: str,
) -> None:
    more = {} if probe is None else {"probe": probe}
    node = status(host("n1", "server", server), host("n2", "agent", agent, **more)).nodes[1]
    assert (node.state, node.reason) == (state, reason)


def test_a_stopped_server_is_told_and_the_next_one_asked() -> None:
    seen = status(
        host("n0", "server", STOPPED), host("n1", "server", SERVER), host("n2", "agent", RUNS)
    )
    assert (seen.state, seen.asked) == ("degraded", "n1")
    assert (
        "Server n0 does not answer: k3s.service is inactive; see 'journalctl --unit k3s.service' "
        "there"
    ) in render_k3s(seen)


@pytest.mark.parametrize(
    ("info", "probe", "why"),
    [
        pytest.param(
            {**STOPPED, "unit_state": "active"}, {"reachable": True}, "was refused", id="refuses"
        ),
        pytest.param(
            {"unit_state": "missing"},
            {"reachable": True},
            "k3s is not installed; run provision.yml",
            id="new",
        ),
        pytest.param({}, AWAY, "n2 did not answer. timed out", id="unreachable"),
        pytest.param({"msg": "no sudo"}, {"reachable": True}, "no sudo", id="not-allowed"),
        pytest.param({}, {"reachable": True}, "it was not asked", id="not-asked"),
    ],
)
def test_why_a_server_is_silent(info: dict[str, Any], probe: dict[str, Any], why: str) -> None:
    assert status(host("n1", "server", info, probe=probe)).silent == {"n1": why}


@pytest.mark.parametrize(
    ("info", "state"),
    [
        pytest.param(STOPPED, "down", id="stopped"),
        pytest.param({"unit_state": "missing"}, "absent", id="nothing-there"),
    ],
)
def test_a_cluster_without_a_server_that_answers(info: dict[str, Any], state: str) -> None:
    seen = status(host("n1", "server", info))
    assert (seen.state, seen.api, seen.asked) == (state, None, None)
    assert render_k3s(seen).splitlines()[1] == "API: -"


def test_a_cluster_that_is_down_says_once_why_and_counts_no_pods() -> None:
    text = render_k3s(status(host("n1", "server", STOPPED)))
    assert text == (
        "k3s cluster lab: down, 0 of 1 nodes ready\n"
        "API: -\n"
        "Server n1 does not answer: k3s.service is inactive; see 'journalctl --unit k3s.service' "
        "there\n"
        "\n"
        "NODE  ROLE    ADDRESS  STATE    K3S  GPU  PODS NOT READY\n"
        "n1    server  ip-n1    stopped  -    -    -"
    )


def test_an_absent_cluster_says_once_that_it_is() -> None:
    text = render_k3s(status(host("n1", "server", {"unit_state": "missing"})))
    assert "does not answer" not in text
    assert "n1: run provision.yml" in text


@pytest.mark.parametrize(
    ("offered", "gpus", "variables", "cell", "state", "problem"),
    [
        pytest.param({"nvidia.com/gpu": 2}, GPUS, {}, "2/2", "running", "", id="all"),
        pytest.param(
            {},
            GPUS,
            {},
            "0/2",
            "degraded",
            "it offers 0 nvidia.com/gpu, expected 2; run verify.yml, which says why",
            id="none-offered",
        ),
        pytest.param({"nvidia.com/gpu": 2}, {}, {}, "2/?", "running", "", id="not-asked"),
        pytest.param(
            {"nvidia.com/gpu": 2},
            GPUS,
            {"gpu_vendor": "amd"},
            "0/0",
            "degraded",
            "has_gpu is true, but the PCI bus shows no GPU; run preflight.yml",
            id="the-owners-vendor",
        ),
        pytest.param(
            {"nvidia.com/gpu": 14},
            GPUS,
            {"k3s_nvidia_mig_strategy": "single"},
            "14/2",
            "running",
            "",
            id="parts-under-one-name",
        ),
        pytest.param(
            {"nvidia.com/gpu": 1, "nvidia.com/mig-1g.10gb": 7},
            GPUS,
            {"k3s_nvidia_mig_strategy": "mixed"},
            "8/2",
            "running",
            "",
            id="parts-under-names-of-their-own",
        ),
        pytest.param(
            {"nvidia.com/gpu": 1},
            GPUS,
            {"k3s_nvidia_mig_strategy": "none"},
            "1/2",
            "degraded",
            "it offers 1 nvidia.com/gpu, expected 2; run verify.yml, which says why",
            id="whole-gpus",
        ),
        pytest.param(
            {},
            {"ansible_facts": {"gpu": {"vendor": "amd", "gpus": [{"vendor": "amd"}]}}},
            {"k3s_nvidia_mig_strategy": "single"},
            "0/1",
            "degraded",
            "it offers 0 amd.com/gpu, expected 1; run verify.yml, which says why",
            id="nvidias-strategy-says-nothing-of-amd",
        ),
        pytest.param(
            {},
            {"ansible_facts": {"gpu": {"vendor": "nvidia", "gpus": []}}},
            {"k3s_nvidia_mig_strategy": "single"},
            "0/0",
            "degraded",
            "has_gpu is true, but the PCI bus shows no GPU; run preflight.yml",
            id="no-gpu-to-part",
        ),
    ],
)
def test_gpus_that_are_missing_are_told(
    offered: dict[str, int],
    gpus: dict[str, Any],
    variables: dict[str, Any],
    cell: str,
    state: str,
    problem: str,
) -> None:
    info = {**SERVER, "nodes": [row("n1", gpus=offered)]}
    seen = status(host("n1", "server", info, gpus=gpus, variables=variables))
    assert seen.state == state
    assert isinstance(seen.nodes[0].gpus, K3sGpus)
    assert seen.nodes[0].gpus.problem == problem
    text = render_k3s(seen)
    assert f"  {cell}  " in text
    assert (f"GPUs that are missing, because:\n  n1: {problem}" in text) is bool(problem)


def test_a_node_that_is_not_ready_is_not_blamed_for_its_gpus_too() -> None:
    info = {**SERVER, "nodes": [row("n1", ready=False, reasons=["x"])]}
    node = status(host("n1", "server", info, gpus=GPUS)).nodes[0]
    assert (node.state, node.gpus.problem) == ("not-ready", "")


def test_pods_that_are_not_ready_are_counted_and_named() -> None:
    info = {**SERVER, "pods_not_ready": [POD, {**POD, "name": "other", "node": "", "message": ""}]}
    seen = status(host("n1", "server", info), host("n2", "agent", RUNS))
    assert [node.pods_not_ready for node in seen.nodes] == [0, 1]
    assert render_k3s(seen).endswith(
        "\n\nPods that are not ready: 2\n"
        "  lab/train  Pending  on n2  ImagePullBackOff: Back-off pulling\n"
        "  lab/other  Pending  ImagePullBackOff"
    )


def test_many_pods_are_cut_in_the_text_only() -> None:
    info = {**SERVER, "pods_not_ready": [POD] * 23}
    seen = status(host("n1", "server", info), host("n2", "agent", RUNS))
    assert len(seen.pods_not_ready) == 23
    assert render_k3s(seen).splitlines()[-1] == "  and 3 more: see status_format=json"


def test_a_node_that_the_inventory_does_not_have_is_shown_and_changes_nothing() -> None:
    stranger = row("x", ready=False, reasons=["gone"], gpus={"amd.com/gpu": 4})
    info = {**SERVER, "nodes": [*SERVER["nodes"], stranger]}  # type: ignore[misc]
    seen = status(host("n1", "server", info), host("n2", "agent", RUNS))
    assert seen.state == "running"
    last = seen.nodes[-1]
    assert (last.name, last.role, last.state) == ("x", "agent", "not-ready")
    assert last.reason == "it is not in this inventory; gone"
    assert last.gpus == K3sGpus(4, None, "")


def test_a_cordoned_node_shows_that_it_takes_no_pods() -> None:
    info = {**SERVER, "nodes": [row("n1", unschedulable=True)]}
    text = render_k3s(status(host("n1", "server", info)))
    assert "  ready (cordoned)  " in text


@pytest.mark.parametrize(
    ("more", "way"),
    [
        pytest.param({}, "", id="not-cordoned"),
        pytest.param({"unschedulable": True, "kept_by": "owner"}, "undrain.yml", id="by-us"),
        pytest.param(
            {"unschedulable": True, "kept_by": "other"},
            "k3s kubectl uncordon gpu-1",
            id="with-kubectl",
        ),
    ],
)
def test_what_brings_a_cordoned_node_back_is_told(more: dict[str, Any], way: str) -> None:
    info = {**SERVER, "nodes": [row("gpu-1", **more)]}
    seen = status(host("GPU_1", "server", info))
    assert [node.uncordon for node in seen.nodes] == [way]
