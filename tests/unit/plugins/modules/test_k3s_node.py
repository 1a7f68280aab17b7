"""Claims about k3s_node, with recorded answers in place of kubectl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import k3s_node
from ansible_collections.rackforge.gpu_cluster.plugins.modules.k3s_node import main

from tests.unit.plugins.module_utils.k3s_objects import api_node, api_pod
from tests.unit.plugins.modules.conftest import Answer, Node

OK: Answer = (0, "", "")
NOT_FOUND: Answer = (1, "", 'Error from server (NotFound): nodes "n2" not found\n')
CONFLICT: Answer = (1, "", "Error from server (Conflict): the object has been modified\n")
SECRET = "secret/n2.node-password.k3s\n"


def listed(*items: dict[str, Any]) -> Answer:
    """Return the answer that has these objects."""
    return (0, json.dumps({"items": items}), "")


class Server:
    """A server whose kubectl answers as the test says."""

    def __init__(self, node: Node, folder: Path) -> None:
        self.node = node
        self.kubeconfig = folder / "k3s.yaml"
        self.kubeconfig.write_text("secret")
        self.way = (
            f"/usr/local/bin/k3s kubectl --kubeconfig={self.kubeconfig} --request-timeout=10s"
        )

    def says(self, words: str, *answers: Answer, seconds: int = 60) -> None:
        """Say how kubectl ends when it is asked this."""
        self.node.answers(f"timeout --kill-after=5 {seconds} {self.way} {words}", *answers)

    def run(self, *, check: bool = False, **arguments: Any) -> Any:
        """Return what the module answers."""
        return self.node.run(main, check=check, kubeconfig=str(self.kubeconfig), **arguments)

    def asked(self) -> list[str]:
        """Return what kubectl was asked to change."""
        words = [call.split(f"{self.way} ")[1] for call in self.node.calls]
        return [each for each in words if not each.startswith("get ")]


@pytest.fixture
def server(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(k3s_node, "POLL_SECONDS", 0.0)
    return Server(node, tmp_path)


def test_all_nodes_get_their_labels_in_one_call(server: Server) -> None:
    server.says("get nodes", listed(api_node("n1"), api_node("n2", labels={"x": "y"})))
    server.says("patch node n1", OK)
    nodes = [{"name": "n1", "labels": {"x": "y"}}, {"name": "n2", "labels": {"x": "y"}}]
    result = server.run(nodes=nodes)
    assert (result["changed"], result["nodes"]) == (True, ["n1"])
    assert result["diff"] == {
        "before": {"n1": {"labels": {}}},
        "after": {"n1": {"labels": {"x": "y"}}},
    }
    (patch,) = server.asked()
    assert patch.startswith("patch node n1 --type=merge --patch=")
    assert json.loads(patch.split("--patch=")[1]) == {
        "metadata": {
            "labels": {"x": "y"},
            "annotations": {"rackforge.io/labels": '{"x": "y"}'},
            "resourceVersion": "77",
        }
    }


def test_labels_of_the_other_nodes_are_told(server: Server) -> None:
    """A run on a part of the nodes must not forget what the others have."""
    others = [
        api_node("n2", labels={"rackforge.io/gpu-amd": "true"}),
        api_node("n3", labels={"rackforge.io/gpu-amd": "true", "x": "y"}),
    ]
    server.says("get nodes", listed(api_node("n1", labels={"mine": "1"}), *others))
    seen = set(server.run(nodes=[{"name": "n1"}])["other_labels"])
    assert {"rackforge.io/gpu-amd", "x"} <= seen
    assert "mine" not in seen


def test_nothing_is_asked_for_where_nothing_differs(server: Server) -> None:
    server.says("get nodes", listed(api_node("n1")))
    result = server.run(nodes=[{"name": "n1", "labels": {}, "taints": []}])
    assert (result["changed"], server.asked()) == (False, [])


def test_a_node_that_somebody_else_changed_meanwhile_is_planned_anew(server: Server) -> None:
    theirs = {"key": "owner", "effect": "NoSchedule"}
    server.says("get nodes", listed(api_node("n1")))
    server.says("get node n1", (0, json.dumps(api_node("n1", taints=[theirs])), ""))
    server.says("patch node n1", CONFLICT, OK)
    server.run(nodes=[{"name": "n1", "taints": ["k:NoSchedule"]}])
    patch = json.loads(server.asked()[-1].split("--patch=")[1])
    assert patch["spec"]["taints"] == [theirs, {"key": "k", "effect": "NoSchedule"}]


def test_a_conflict_that_does_not_end_is_told(server: Server) -> None:
    server.says("get nodes", listed(api_node("n1")))
    server.says("get node n1", (0, json.dumps(api_node("n1")), ""))
    server.says("patch node n1", CONFLICT)
    result = server.run(nodes=[{"name": "n1", "labels": {"x": "y"}}])
    assert (result["failed"], result["msg"]) == (True, "the object has been modified")
    assert len(server.asked()) == 5


def test_a_node_that_is_not_in_the_cluster_is_named(server: Server) -> None:
    server.says("get nodes", listed(api_node("n1")))
    result = server.run(nodes=[{"name": "n9", "labels": {}}], timeout=0)
    assert result["msg"] == (
        "the cluster has no node n9, it has n1; run provision.yml for these hosts first"
    )


def test_a_node_that_has_just_been_started_is_waited_for(server: Server) -> None:
    server.says("get nodes", listed(api_node("n1")), listed(api_node("n1"), api_node("n2")))
    assert server.run(nodes=[{"name": "n2"}], timeout=60)["changed"] is False


def test_check_mode_says_what_would_be_labelled_and_patches_nothing(server: Server) -> None:
    server.says("get nodes", listed(api_node("n1")))
    nodes = [{"name": "n1", "labels": {"x": "y"}}, {"name": "n9", "labels": {}}]
    result = server.run(check=True, nodes=nodes)
    assert (result["changed"], result["nodes"], server.asked()) == (True, ["n1", "n9"], [])


def test_check_mode_on_a_fresh_server_asks_nobody(server: Server) -> None:
    server.kubeconfig.unlink()
    result = server.run(check=True, nodes=[{"name": "n1", "labels": {}}])
    assert (result["changed"], server.node.calls) == (True, [])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param((124, "", ""), "kubectl gave no answer within 60 s", id="hangs"),
        pytest.param((1, "", "Error from server (Forbidden): no\n"), "no", id="forbidden"),
        pytest.param((0, "{", ""), "kubectl get: saw no JSON object: '{'", id="half-an-answer"),
    ],
)
def test_an_api_that_fails_is_told_in_one_line(
    server: Server, answer: Answer, message: str
) -> None:
    server.says("get nodes", answer)
    result = server.run(nodes=[{"name": "n1"}])
    assert (result["failed"], result["msg"]) == (True, message)


def test_a_node_is_emptied(server: Server) -> None:
    server.says("get nodes", listed(api_node("n2")))
    server.says("get pods", listed(api_pod("web")))
    server.says("patch node n2", OK)
    server.says("drain n2", OK, seconds=50)
    result = server.run(name="n2", state="drained", timeout=20)
    assert (result["changed"], result["upgrade_needed"]) == (True, True)
    assert server.asked() == [
        'patch node n2 --type=merge --patch={"metadata": {"annotations": '
        '{"rackforge.io/cordoned": "true"}}, "spec": {"unschedulable": true}}',
        "drain n2 --ignore-daemonsets --delete-emptydir-data --timeout=20s",
    ]


NOTE = "rackforge.io/cordoned"


def closed_node(note: str | None) -> dict[str, Any]:
    """Return a node that takes no pods, with the note that says who closed it."""
    return api_node("n2", unschedulable=True, annotations={NOTE: note} if note else {})


@pytest.mark.parametrize(
    ("item", "kept_by", "notes"),
    [
        pytest.param(api_node("n2"), "owner", ["drained"], id="in-service"),
        pytest.param(closed_node("true"), "owner", ["drained"], id="left-by-a-run"),
        pytest.param(closed_node("upgrade"), "owner", ["drained"], id="left-by-an-upgrade"),
        pytest.param(closed_node("drained"), "owner", [], id="drained"),
        pytest.param(closed_node(None), "owner", [], id="closed-by-its-owner"),
        pytest.param(api_node("n2"), "upgrade", ["upgrade"], id="upgrade-of-one-in-service"),
        pytest.param(closed_node("true"), "upgrade", ["upgrade"], id="upgrade-after-a-run"),
        pytest.param(closed_node("upgrade"), "upgrade", [], id="upgrade-goes-on"),
        pytest.param(closed_node("drained"), "upgrade", [], id="upgrade-of-a-drained-one"),
    ],
)
def test_a_drain_notes_once_for_whom_it_is(
    server: Server, item: dict[str, Any], kept_by: str, notes: list[str]
) -> None:
    server.says("get nodes", listed(item))
    server.says("get pods", listed())
    server.says("patch node n2", OK)
    server.says("drain n2", OK, seconds=330)
    result = server.run(name="n2", state="drained", kept_by=kept_by)
    patches = [each.partition("--patch=")[2] for each in server.asked() if "--patch=" in each]
    assert [json.loads(each)["metadata"]["annotations"][NOTE] for each in patches] == notes
    assert result["changed"] is bool(notes)


@pytest.mark.parametrize(
    ("note", "kept_by", "opens"),
    [
        pytest.param("drained", "owner", True, id="owner-undoes-a-drain"),
        pytest.param("upgrade", "owner", True, id="owner-undoes-an-upgrades"),
        pytest.param("true", "owner", True, id="owner-undoes-a-runs"),
        pytest.param("drained", "upgrade", False, id="upgrade-leaves-the-owners"),
        pytest.param("upgrade", "upgrade", True, id="upgrade-undoes-its-own"),
        pytest.param("upgrade", "run", False, id="run-leaves-an-upgrades"),
    ],
)
def test_only_who_is_as_strong_lets_pods_come_again(
    server: Server, note: str, kept_by: str, opens: bool
) -> None:
    server.says("get nodes", listed(closed_node(note)))
    server.says("patch node n2", OK)
    assert server.run(name="n2", state="undrained", kept_by=kept_by)["changed"] is opens
    patches = [each.partition("--patch=")[2] for each in server.asked()]
    undone = {"metadata": {"annotations": {NOTE: None}}, "spec": {"unschedulable": None}}
    assert [json.loads(each) for each in patches] == ([undone] if opens else [])


@pytest.mark.parametrize("kept_by", ["upgrade", "owner"])
def test_a_server_that_etcd_cannot_do_without_is_not_drained_for_an_upgrade(
    server: Server, kept_by: str
) -> None:
    """Its machine may be booted; the owner, who drains it, may have other plans."""
    role = ["control-plane"]
    servers = [api_node("n1", roles=role), api_node("n2", roles=role)]
    server.says("get nodes", listed(*servers, api_node("n3", roles=role, ready="Unknown")))
    server.says("get pods", listed())
    server.says("patch node n2", OK)
    server.says("drain n2", OK, seconds=330)
    result = server.run(name="n2", state="drained", kept_by=kept_by)
    refused = (
        "n2 must not be restarted: of 3 servers 2 must be ready for etcd to accept changes, and "
        "without n2 only n1 would be; n3 is not ready: bring it back ('systemctl start k3s' on "
        "n3), then run the same command again"
    )
    assert (result.get("msg"), bool(server.asked())) == (
        (refused, False) if kept_by == "upgrade" else (None, True)
    )


@pytest.mark.parametrize("closed", [True, False], ids=["closed-by-its-owner", "in-service"])
def test_a_node_that_was_not_closed_here_is_left_alone(server: Server, closed: bool) -> None:
    server.says("get nodes", listed(api_node("n2", unschedulable=closed)))
    result = server.run(name="n2", state="undrained")
    assert (result["changed"], server.asked()) == (False, [])


def test_an_empty_node_that_takes_no_pods_is_left_alone(server: Server) -> None:
    server.says("get nodes", listed(api_node("n2", unschedulable=True)))
    server.says("get pods", listed(api_pod("lb", owner="DaemonSet")))
    result = server.run(name="n2", state="drained")
    assert (result["changed"], server.asked()) == (False, [])


def test_the_owners_cordon_is_not_noted_as_ours(server: Server) -> None:
    server.says("get nodes", listed(api_node("n2", unschedulable=True)))
    server.says("get pods", listed(api_pod("web")))
    server.says("drain n2", OK, seconds=330)
    server.run(name="n2", state="drained", force=True)
    assert server.asked() == [
        "drain n2 --ignore-daemonsets --delete-emptydir-data --timeout=300s --force"
    ]


@pytest.mark.parametrize(
    ("budgets", "words"),
    [
        pytest.param(
            listed(
                {"metadata": {"name": "keep", "namespace": "default"}, "spec": {"selector": {}}}
            ),
            "the PodDisruptionBudget default/keep keeps default/web",
            id="named",
        ),
        pytest.param(
            (1, "", "Error from server (Forbidden): no\n"),
            "a PodDisruptionBudget keeps default/web",
            id="not-known",
        ),
    ],
)
def test_the_budget_that_keeps_a_pod_is_named(server: Server, budgets: Answer, words: str) -> None:
    refused = (
        'error when evicting pods/"web" -n "default" (will retry after 5s): Cannot evict pod as '
        "it would violate the pod's disruption budget.\n"
    )
    server.says("get nodes", listed(api_node("n2")))
    server.says("get pods", listed(api_pod("web"), api_pod("other")))
    server.says("get poddisruptionbudgets", budgets)
    server.says("patch node n2", OK)
    server.says("drain n2", (1, "", refused), seconds=330)
    assert words in server.run(name="n2", state="drained")["msg"]


def test_a_node_that_cannot_be_emptied_takes_pods_again(server: Server) -> None:
    server.says("get nodes", listed(api_node("n2")))
    server.says("get pods", listed(api_pod("web")))
    server.says("patch node n2", OK)
    server.says("drain n2", (1, "", "error: global timeout reached\n"), seconds=330)
    result = server.run(name="n2", state="drained")
    assert result["msg"].startswith("n2 is not drained within 300 s: default/web still ran there")
    assert server.asked()[-1] == (
        'patch node n2 --type=merge --patch={"metadata": {"annotations": '
        '{"rackforge.io/cordoned": null}}, "spec": {"unschedulable": null}}'
    )


def test_a_node_that_runs_the_new_version_is_not_emptied(server: Server) -> None:
    server.says("get nodes", listed(api_node("n2")))
    result = server.run(name="n2", state="drained", new_version="v1.33.5+k3s1")
    assert (result["changed"], result["upgrade_needed"]) == (False, False)
    assert server.asked() == []


def test_a_downgrade_is_refused_before_anything_is_done(server: Server) -> None:
    server.says("get nodes", listed(api_node("n2")))
    result = server.run(name="n2", state="drained", new_version="v1.32.0+k3s1")
    assert (result["failed"], server.asked()) == (True, [])
    assert result["msg"].startswith("n2 runs k3s v1.33.5+k3s1, and v1.32.0+k3s1 is older")


@pytest.mark.parametrize("check", [True, False], ids=["check-mode", "for-real"])
def test_check_mode_takes_it_that_the_servers_went_ahead(server: Server, check: bool) -> None:
    nodes = api_node("n1", roles=("control-plane",)), api_node("n2", unschedulable=True)
    server.says("get nodes", listed(*nodes))
    server.says("get pods", listed())
    result = server.run(check=check, name="n2", state="drained", new_version="v1.34.1+k3s1")
    assert result.get("failed", False) is not check


@pytest.mark.parametrize("check", [True, False], ids=["check-mode", "for-real"])
def test_a_server_is_not_emptied_for_an_upgrade_while_another_is_down(
    server: Server, check: bool
) -> None:
    roles = ("control-plane",)
    nodes = [api_node("n1", roles=roles), api_node("n2", roles=roles)]
    server.says("get nodes", listed(*nodes, api_node("n3", roles=roles, ready="Unknown")))
    result = server.run(check=check, name="n1", state="drained", new_version="v1.33.6+k3s1")
    assert (result["failed"], server.asked()) == (True, [])
    assert result["msg"].startswith("n1 must not be restarted: of 3 servers 2 must be ready")


def test_a_node_that_is_to_be_emptied_must_be_there(server: Server) -> None:
    server.says("get nodes", listed(api_node("n1")))
    result = server.run(name="n2", state="drained")
    assert result["msg"] == "the cluster has no node n2, it has n1; run provision.yml"


def leaving(server: Server, node: dict[str, Any]) -> None:
    """Prepare the answers for a node that is taken out."""
    server.says("get nodes", listed(node))
    server.says("get secret n2.node-password.k3s", (0, SECRET, ""))
    server.says("get pods", listed(api_pod("web")))
    server.says("patch node n2", OK)
    server.says("drain n2", OK, seconds=330)
    server.says("delete", OK)
    server.says("get node n2", (0, json.dumps(node), ""), NOT_FOUND)


def test_a_node_is_emptied_and_deleted_with_its_password(server: Server) -> None:
    leaving(server, api_node("n2"))
    result = server.run(name="n2", state="absent")
    assert (result["changed"], result["running_version"]) == (True, "v1.33.5+k3s1")
    assert [each.split(" --")[0] for each in server.asked()] == [
        "patch node n2",
        "drain n2",
        "delete node n2",
        "delete secret n2.node-password.k3s",
    ]


@pytest.mark.parametrize(
    ("item", "drain"),
    [
        pytest.param(api_node("n2", ready="Unknown"), True, id="it-is-down"),
        pytest.param(api_node("n2"), False, id="nobody-wants-to-wait"),
    ],
)
def test_a_node_is_deleted_without_being_emptied(
    server: Server, item: dict[str, Any], drain: bool
) -> None:
    leaving(server, item)
    assert server.run(name="n2", state="absent", drain=drain)["changed"] is True
    assert [each.split()[0] for each in server.asked()] == ["delete", "delete"]


def test_a_password_that_was_left_behind_goes_too(server: Server) -> None:
    server.says("get nodes", listed(api_node("n1")))
    server.says("get secret n2.node-password.k3s", (0, SECRET, ""))
    server.says("delete secret n2.node-password.k3s", OK)
    result = server.run(name="n2", state="absent")
    assert (result["changed"], result["running_version"]) == (True, "")


def test_a_node_that_is_gone_with_its_password_is_left_alone(server: Server) -> None:
    server.says("get nodes", listed(api_node("n1")))
    server.says("get secret n2.node-password.k3s", OK)
    assert server.run(name="n2", state="absent")["changed"] is False
    assert server.asked() == []


def test_check_mode_deletes_nothing(server: Server) -> None:
    leaving(server, api_node("n2"))
    result = server.run(check=True, name="n2", state="absent")
    assert (result["changed"], server.asked()) == (True, [])


def test_a_node_that_does_not_go_is_told_with_what_holds_it(server: Server) -> None:
    node = api_node("n2", ready="Unknown")
    node["metadata"]["finalizers"] = ["wrangler.cattle.io/managed-etcd-controller"]
    leaving(server, node)
    server.says("get node n2", (0, json.dumps(node), ""))
    result = server.run(name="n2", state="absent", timeout=0)
    assert result["msg"] == (
        "n2 is still in the cluster 0 s after it was deleted, held by "
        "wrangler.cattle.io/managed-etcd-controller; see 'journalctl --unit k3s.service' on a "
        "server"
    )


def test_a_node_that_a_run_left_with_the_new_version_is_opened_without_a_drain(
    server: Server,
) -> None:
    """The steps of the role's upgrade on a node whose run was cut off before the last of them."""
    left = api_node("n2", unschedulable=True, annotations={NOTE: "true"})
    server.says("get nodes", listed(left))
    server.says("patch node n2", OK)
    emptied = server.run(name="n2", state="drained", new_version="v1.33.5+k3s1")
    assert (emptied["changed"], server.asked()) == (False, [])
    assert server.run(nodes=[{"name": "n2"}])["changed"] is True
    (patch,) = server.asked()
    assert json.loads(patch.split("--patch=")[1]) == {
        "metadata": {"annotations": {NOTE: None}, "resourceVersion": "77"},
        "spec": {"unschedulable": None},
    }
