"""Claims about what k3s's log lines mean."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_diagnosis import (
    Situation,
    diagnose,
    telling,
)

JOINER = Situation("k3s-agent.service", "agent", "198.19.1.11:6443", 6443)
FIRST = Situation("k3s.service", "server", "", 6443)
FATAL = 'time="2026-11-22T18:00:00Z" level=fatal msg="{}"'


@pytest.mark.parametrize(
    ("message", "code", "told"),
    [
        pytest.param(
            "token CA hash does not match the Cluster CA certificate hash: 6f != aa",
            "ca-hash",
            "198.19.1.11:6443 shows another CA",
            id="ca",
        ),
        pytest.param(
            "Failed to validate connection to cluster at https://198.19.1.11:6443: failed to get CA"
            " certs: https://127.0.0.1:6444/cacerts: not authorized",
            "not-authorized",
            "refused this node's token",
            id="token",
        ),
        pytest.param(
            "Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password'"
            " may not match server node-passwd entry",
            "node-password",
            "knows another machine by this node's name",
            id="node-password",
        ),
        pytest.param(
            "starting kubernetes: preparing server: bootstrap data already found and encrypted with"
            " different token",
            "bootstrap-token",
            "written with another token",
            id="bootstrap",
        ),
        pytest.param(
            "failed to validate server configuration: critical configuration value mismatch between"
            " servers: cluster-cidr",
            "configuration-differs",
            "must be the same on all",
            id="configuration",
        ),
        pytest.param(
            "flag provided but not defined: -no-such",
            "unknown-flag",
            "does not know the setting no-such",
            id="flag",
        ),
        pytest.param(
            "Failed to start ContainerManager: [invalid kernel flag: vm/overcommit_memory, expected"
            " value: 1, actual value: 0]",
            "kernel-defaults",
            "the kernel setting vm/overcommit_memory",
            id="kernel",
        ),
        pytest.param(
            "Failed to start networking: listen tcp 0.0.0.0:6443: bind: address already in use",
            "port-taken",
            "somebody else listens on 0.0.0.0:6443",
            id="port",
        ),
        pytest.param(
            'no default routes found in \\"/proc/net/route\\"',
            "no-default-route",
            "has no default route",
            id="route",
        ),
        pytest.param(
            "failed to find interface eth7", "interface", "interface of the cluster", id="interface"
        ),
        pytest.param(
            "write /var/lib/rancher/k3s/data/x: no space left on device",
            "disk-full",
            "a disk of this node is full",
            id="disk",
        ),
        pytest.param(
            "failed to find memory cgroup (v2)", "cgroup", "lacks a control group", id="cgroup"
        ),
        pytest.param(
            "x509: certificate has expired or is not yet valid: current time 2020",
            "clock",
            "clock is wrong",
            id="clock",
        ),
        pytest.param(
            "etcdserver: too many learner members in cluster",
            "etcd-learner",
            "another server joins",
            id="learner",
        ),
        pytest.param(
            "failed to get CA certs: Get https://198.19.1.11:6443/cacerts: dial tcp"
            " 198.19.1.11:6443: connect: no route to host",
            "unreachable",
            "no answer from 198.19.1.11:6443",
            id="unreachable",
        ),
        pytest.param(
            "Failed to validate connection to cluster at https://198.19.1.11:6443: failed to get CA"
            ' certs: Get \\"https://127.0.0.1:6444/cacerts\\": EOF',
            "unreachable",
            "no answer from 198.19.1.11:6443",
            id="balancer-hangs-up",
        ),
        pytest.param(
            'Waiting to retrieve agent configuration; server is not ready: Get \\"https://127.0.0.1:'
            '6444/v1-k3s/config\\": read tcp 127.0.0.1:4021->127.0.0.1:6444: read: connection reset'
            " by peer",
            "unreachable",
            "no answer from 198.19.1.11:6443",
            id="balancer-resets",
        ),
        pytest.param(
            "failed to configure containerd: default runtime nvidia was not found",
            "default-runtime",
            "no container runtime of that name",
            id="runtime",
        ),
    ],
)
def test_a_message_names_its_fault(message: str, code: str, told: str) -> None:
    found = diagnose(["level=info msg=starting", FATAL.format(message)], JOINER)
    assert found is not None
    assert (found.code, told in found.what) == (code, True)
    assert "{" not in found.what + found.fix


def test_the_latest_fault_counts() -> None:
    lines = ["connect: connection refused", FATAL.format("no space left on device")]
    found = diagnose(lines, JOINER)
    assert found is not None
    assert found.code == "disk-full"


def test_the_command_asks_for_the_taken_port() -> None:
    found = diagnose(["listen tcp :6443: bind: address already in use"], FIRST)
    assert found is not None
    assert "ss -lntup | grep :6443" in found.fix


def test_a_first_server_waits_for_nobody() -> None:
    assert diagnose(["dial tcp 127.0.0.1:6443: connect: connection refused"], FIRST) is None


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("dial tcp 127.0.0.1:2379: connect: connection refused", id="etcd"),
        pytest.param(
            "dial unix /run/k3s/containerd/containerd.sock: connect: connection refused",
            id="containerd",
        ),
        pytest.param("dial tcp 198.19.1.13:6443: connect: no route to host", id="another-server"),
        pytest.param("context deadline exceeded", id="somebody"),
    ],
)
def test_silence_of_others_is_none_of_the_servers(line: str) -> None:
    assert diagnose([FATAL.format(line)], JOINER) is None


def test_a_joining_server_that_asks_itself_does_not_blame_the_first() -> None:
    joiner = Situation("k3s.service", "server", "198.19.1.11:6443", 6443)
    own = 'Failed to validate connection: Get "https://127.0.0.1:6444/cacerts": EOF'
    assert diagnose([own], joiner) is None
    other = 'failed to get CA certs: Get "https://198.19.1.11:6443/cacerts": EOF'
    found = diagnose([other, own], joiner)
    assert found is not None
    assert found.code == "unreachable"


def test_an_unknown_text_is_no_fault() -> None:
    assert diagnose(["level=info msg=ok", "something new"], JOINER) is None


LOG = [
    'time="2026-11-22T18:00:00Z" level=info msg="Starting k3s"',
    "I1122 18:00:00.000000       1 server.go:1] chatter",
    "E1122 18:00:01.000000       1 server.go:1] trouble",
    "",
    'time="2026-11-22T18:00:02Z" level=fatal msg="the end"',
]


@pytest.mark.parametrize(
    ("lines", "most", "expected"),
    [
        pytest.param(LOG, 15, [LOG[2], LOG[4]], id="without-chatter"),
        pytest.param(LOG, 1, [LOG[4]], id="the-last"),
        pytest.param(LOG[:2], 15, LOG[:2], id="chatter-where-there-is-nothing-else"),
        pytest.param(LOG, 0, [], id="none-wanted"),
        pytest.param(
            ['time="1" level=error msg=again', "other", 'time="2" level=error msg=again'],
            15,
            ["other", 'time="2" level=error msg=again'],
            id="repeated-once",
        ),
        pytest.param(
            ['time="1" level=info msg="Waiting: not authorized"', "trouble"],
            15,
            ['time="1" level=info msg="Waiting: not authorized"', "trouble"],
            id="a-known-fault-however-it-is-said",
        ),
        pytest.param([], 15, [], id="empty"),
    ],
)
def test_the_telling_lines_are_shown(lines: list[str], most: int, expected: list[str]) -> None:
    assert telling(lines, most) == expected
