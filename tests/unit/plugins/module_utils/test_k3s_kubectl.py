"""Claims about asking the Kubernetes API through kubectl."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_kubectl import (
    Kubectl,
    KubectlError,
)

REFUSED = (
    "The connection to the server 127.0.0.1:6443 was refused"
    " - did you specify the right host or port?"
)


class Host:
    """Answers every program in the same way and keeps what it was asked."""

    def __init__(self, rc: int = 0, out: str = "", err: str = "") -> None:
        self.answer = (rc, out, err)
        self.argv: list[str] = []
        self.data: str | None = None
        self.environment: dict[str, str] = {}

    def run_command(
        self, args: list[str], data: str | None, environ_update: dict[str, str]
    ) -> tuple[int, str, str]:
        """Stand in for AnsibleModule.run_command."""
        self.argv, self.data, self.environment = args, data, environ_update
        return self.answer

    def get_bin_path(self, *_ignored: object, **_ignored_too: object) -> str | None:
        """Stand in for AnsibleModule.get_bin_path."""
        return None


def kubectl(host: Host) -> Kubectl:
    """Return a kubectl on that host."""
    return Kubectl(Command(host))


def test_every_call_is_bounded_and_uses_the_administrators_file() -> None:
    host = Host(out='{"items": []}')
    assert kubectl(host).get("pods", selector="app=web") == []
    assert host.argv == [
        "timeout",
        "--kill-after=5",
        "60",
        "/usr/local/bin/k3s",
        "kubectl",
        "--kubeconfig=/etc/rancher/k3s/k3s.yaml",
        "--request-timeout=10s",
        "get",
        "pods",
        "--all-namespaces",
        "--selector=app=web",
        "--output=json",
    ]


def test_one_object_is_asked_for_in_its_namespace() -> None:
    host = Host(out='{"kind": "Secret"}')
    assert kubectl(host).get("secret", "s", namespace="kube-system") == {"kind": "Secret"}
    assert host.argv[7:] == ["get", "secret", "s", "--namespace=kube-system", "--output=json"]


def test_text_is_handed_over_on_standard_input() -> None:
    host = Host(out="namespace/a created\n")
    told = kubectl(host).run(["apply", "--filename=-"], "kind: Namespace")
    assert (told, host.data) == ("namespace/a created\n", "kind: Namespace")


def test_an_object_that_is_not_there_is_none() -> None:
    host = Host(1, err='Error from server (NotFound): nodes "x" not found\n')
    assert kubectl(host).get("node", "x") is None


@pytest.mark.parametrize(
    ("rc", "out", "err", "message", "reason"),
    [
        pytest.param(
            1,
            "",
            'Error from server (Forbidden): nodes is forbidden: User "x" cannot list\n',
            'nodes is forbidden: User "x" cannot list',
            "Forbidden",
            id="forbidden",
        ),
        pytest.param(
            1,
            "",
            "E1122 18:42:04.05 407 memcache.go:265] Unhandled Error\n" + REFUSED + "\n",
            REFUSED,
            "silent",
            id="refused",
        ),
        pytest.param(
            1,
            "",
            "Unable to connect to the server: x509: certificate signed by unknown authority\n",
            "Unable to connect to the server: x509: certificate signed by unknown authority",
            "silent",
            id="another-authority",
        ),
        pytest.param(
            1, "", "error: unknown flag: --x\n", "unknown flag: --x", "", id="unknown-flag"
        ),
        pytest.param(124, "", "", "kubectl gave no answer within 60 s", "silent", id="hangs"),
        pytest.param(
            127,
            "",
            "timeout: failed to run command '/usr/local/bin/k3s': No such file or directory\n",
            "/usr/local/bin/k3s cannot be run (timeout: failed to run command '/usr/local/bin/k3s':"
            " No such file or directory); run provision.yml",
            "silent",
            id="not-installed",
        ),
        pytest.param(1, "", "", "kubectl exited 1 without a word", "", id="says-nothing"),
        pytest.param(
            0,
            '{"items": [',
            "",
            "kubectl get: saw no JSON object: '{\"items\": ['",
            "",
            id="half-an-answer",
        ),
        pytest.param(0, "{}", "", "kubectl get nodes: saw no list in the answer", "", id="no-list"),
        pytest.param(0, "[]", "", "kubectl get: saw no JSON object: '[]'", "", id="no-object"),
    ],
)
def test_what_went_wrong_is_said_in_one_line(
    rc: int, out: str, err: str, message: str, reason: str
) -> None:
    with pytest.raises(KubectlError) as caught:
        kubectl(Host(rc, out, err)).get("nodes")
    assert (str(caught.value), caught.value.reason) == (message, reason)


def test_a_call_may_have_more_time_than_others() -> None:
    host: Any = Host(137)
    with pytest.raises(KubectlError, match="no answer within 330 s"):
        kubectl(host).run(["drain", "x"], seconds=330)
    assert host.argv[2] == "330"
