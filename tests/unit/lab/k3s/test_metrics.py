# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics of the stand-in for k3s, and the service accounts that may read them."""

from __future__ import annotations

import base64
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.k3s.standin import agent_kubelet, files
from tests.lab.k3s.standin.agent_pods import Pod
from tests.lab.k3s.standin.api_resources import Request
from tests.lab.k3s.standin.metrics import Metrics, Row, rendered

from .conftest import Cluster, Fleet, Reply, free_port

READER = Path(__file__).parents[4] / "roles/k3s/templates/metrics-reader.yaml.j2"
ACCOUNT = "system:serviceaccount:kube-system:rackforge-metrics-reader"
PATHS = {
    "ServiceAccount": "/api/v1/namespaces/kube-system/serviceaccounts",
    "Secret": "/api/v1/namespaces/kube-system/secrets",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}
SECRET = f"{PATHS['Secret']}/rackforge-metrics-reader"


@pytest.fixture
def reader(cluster: Cluster) -> str:
    """What the role deploys has been deployed; the token."""
    for item in yaml.safe_load_all(READER.read_text()):
        cluster.make(PATHS[item["kind"]], item)
    cluster.settle(1)
    return base64.b64decode(cluster.get(SECRET)["data"]["token"]).decode()


def asked(cluster: Cluster, path: str, token: str) -> Reply:
    return cluster.ask("GET", path, user="bad", h_authorization=f"Bearer {token}")


def review(cluster: Cluster, token: str, path: str) -> Any:
    body = {"authorization": f"Bearer {token}" if token else "", "path": path}
    return cluster.ask("POST", "/v1-k3s/kubelet-review", body, "node").body


def test_a_token_comes_with_the_authority(cluster: Cluster, reader: str) -> None:
    secret = cluster.get(SECRET)
    authority = cluster.server.settings.tls_ca.read_bytes()
    assert base64.b64decode(secret["data"]["ca.crt"]) == authority
    assert base64.b64decode(secret["data"]["namespace"]) == b"kube-system"
    assert reader.count(".") == 2


def test_a_token_stays_the_same(cluster: Cluster, reader: str) -> None:
    cluster.settle(3)
    assert base64.b64decode(cluster.get(SECRET)["data"]["token"]).decode() == reader


def test_a_token_goes_with_its_account(cluster: Cluster, reader: str) -> None:
    path = f"{PATHS['ServiceAccount']}/rackforge-metrics-reader"
    assert cluster.ask("DELETE", path).code == 200
    cluster.settle(2)
    assert cluster.ask("GET", SECRET).code == 404
    assert asked(cluster, "/metrics", reader).code == 401


def test_a_secret_without_an_account_is_refused(cluster: Cluster) -> None:
    item = {"metadata": {"name": "x"}, "type": "kubernetes.io/service-account-token"}
    reply = cluster.ask("POST", PATHS["Secret"], item)
    assert reply.code == 422
    assert "kubernetes.io/service-account.name" in reply.body["message"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param("/metrics", 200, id="metrics"),
        pytest.param("/version", 200, id="version-is-for-everybody"),
        pytest.param("/api/v1/nodes", 403, id="nodes"),
        pytest.param("/api/v1/namespaces/kube-system/secrets", 403, id="secrets"),
        pytest.param("/debug/pprof", 403, id="another-path"),
    ],
)
def test_the_reader_may_read_metrics_and_nothing_else(
    cluster: Cluster, reader: str, path: str, code: int
) -> None:
    assert asked(cluster, path, reader).code == code
    assert asked(cluster, path, reader + "x").code == 401


def test_a_refusal_has_the_words_of_kubernetes(cluster: Cluster, reader: str) -> None:
    assert asked(cluster, "/api/v1/nodes", reader).body["message"] == (
        f'nodes is forbidden: User "{ACCOUNT}" cannot list resource "nodes" in API group "" '
        "at the cluster scope"
    )
    assert asked(cluster, "/debug", reader).body["message"] == (
        f'forbidden: User "{ACCOUNT}" cannot get path "/debug"'
    )


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param("/metrics", 200, id="metrics"),
        pytest.param("/metrics/cadvisor", 200, id="cadvisor"),
        pytest.param("/pods", 403, id="proxy"),
        pytest.param("/stats/summary", 403, id="stats"),
    ],
)
def test_a_kubelet_is_told_what_the_reader_may(
    cluster: Cluster, reader: str, path: str, code: int
) -> None:
    assert review(cluster, reader, path)["code"] == code
    assert review(cluster, "", path)["code"] == 401


def test_without_the_role_a_token_opens_no_kubelet(cluster: Cluster, reader: str) -> None:
    path = f"{PATHS['ClusterRoleBinding']}/rackforge-metrics-reader"
    assert cluster.ask("DELETE", path).code == 200
    assert review(cluster, reader, "/metrics") == {
        "code": 403,
        "text": f"Forbidden (user={ACCOUNT}, verb=get, resource=nodes, subresource(s)=[metrics])",
    }
    assert asked(cluster, "/metrics", reader).code == 403


def test_the_api_shows_what_it_keeps_and_was_asked(cluster: Cluster, reader: str) -> None:
    assert asked(cluster, "/api/v1/nodes", reader).code == 403
    text = asked(cluster, "/metrics", reader).body
    assert 'apiserver_request_total{verb="GET",resource="nodes",code="403"} 1\n' in text
    assert 'apiserver_storage_objects{resource="clusterroles"}' in text
    assert 'kubernetes_build_info{git_version="v1.33.5+k3s1"} 1\n' in text
    assert "process_start_time_seconds " in text


def test_rows_of_a_name_stand_together() -> None:
    rows = [Row("b", 1.5), Row("a", 1, {"x": 'say "a\\b"'}), Row("b", 2, {"x": "y"}, "counter")]
    assert rendered(rows) == (
        '# TYPE a gauge\na{x="say \\"a\\\\b\\""} 1\n# TYPE b gauge\nb 1.5\nb{x="y"} 2\n'
    )


def kubelet(answer: dict[str, Any]) -> Callable[[Request, str], Any]:
    """Return what answers at the port of a node with one pod, when the API says this."""
    pods = {"u1": Pod("default", "web", "u1", running=True, sandbox="none")}
    shown = Metrics("v1.33.5+k3s1")
    node = agent_kubelet.Node("n1", pods, shown)
    shown.add(lambda: agent_kubelet.kubelet_rows(node))

    class Access:
        def request(self, method: str, path: str, body: Any) -> dict[str, Any]:
            assert (method, path) == ("POST", "/v1-k3s/kubelet-review")
            assert body["authorization"] == "Bearer word"
            return answer

    return agent_kubelet.handler(node, lambda: Access())  # type: ignore[arg-type,return-value]


def test_a_kubelet_shows_its_pods() -> None:
    ask = kubelet({"code": 200, "text": ""})
    headers = {"authorization": "Bearer word"}
    text = ask(Request("GET", "/metrics", headers=headers), "bad").body
    assert 'kubelet_node_name{node="n1"} 1\n' in text
    assert "kubelet_running_pods 1\n" in text
    usage = ask(Request("GET", "/metrics/cadvisor", headers=headers), "bad").body
    assert 'container_memory_working_set_bytes{id="/",' in usage
    assert 'namespace="default",pod="web",cpu="total"} 0\n' in usage
    assert ask(Request("GET", "/pods", headers=headers), "bad").code == 404


@pytest.mark.parametrize("code", [401, 403])
def test_a_kubelet_refuses_as_the_api_says(code: int) -> None:
    ask = kubelet({"code": code, "text": "no"})
    answer = ask(Request("GET", "/metrics", headers={"authorization": "Bearer word"}), "bad")
    assert (answer.code, answer.body) == (code, "no")


def test_a_kubelets_certificate_is_the_clusters(cluster: Cluster, tmp_path: Path) -> None:
    tls = cluster.server.settings.server_dir / "tls"
    files.make_authorities(tls, 1)
    headers = {"h_k3s_node_name": "n9", "h_k3s_node_password": "p", "h_k3s_node_ip": "198.19.0.9"}
    reply = cluster.ask("GET", "/v1-k3s/serving-kubelet.crt", user="node", **headers)
    made = tmp_path / "made.crt"
    made.write_text(reply.body["crt"])
    assert "PRIVATE KEY" in reply.body["key"]
    files.openssl("verify", "-CAfile", str(tls / "server-ca.crt"), str(made))
    names = files.openssl("x509", "-in", str(made), "-noout", "-ext", "subjectAltName")
    assert "DNS:n9" in names
    assert "IP Address:198.19.0.9" in names
    assert not list(tls.glob("kubelet-*"))


def scraped(address: str, port: int) -> str:
    with urllib.request.urlopen(f"http://{address}:{port}/metrics", timeout=5) as answer:
        text: str = answer.read().decode()
    return text


def test_etcd_shows_its_metrics_on_loopback(fleet: Fleet) -> None:
    port = free_port()
    fleet.start(1, metrics_port=port)
    text = scraped("127.0.0.1", port)
    assert "etcd_server_has_leader 1\n" in text
    assert "etcd_mvcc_db_total_size_in_bytes " in text


def test_etcd_shows_its_metrics_at_the_nodes_address_only_when_told(fleet: Fleet) -> None:
    port = free_port()
    fleet.start(1)
    fleet.start(2, metrics_port=port)
    with pytest.raises(OSError, match="refused"):
        scraped("127.0.0.2", port)
    fleet.stop(2)
    fleet.start(2, metrics_port=port, expose_etcd_metrics=True)
    assert "etcd_server_has_leader 1\n" in scraped("127.0.0.2", port)
