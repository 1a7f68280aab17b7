"""Claims about how nodes are judged against the inventory."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_cluster import (
    parse_nodes,
    parse_waiting_pods,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_expect import (
    ExpectedNode,
    as_expected,
    judge_nodes,
    report,
)

from tests.unit.plugins.module_utils.k3s_objects import api_node, api_pod

SERVER: dict[str, Any] = {"roles": ("control-plane",), "address": "198.19.1.11"}
WANTED: dict[str, Any] = {
    "name": "node1",
    "host": "Node_1",
    "kind": "server",
    "version": "v1.33.5+k3s1",
    "address": "198.19.1.11",
}
LOG = "'journalctl --unit k3s.service --lines 50' on Node_1"
PODS = (
    "'k3s kubectl --namespace kube-system get pods --output wide --field-selector "
    "spec.nodeName=node1' on a server, and 'grep nvidia "
    "/var/lib/rancher/k3s/agent/etc/containerd/config.toml' on Node_1"
)


def test_a_node_as_it_should_be_has_no_problem() -> None:
    nodes = parse_nodes([api_node("node1", **SERVER, gpus={"nvidia.com/gpu": "2"})])
    wanted = ExpectedNode.from_params({**WANTED, "gpus": 2, "gpu_resource": "nvidia.com/gpu"})
    assert judge_nodes(nodes, [wanted]) == []


@pytest.mark.parametrize(
    ("node", "more", "what", "text"),
    [
        pytest.param(
            api_node("other"),
            {},
            "missing",
            f"node1: the cluster has no node of this name, expected it Ready; see {LOG}",
            id="did-not-join",
        ),
        pytest.param(
            api_node("node1", ready="Unknown"),
            {},
            "not-ready",
            "node1: not Ready (Ready is Unknown: NodeStatusUnknown Kubelet stopped posting node "
            f"status.), expected Ready; see {LOG}",
            id="not-ready",
        ),
        pytest.param(
            api_node("node1", **{**SERVER, "version": "v1.32.9+k3s1"}),
            {},
            "version",
            f"node1: runs k3s v1.32.9+k3s1, expected v1.33.5+k3s1; run upgrade.yml, then see {LOG}",
            id="older-version-runs",
        ),
        pytest.param(
            api_node("node1"),
            {},
            "role",
            "node1: is an agent in the cluster, expected server by its group; a node changes its "
            "kind by reset.yml with --limit, then provision.yml",
            id="agent-for-server",
        ),
        pytest.param(
            api_node("node1", roles=("control-plane", "etcd")),
            {"kind": "agent"},
            "role",
            "node1: is a server (its roles are control-plane, etcd) in the cluster, expected agent "
            "by its group; a node changes its kind by reset.yml with --limit, then provision.yml",
            id="server-for-agent",
        ),
        pytest.param(
            api_node("node1", **{**SERVER, "address": "10.0.2.15"}),
            {},
            "address",
            "node1: is 10.0.2.15 in the cluster, expected its node address 198.19.1.11; check "
            "my_iface of Node_1, then run provision.yml again",
            id="wrong-interface",
        ),
        pytest.param(
            api_node("node1", **SERVER),
            {"gpus": 2, "gpu_resource": "nvidia.com/gpu"},
            "gpus",
            "node1: offers 0 nvidia.com/gpu, expected 2 as the node itself shows; its device plugin"
            f" knows 0; see {PODS}",
            id="no-device-plugin",
        ),
        pytest.param(
            api_node(
                "node1",
                **SERVER,
                gpus={"amd.com/gpu": "1"},
                capacity={"amd.com/gpu": "4"},
            ),
            {"gpus": 4, "gpu_resource": "amd.com/gpu"},
            "gpus",
            "node1: offers 1 amd.com/gpu, expected 4 as the node itself shows; its device plugin "
            "knows 4, but calls 3 of them unhealthy; see 'k3s kubectl describe node node1' on a "
            "server",
            id="unhealthy-gpus",
        ),
    ],
)
def test_a_node_that_is_not_says_what_to_do(
    node: dict[str, Any], more: dict[str, Any], what: str, text: str
) -> None:
    (problem,) = judge_nodes(parse_nodes([node]), [ExpectedNode.from_params({**WANTED, **more})])
    assert (problem.name, problem.what, problem.text) == ("node1", what, text)


def test_what_is_not_said_is_not_judged() -> None:
    nodes = parse_nodes([api_node("node1", version="v1.1.1+k3s1", address="")])
    assert judge_nodes(nodes, as_expected([], ["node1"])) == []


def test_a_name_to_wait_for_adds_nothing_to_what_is_expected_of_it() -> None:
    assert [each.kind for each in as_expected([WANTED], ["node1", "node2"])] == ["server", ""]


def test_several_things_wrong_with_one_node_are_told_together() -> None:
    nodes = parse_nodes([api_node("node1", version="v1.32.9+k3s1", address="10.0.2.15")])
    problems = judge_nodes(nodes, [ExpectedNode.from_params(WANTED)])
    assert [problem.what for problem in problems] == ["version", "role", "address"]


def test_a_report_shows_the_pods_that_wait() -> None:
    message = "x" * 300
    pods = parse_waiting_pods(
        [
            api_pod(
                f"p{number:02}",
                namespace="kube-system",
                node="node1",
                phase="Pending",
                status={
                    "containerStatuses": [
                        {
                            "restartCount": 1,
                            "state": {"waiting": {"reason": "ErrImagePull", "message": message}},
                        }
                    ]
                },
            )
            for number in range(12)
        ]
    )
    lines = report("", [{"text": "node1: something"}], pods).splitlines()
    assert lines[:2] == ["node1: something", "Pods that are not ready:"]
    assert lines[2] == (
        f"  kube-system/p00 on node1: Pending, 1 restarts, ErrImagePull: {'x' * 200}"
    )
    assert (len(lines), lines[-1]) == (13, "  and 2 more")


def test_a_report_of_a_silent_api_names_the_servers_log() -> None:
    assert report("was refused", [{"text": "unknown"}], []) == (
        "The Kubernetes API does not answer on this server: was refused; see "
        "'journalctl --unit k3s.service --lines 50' there"
    )


def test_a_report_is_empty_when_all_is_well_even_with_pods_that_wait() -> None:
    assert report("", [], parse_waiting_pods([api_pod("p", phase="Pending")])) == ""
