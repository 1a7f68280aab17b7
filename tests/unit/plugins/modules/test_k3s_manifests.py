"""Claims about the module k3s_manifests on a server whose kubectl answers as the test says."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import k3s_manifests_server
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_manifests import checksum
from ansible_collections.rackforge.gpu_cluster.plugins.modules import k3s_manifests

from tests.unit.plugins.modules.conftest import Node

KUBECTL = (
    "timeout --kill-after=5 60 /usr/local/bin/k3s kubectl --kubeconfig=/kc --request-timeout=10s"
)
DELETE = KUBECTL.replace("5 60", "5 150") + " delete --filename=-"
GET = f"{KUBECTL} get --filename=-"
ADDONS = f"{KUBECTL} get addons.k3s.cattle.io"
WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
READY = {
    **WEB,
    "spec": {"replicas": 1},
    "status": {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
}
BEGINS = {**WEB, "spec": {"replicas": 1}, "status": {}}
CHART = {
    "apiVersion": "helm.cattle.io/v1",
    "kind": "HelmChart",
    "metadata": {"name": "hub", "namespace": "kube-system"},
}


def packed(**texts: str) -> str:
    return base64.b64encode(zlib.compress(json.dumps(texts).encode())).decode()


def listing(*items: Any) -> tuple[int, str, str]:
    return 0, json.dumps({"kind": "List", "items": list(items)}), ""


def applied(folder: Path, *names: str) -> tuple[int, str, str]:
    """Return what k3s says when it has applied these files as they stand."""
    rows = []
    for name in names:
        text = (folder / f"{name}.yaml").read_text()
        rows.append({"metadata": {"name": name}, "spec": {"checksum": checksum(text)}})
    return listing(*rows)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(k3s_manifests_server, "POLL_SECONDS", 0.0)


def run(node: Node, folder: Path, **more: Any) -> Any:
    """Have one manifest, web, that holds one Deployment."""
    arguments: dict[str, Any] = {
        "group": "w",
        "files": [{"name": "web", "objects": [WEB]}],
        "contents": packed(web="kind: Deployment\n"),
        "kubeconfig": "/kc",
        "folder": str(folder),
        "slice": 0,
    }
    return node.run(k3s_manifests.main, **{**arguments, **more})


def prepared(node: Node, folder: Path, **more: Any) -> None:
    """Write the files without waiting for anything."""
    node.answers(GET, listing())
    assert run(node, folder, wait=False, **more)["changed"] is True


def test_a_missing_file_is_written_for_root_alone(node: Node, tmp_path: Path) -> None:
    prepared(node, tmp_path / "new")
    path = tmp_path / "new" / "rackforge-w-web.yaml"
    assert path.read_text().endswith("kind: Deployment\n")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_run_asks_once_and_changes_nothing(node: Node, tmp_path: Path) -> None:
    prepared(node, tmp_path)
    node.answers(ADDONS, applied(tmp_path, "rackforge-w-web"))
    node.answers(GET, listing(READY))
    node.calls.clear()
    answer = run(node, tmp_path)
    assert (answer["changed"], answer["ready"]) == (False, True)
    assert len(node.calls) == 2


def test_an_object_that_is_not_rolled_out_is_told(node: Node, tmp_path: Path) -> None:
    prepared(node, tmp_path)
    node.answers(ADDONS, applied(tmp_path, "rackforge-w-web"))
    node.answers(GET, listing(BEGINS))
    node.answers(f"{KUBECTL} get pods", listing())
    answer = run(node, tmp_path)
    assert answer["ready"] is False
    assert answer["objects"][0]["reason"] == "0 of 1 pods are updated"


def test_it_looks_again_until_everything_is_ready(node: Node, tmp_path: Path) -> None:
    prepared(node, tmp_path)
    node.answers(ADDONS, applied(tmp_path, "rackforge-w-web"))
    node.answers(GET, listing(), listing(BEGINS), listing(READY))
    node.answers(f"{KUBECTL} get pods", listing())
    assert run(node, tmp_path, slice=60)["ready"] is True


def test_what_an_old_file_left_behind_does_not_count(node: Node, tmp_path: Path) -> None:
    prepared(node, tmp_path)
    node.answers(ADDONS, listing({"metadata": {"name": "rackforge-w-web"}, "spec": {}}))
    node.answers(f"{KUBECTL} get events", listing({"message": "Applying manifest failed: no"}))
    node.answers(GET, listing(READY))
    answer = run(node, tmp_path)
    assert [(each["name"], each["reason"]) for each in answer["objects"]] == [
        ("rackforge-w-web", "k3s has not applied it yet: Applying manifest failed: no")
    ]


def test_a_manifest_that_is_taken_out_goes_after_its_objects(node: Node, tmp_path: Path) -> None:
    prepared(node, tmp_path)
    node.answers(DELETE, (0, "", ""))
    node.answers(f"{KUBECTL} delete addons.k3s.cattle.io rackforge-w-web", (0, "", ""))
    answer = run(node, tmp_path, files=[], contents="")
    assert answer["removed"] == [str(tmp_path / "rackforge-w-web.yaml")]
    assert list(tmp_path.iterdir()) == []


def test_a_file_stays_when_its_objects_cannot_be_deleted(node: Node, tmp_path: Path) -> None:
    prepared(node, tmp_path)
    node.answers(DELETE, (1, "", "Error from server (Forbidden): no\n"))
    answer = run(node, tmp_path, files=[], contents="")
    assert answer["msg"] == "Could not deploy the manifests: no"
    assert (tmp_path / "rackforge-w-web.yaml").exists()


def test_files_of_others_are_never_touched(node: Node, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("kind: Mine\n")
    assert run(node, tmp_path, files=[], contents="")["changed"] is False
    assert (tmp_path / "mine.yaml").read_text() == "kind: Mine\n"


def test_check_mode_asks_and_writes_nothing(node: Node, tmp_path: Path) -> None:
    answer = run(node, tmp_path / "new", check=True)
    assert (answer["changed"], answer["ready"]) == (True, None)
    assert not (tmp_path / "new").exists()
    assert node.calls == []


def test_the_texts_stand_in_no_result(node: Node, tmp_path: Path) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pw"}}
    contents = packed(web="password: hunter2\n")
    files = [{"name": "web", "objects": [secret]}]
    answer = run(node, tmp_path, check=True, files=files, contents=contents)
    assert "hunter2" not in json.dumps(answer)
    assert contents not in json.dumps(answer)


def chart(generation: int, **status: Any) -> dict[str, Any]:
    return {
        **CHART,
        "metadata": {**CHART["metadata"], "generation": generation},  # type: ignore[dict-item]
        "spec": {"targetNamespace": "hub"},
        "status": {"jobName": "helm-install-hub", **status},
    }


def job(uid: str, *conditions: dict[str, str]) -> tuple[int, str, str]:
    item = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "helm-install-hub", "namespace": "kube-system", "uid": uid},
        "status": {"conditions": list(conditions)},
    }
    return 0, json.dumps(item), ""


DONE = {"type": "Complete", "status": "True"}
RELEASE = {
    **BEGINS,
    "metadata": {
        "name": "proxy",
        "namespace": "hub",
        "annotations": {"meta.helm.sh/release-name": "hub"},
    },
}


@pytest.mark.parametrize(
    ("found", "uid", "release", "reason"),
    [
        pytest.param(chart(2), "old", [], "its change has not been noticed yet", id="old-job"),
        pytest.param(chart(2), "new", [], "", id="new-job"),
        pytest.param(chart(1), "old", [], "", id="nothing-changed"),
        pytest.param(
            chart(2),
            "new",
            [RELEASE],
            "Deployment proxy: 0 of 1 pods are updated",
            id="release-begins",
        ),
        pytest.param(
            chart(2, conditions=[{"type": "Failed", "status": "True", "message": "bad chart"}]),
            "new",
            [],
            "the chart failed: bad chart",
            id="failed",
        ),
        pytest.param(
            {**chart(2), "status": {}}, "new", [], "its job does not exist yet", id="no-job"
        ),
    ],
)
def test_a_chart_is_ready_when_its_job_and_its_release_are(
    node: Node,
    tmp_path: Path,
    found: dict[str, Any],
    uid: str,
    release: list[dict[str, Any]],
    reason: str,
) -> None:
    files = [{"name": "web", "objects": [CHART]}]
    prepared(node, tmp_path, files=files)
    node.answers(ADDONS, applied(tmp_path, "rackforge-w-web"))
    node.answers(GET, listing(found))
    node.answers(f"{KUBECTL} get jobs.batch helm-install-hub", job(uid, DONE))
    node.answers(f"{KUBECTL} get deployments.apps,", listing(*release))
    node.answers(f"{KUBECTL} get pods", listing())
    answer = run(node, tmp_path, files=files, before={"kube-system/hub": [1, "old"]})
    assert answer["objects"][0]["reason"] == reason


def test_the_jobs_of_charts_are_noted_before_a_change(node: Node, tmp_path: Path) -> None:
    node.answers(GET, listing(chart(4)))
    node.answers(f"{KUBECTL} get jobs.batch helm-install-hub", job("old", DONE))
    answer = run(node, tmp_path, files=[{"name": "web", "objects": [CHART]}], wait=False)
    assert answer["before"] == {"kube-system/hub": [4, "old"]}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param((1, "", "error: the API is away\n"), "the API is away", id="error"),
        pytest.param((0, "not json", ""), "saw no JSON: 'not json'", id="garbage"),
        pytest.param((124, "", ""), "kubectl gave no answer within 60 s", id="hanging"),
        pytest.param((127, "", ""), "/usr/local/bin/k3s cannot be run", id="no-k3s"),
    ],
)
def test_a_kubectl_that_fails_is_told_in_one_line(
    node: Node, tmp_path: Path, answer: tuple[int, str, str], words: str
) -> None:
    prepared(node, tmp_path)
    node.answers(ADDONS, applied(tmp_path, "rackforge-w-web"))
    node.answers(GET, answer)
    result = run(node, tmp_path)
    assert result["failed"] is True
    assert words in result["msg"]


def test_a_kind_that_is_not_known_yet_only_does_not_exist(node: Node, tmp_path: Path) -> None:
    prepared(node, tmp_path)
    node.answers(ADDONS, applied(tmp_path, "rackforge-w-web"))
    node.answers(GET, (1, "", 'error: no matches for kind "X" in version "y/v1"\n'))
    assert run(node, tmp_path)["objects"][0]["reason"] == "it does not exist yet"


def test_only_the_first_manifests_are_written_and_waited_for(node: Node, tmp_path: Path) -> None:
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    files = [{"name": "web", "objects": [WEB]}, {"name": "late", "objects": [other]}]
    node.answers(GET, listing())
    answer = run(
        node,
        tmp_path,
        files=files,
        contents=packed(web="a: 1\n", late="b: 2\n"),
        count=1,
        wait=False,
    )
    assert answer["written"] == [str(tmp_path / "rackforge-w-web.yaml")]


def test_arguments_that_were_damaged_on_the_way_make_no_traceback(
    node: Node, tmp_path: Path
) -> None:
    result = run(node, tmp_path, contents="AAAA")
    assert result["msg"].startswith("Could not read the manifests that were handed in: ")
