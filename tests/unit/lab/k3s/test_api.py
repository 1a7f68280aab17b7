# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API of one server, as kubectl and agents ask it."""

from __future__ import annotations

import base64
import io
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.lab.k3s.standin import files, tokens
from tests.lab.k3s.standin.api_resources import Request
from tests.lab.k3s.standin.api_watch import Stream
from tests.lab.k3s.standin.controllers_manifests import Manifests

from .conftest import Cluster, Kubelet

#: Below the server's directory: the token of servers, and that of agents.
TOKENS = ("token", "agent-token")
SPACE = "/api/v1/namespaces/default"
APPS = "/apis/apps/v1/namespaces/default"
Work = Callable[[], None]


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "i"}], **spec},
    }


def workload(name: str, image: str = "i", **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod("x")["spec"]}
    template["spec"]["containers"][0]["image"] = image
    made = {"selector": {"matchLabels": labels}, "template": template, **spec}
    return {"metadata": {"name": name}, "spec": made}


def service(name: str, port: int | None) -> dict[str, Any]:
    row = {"port": 80} if port is None else {"port": 80, "nodePort": port}
    return {"metadata": {"name": name}, "spec": {"type": "NodePort", "ports": [row]}}


def chart(content: bytes) -> dict[str, Any]:
    text = base64.b64encode(content).decode()
    return {"metadata": {"name": "one"}, "spec": {"chartContent": text}}


def archive(name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as made:
        made.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("path", "user", "code"),
    [
        pytest.param("/cacerts", "", 200, id="authority-for-everybody"),
        pytest.param("/ping", "", 200, id="ping-for-everybody"),
        pytest.param("/readyz", "", 401, id="readyz-not"),
        pytest.param("/api/v1/nodes", "", 401, id="nodes-not"),
        pytest.param("/api/v1/nodes", "node", 401, id="nodes-not-for-agents"),
        pytest.param("/v1-k3s/config", "", 401, id="settings-not"),
        pytest.param("/v1-k3s/config", "bad", 401, id="settings-not-with-a-wrong-word"),
        pytest.param("/v1-k3s/config", "node", 200, id="settings-for-agents"),
        pytest.param("/v1-k3s/server-bootstrap", "node", 403, id="keys-not-for-agents"),
        pytest.param("/v1-k3s/server-bootstrap", "server", 400, id="no-keys-without-etcd"),
        pytest.param("/api/v1/nonsense", "admin", 404, id="no-such-kind"),
    ],
)
def test_who_may_ask_what(cluster: Cluster, path: str, user: str, code: int) -> None:
    assert cluster.ask("GET", path, user=user).code == code


def test_every_kind_is_discovered(cluster: Cluster) -> None:
    groups = [row["name"] for row in cluster.get("/apis")["groups"]]
    assert {"apps", "batch", "node.k8s.io", "policy"} <= set(groups)
    names = [row["name"] for row in cluster.get("/api/v1")["resources"]]
    assert {"nodes", "pods", "pods/eviction", "services"} <= set(names)


def test_a_second_object_of_a_name_is_refused(cluster: Cluster) -> None:
    cluster.make(f"{SPACE}/configmaps", {"metadata": {"name": "one"}})
    reply = cluster.ask("POST", f"{SPACE}/configmaps", {"metadata": {"name": "one"}})
    assert (reply.code, reply.body["message"]) == (409, 'configmaps "one" already exists')


def test_an_object_that_changed_meanwhile_is_not_overwritten(cluster: Cluster) -> None:
    made = cluster.make(f"{SPACE}/configmaps", {"metadata": {"name": "one"}})
    path = f"{SPACE}/configmaps/one"
    assert cluster.ask("PUT", path, {**made, "data": {"a": "1"}}).code == 200
    assert cluster.ask("PUT", path, {**made, "data": {"a": "2"}}).code == 409


def test_a_trial_leaves_nothing(cluster: Cluster) -> None:
    body = {"metadata": {"name": "one"}}
    assert cluster.ask("POST", f"{SPACE}/configmaps", body, dryRun="All").code == 201
    assert cluster.ask("GET", f"{SPACE}/configmaps/one").code == 404


@pytest.mark.parametrize(
    ("port", "message"),
    [
        pytest.param(30080, "provided port is already allocated", id="taken"),
        pytest.param(
            80,
            "provided port is not in the valid range. The range of valid ports is 30000-32767",
            id="out-of-range",
        ),
    ],
)
def test_a_node_port_is_refused(cluster: Cluster, port: int, message: str) -> None:
    cluster.make(f"{SPACE}/services", service("first", 30080))
    reply = cluster.ask("POST", f"{SPACE}/services", service("second", port))
    place = f'Service "second" is invalid: spec.ports[0].nodePort: Invalid value: {port}: '
    assert (reply.code, reply.body["message"]) == (422, place + message)


def test_a_service_gets_addresses_in_range(cluster: Cluster) -> None:
    made = cluster.make(f"{SPACE}/services", service("one", None))["spec"]
    assert made["clusterIP"].startswith("10.43.")
    assert 30000 <= made["ports"][0]["nodePort"] <= 32767


def test_a_table_is_what_kubectl_prints(cluster: Cluster, kubelets: list[Kubelet]) -> None:
    cluster.settle(1)
    found = cluster.get("/api/v1/nodes", h_accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    cells = [row["cells"][:3] for row in found["rows"]]
    assert cells == [["a1", "Ready", "<none>"], ["s1", "Ready", "control-plane,master"]]
    assert len(kubelets) == 2


def test_a_watch_tells_what_happens(cluster: Cluster) -> None:
    path = f"{SPACE}/configmaps"
    cluster.make(path, {"metadata": {"name": "one", "labels": {"a": "b"}}})
    query = {"watch": "true", "labelSelector": "a=b", "timeoutSeconds": "30"}
    answer = cluster.server.gateway.handle(Request("GET", path, query), "admin")
    assert isinstance(answer, Stream)
    first = next(answer.chunks)
    cluster.make(path, {"metadata": {"name": "other"}})
    cluster.ask("DELETE", f"{path}/one")
    second = next(answer.chunks)
    answer.close()
    assert (first[:16], second[:18]) == (b'{"type": "ADDED"', b'{"type": "DELETED"')


def test_a_deployment_runs_and_rolls(cluster: Cluster, run: Work) -> None:
    cluster.make(f"{APPS}/deployments", workload("web", replicas=2))
    run()
    cluster.ask(
        "PATCH",
        f"{APPS}/deployments/web",
        workload("web", "i:2"),
        h_content_type="application/strategic-merge-patch+json",
    )
    run()
    status = cluster.get(f"{APPS}/deployments/web")["status"]
    counts = [status[name] for name in ("updatedReplicas", "readyReplicas", "replicas")]
    assert (counts, status["observedGeneration"]) == ([2, 2, 2], 2)
    pods = cluster.get(f"{SPACE}/pods", labelSelector="app=web")["items"]
    assert [item["spec"]["containers"][0]["image"] for item in pods] == ["i:2", "i:2"]


def test_a_daemon_runs_on_every_node_that_lets_it(cluster: Cluster, run: Work) -> None:
    cluster.ask(
        "PATCH",
        "/api/v1/nodes/s1",
        {"spec": {"taints": [{"key": "x", "effect": "NoSchedule"}]}},
        h_content_type="application/merge-patch+json",
    )
    cluster.make(f"{APPS}/daemonsets", workload("one"))
    run()
    pods = cluster.get(f"{SPACE}/pods", labelSelector="app=one")["items"]
    assert [item["spec"]["nodeName"] for item in pods] == ["a1"]


def test_a_stateful_set_makes_its_claims_in_order(cluster: Cluster, run: Work) -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    body = workload("db", replicas=3, serviceName="db", volumeClaimTemplates=[claim])
    cluster.make(f"{APPS}/statefulsets", body)
    run()
    assert cluster.names(f"{SPACE}/pods", labelSelector="app=db") == ["db-0", "db-1", "db-2"]
    claims = cluster.get(f"{SPACE}/persistentvolumeclaims")["items"]
    assert [item["status"]["phase"] for item in claims] == ["Bound"] * 3


def test_a_pod_waits_for_a_gpu(cluster: Cluster, kubelets: list[Kubelet], run: Work) -> None:
    body = pod("train")
    body["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": 2}}
    cluster.make(f"{SPACE}/pods", body)
    run()
    row = cluster.get(f"{SPACE}/pods/train")["status"]["conditions"][0]
    text = "0/2 nodes are available: 2 Insufficient nvidia.com/gpu."
    assert (row["reason"], row["message"]) == ("Unschedulable", text)
    kubelets[1].gpus = 2
    run()
    assert cluster.get(f"{SPACE}/pods/train")["spec"]["nodeName"] == "a1"


def test_a_cordoned_node_gets_no_pods(cluster: Cluster, run: Work) -> None:
    cluster.ask(
        "PATCH",
        "/api/v1/nodes/a1",
        {"spec": {"unschedulable": True}},
        h_content_type="application/merge-patch+json",
    )
    cluster.make(f"{APPS}/deployments", workload("web", replicas=3))
    run()
    pods = cluster.get(f"{SPACE}/pods", labelSelector="app=web")["items"]
    assert {item["spec"]["nodeName"] for item in pods} == {"s1"}


def test_an_eviction_respects_a_budget(cluster: Cluster, run: Work) -> None:
    cluster.make(f"{APPS}/deployments", workload("web", replicas=1))
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    cluster.make(path, {"metadata": {"name": "web"}, "spec": budget})
    run()
    name = cluster.names(f"{SPACE}/pods", labelSelector="app=web")[0]
    reply = cluster.ask("POST", f"{SPACE}/pods/{name}/eviction", {"metadata": {"name": name}})
    text = "Cannot evict pod as it would violate the pod's disruption budget."
    assert (reply.code, reply.body["message"]) == (429, text)
    cluster.ask("DELETE", f"{path}/web")
    assert cluster.ask("POST", f"{SPACE}/pods/{name}/eviction", {}).code == 201


def test_a_deleted_pod_stays_until_its_node_has_stopped_it(
    cluster: Cluster, kubelets: list[Kubelet], run: Work
) -> None:
    cluster.make(f"{SPACE}/pods", pod("one", nodeName="a1"))
    run()
    cluster.ask("DELETE", f"{SPACE}/pods/one")
    assert "deletionTimestamp" in cluster.get(f"{SPACE}/pods/one")["metadata"]
    kubelets[1].beat()
    kubelets[1].beat()
    assert cluster.ask("GET", f"{SPACE}/pods/one").code == 404


def test_a_silent_node_is_not_ready(cluster: Cluster, kubelets: list[Kubelet], run: Work) -> None:
    cluster.make(f"{APPS}/deployments", workload("web", replicas=2))
    run()
    cluster.server.heartbeats.seen["a1"] -= 41
    cluster.settle(1)
    node = cluster.get("/api/v1/nodes/a1")
    row = node["status"]["conditions"][0]
    assert (row["status"], row["reason"]) == ("Unknown", "NodeStatusUnknown")
    assert {t["key"] for t in node["spec"]["taints"]} == {"node.kubernetes.io/unreachable"}
    kubelets[1].beat()
    cluster.settle(1)
    assert "taints" not in cluster.get("/api/v1/nodes/a1")["spec"]


def test_another_password_for_a_nodes_name_is_refused(
    cluster: Cluster, kubelets: list[Kubelet]
) -> None:
    reply = kubelets[1].register("second")
    text = "unable to verify hash for node 'a1': hash does not match"
    assert (reply.code, reply.body["message"]) == (403, text)
    cluster.ask("DELETE", "/api/v1/nodes/a1")
    assert kubelets[1].register("second").code == 200


def test_no_password_is_kept_in_clear(cluster: Cluster, kubelets: list[Kubelet]) -> None:
    path = "/api/v1/namespaces/kube-system/secrets/a1.node-password.k3s"
    kept = base64.b64decode(cluster.get(path)["data"]["hash"]).decode()
    assert (kept[:3], "first" in kept) == ("$1:", False)
    assert len(kubelets) == 2


def test_a_deleted_node_takes_its_pods_along(
    cluster: Cluster, kubelets: list[Kubelet], run: Work
) -> None:
    cluster.make(f"{SPACE}/pods", pod("one", nodeName="a1"))
    run()
    cluster.ask("DELETE", "/api/v1/nodes/a1")
    cluster.settle(2)
    assert cluster.ask("GET", f"{SPACE}/pods/one").code == 404
    assert kubelets[1].beat().code == 404


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(archive("one/Chart.yaml"), "Complete", id="whole"),
        pytest.param(archive("one/values.yaml"), "Failed", id="without-chart"),
        pytest.param(b"nonsense", "Failed", id="no-archive"),
    ],
)
def test_a_charts_job_ends_as_the_chart_is(
    cluster: Cluster, run: Work, content: bytes, expected: str
) -> None:
    manifests(cluster).walk()
    cluster.make("/apis/helm.cattle.io/v1/namespaces/kube-system/helmcharts", chart(content))
    run()
    path = "/apis/batch/v1/namespaces/kube-system/jobs/helm-install-one"
    rows = cluster.get(path)["status"]["conditions"]
    assert [row["type"] for row in rows] == [expected]


def manifests(cluster: Cluster) -> Manifests:
    return cluster.server.controllers._manifests


def write(cluster: Cluster, name: str, text: str) -> None:
    path = cluster.server.settings.manifests_dir / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    # As if a second had gone by, for file systems that count no finer.
    manifests(cluster).done.pop(path, None)
    manifests(cluster).walk()


CONFIG_MAPS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: one}
data: {a: "1", b: "2"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: two}
"""


def test_a_file_becomes_objects_and_an_addon(cluster: Cluster) -> None:
    write(cluster, "rackforge/mine.yaml", CONFIG_MAPS)
    assert cluster.names(f"{SPACE}/configmaps") == ["one", "two"]
    addon = cluster.get("/apis/k3s.cattle.io/v1/namespaces/kube-system/addons/mine")
    assert addon["spec"]["source"].endswith("manifests/rackforge/mine.yaml")


def test_what_a_file_has_no_more_is_deleted(cluster: Cluster) -> None:
    write(cluster, "mine.yaml", CONFIG_MAPS)
    write(cluster, "mine.yaml", CONFIG_MAPS.split("---")[0].replace(', b: "2"', ""))
    assert cluster.names(f"{SPACE}/configmaps") == ["one"]
    assert cluster.get(f"{SPACE}/configmaps/one")["data"] == {"a": "1"}


def test_the_objects_of_a_deleted_file_stay(cluster: Cluster) -> None:
    write(cluster, "mine.yaml", CONFIG_MAPS)
    (cluster.server.settings.manifests_dir / "mine.yaml").unlink()
    manifests(cluster).walk()
    assert cluster.names(f"{SPACE}/configmaps") == ["one", "two"]


def test_a_skipped_file_is_left_alone(cluster: Cluster) -> None:
    (cluster.server.settings.manifests_dir / "mine.yaml.skip").touch()
    write(cluster, "mine.yaml", CONFIG_MAPS)
    assert cluster.names(f"{SPACE}/configmaps") == []


def test_a_broken_file_leaves_an_event(cluster: Cluster) -> None:
    write(cluster, "mine.yaml", "kind: [")
    events = cluster.get("/api/v1/namespaces/kube-system/events")["items"]
    assert [event["reason"] for event in events] == ["ParseManifestFailed"]


def test_a_kind_that_comes_later_is_tried_again(cluster: Cluster) -> None:
    write(cluster, "mine.yaml", "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\n")
    spec = {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing"},
        "versions": [{"name": "v1", "served": True}],
    }
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    cluster.make(crds, {"metadata": {"name": "things.example.com"}, "spec": spec})
    assert manifests(cluster).walk()
    assert cluster.names("/apis/example.com/v1/namespaces/default/things") == ["a"]


def test_packaged_components_are_applied_but_disabled_ones(cluster: Cluster) -> None:
    manifests(cluster).stage()
    assert manifests(cluster).walk()
    classes = cluster.names("/apis/node.k8s.io/v1/runtimeclasses")
    assert "nvidia" in classes
    names = cluster.names("/apis/k3s.cattle.io/v1/namespaces/kube-system/addons")
    assert "coredns" in names
    assert "traefik" not in names
    dns = cluster.get("/api/v1/namespaces/kube-system/services/kube-dns")
    assert dns["spec"]["clusterIP"] == "10.43.0.10"


def test_a_deleted_namespace_goes_with_its_contents(cluster: Cluster, run: Work) -> None:
    cluster.make("/api/v1/namespaces", {"metadata": {"name": "demo"}})
    cluster.make("/api/v1/namespaces/demo/configmaps", {"metadata": {"name": "one"}})
    cluster.ask("DELETE", "/api/v1/namespaces/demo")
    reply = cluster.ask("POST", "/api/v1/namespaces/demo/configmaps", {"metadata": {"name": "b"}})
    assert reply.code == 403
    space = cluster.server.store.get(cluster_key("demo"))
    assert space is not None
    space["metadata"]["deletionTimestamp"] = "2020-01-01T00:00:00Z"
    run()
    assert cluster.ask("GET", "/api/v1/namespaces/demo").code == 404


def cluster_key(name: str) -> Any:
    from tests.lab.k3s.standin.store import Key

    return Key("", "namespaces", "", name)


@pytest.mark.parametrize(
    ("user", "code"),
    [
        pytest.param("server", 200, id="servers"),
        pytest.param("node", 403, id="agents-not"),
        pytest.param("", 401, id="strangers-not"),
    ],
)
def test_only_servers_replace_the_token(cluster: Cluster, user: str, code: int) -> None:
    folder = cluster.server.settings.server_dir
    files.write(folder / "tls/server-ca.crt", "a certificate")
    files.write_tokens(folder, "old-password", "password-of-agents")
    reply = cluster.ask("PUT", "/v1-k3s/token", {"newToken": "new-password"}, user)
    assert reply.code == code
    kept = [tokens.parse((folder / name).read_text().strip()).password for name in TOKENS]
    assert kept == ["new-password" if code == 200 else "old-password", "password-of-agents"]


def test_agents_without_a_token_of_their_own_get_the_new_one(cluster: Cluster) -> None:
    folder = cluster.server.settings.server_dir
    files.write(folder / "tls/server-ca.crt", "a certificate")
    files.write_tokens(folder, "old-password", "old-password")
    cluster.ask("PUT", "/v1-k3s/token", {"newToken": "new-password"}, "server")
    kept = [tokens.parse((folder / name).read_text().strip()).password for name in TOKENS]
    assert kept == ["new-password", "new-password"]
    assert (folder / "db/.passphrase").read_text() == files.passphrase("new-password")


@pytest.mark.parametrize(
    ("method", "path", "name", "password", "code"),
    [
        pytest.param("POST", "heartbeat", "a1", "first", 200, id="goes-on"),
        pytest.param("POST", "heartbeat", "a1", "another", 401, id="another-password"),
        pytest.param("POST", "heartbeat", "a2", "first", 401, id="never-joined"),
        pytest.param("GET", "config", "a1", "first", 401, id="starts-again"),
    ],
)
def test_a_node_that_has_joined_needs_no_token_until_it_starts_again(
    cluster: Cluster, method: str, path: str, name: str, password: str, code: int
) -> None:
    assert Kubelet(cluster, "a1").register().code == 200
    reply = cluster.ask(
        method,
        f"/v1-k3s/{path}",
        {"name": name},
        "bad",
        h_k3s_node_name=name,
        h_k3s_node_password=password,
    )
    assert reply.code == code
