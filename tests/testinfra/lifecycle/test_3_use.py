# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster in use: who is let in, what a dead Ray does, and what a running job protects."""

from __future__ import annotations

import json
import shlex
import subprocess
import urllib.error
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scripts.submit_job import JobApi
from tests.testinfra.lifecycle.support import RAY_VENV, Cluster, wait_for

SERVICES = {"ray-client": "ray://{head}:10001", "gcs": "{head}:6379"}
LONG_JOB = "python -c 'import time; time.sleep(900)'"
OWN_MODE = "RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=/etc/ray/auth_token"
NO_MODE = "RAY_AUTH_MODE=disabled"
WRONG_MODE = "RAY_AUTH_MODE=token RAY_AUTH_TOKEN=" + "0" * 64


def api(cluster: Cluster) -> JobApi:
    """Return the head's API, with the token."""
    return JobApi(f"http://{cluster.head}:8265", cluster.token.read_text())


def alive(cluster: Cluster) -> dict[str, str]:
    """Return the id of the node that is ALIVE at each address; nothing while the head is silent."""
    try:
        answer = api(cluster).call("/api/v0/nodes?detail=true")
    except (OSError, ValueError):
        return {}
    rows: list[dict[str, Any]] = answer["data"]["result"]["result"]
    return {row["node_ip"]: row["node_id"] for row in rows if row["state"] == "ALIVE"}


def code_of_refusal(call: Callable[[], object]) -> int:
    """Return the HTTP status with which a call is refused; one that is let in fails the test."""
    with pytest.raises(urllib.error.HTTPError) as refusal:
        call()
    with refusal.value as answer:
        return int(answer.code)


@contextmanager
def long_job(cluster: Cluster) -> Iterator[str]:
    """Run a job that does not end by itself, for the block."""
    head = api(cluster)
    job = head.submit(LONG_JOB)

    def has(status: str) -> bool | None:
        return head.call(f"/api/jobs/{job}")["status"] == status or None

    wait_for("the long job to run", 60, lambda: has("RUNNING"))
    try:
        yield job
    finally:
        head.call(f"/api/jobs/{job}/stop", {})
        wait_for("the long job to stop", 60, lambda: has("STOPPED"))


@pytest.fixture(scope="module")
def strangers(cluster: Cluster) -> dict[tuple[str, str], subprocess.CompletedProcess[str]]:
    """How drivers without the token fare on a node, all at once: each takes half a minute."""
    cases = [(service, mode) for service in SERVICES for mode in (NO_MODE, WRONG_MODE)]
    with ThreadPoolExecutor(len(cases)) as pool:
        return dict(zip(cases, pool.map(lambda case: connect(cluster, *case), cases), strict=True))


def connect(cluster: Cluster, service: str, mode: str) -> subprocess.CompletedProcess[str]:
    """Return how a driver on a node fares that connects to a service of the head."""
    address = SERVICES[service].format(head=cluster.head)
    program = f"import ray; ray.init('{address}'); print('let', 'in:', len(ray.nodes()))"
    script = f'cd /; {mode} timeout 150 {RAY_VENV}/bin/python -c "{program}"'
    return cluster.attempt("node2", script, timeout=180)


def grpc_status(cluster: Cluster, port: int, method: str, token: str) -> str:
    """Return what a gRPC service of the head answers to a node."""
    program = Path(__file__).with_name("grpc_probe.py").read_text()
    call = f"{RAY_VENV}/bin/python -c {shlex.quote(program)} {cluster.head}:{port} {method}"
    return cluster.run("node2", f"cd /; {call}", stdin=token)


@pytest.mark.parametrize(
    "path", ["/api/jobs/", "/api/version", "/api/v0/nodes", "/nodes?view=summary"]
)
@pytest.mark.parametrize(
    ("token", "code"),
    [pytest.param("", 401, id="no-token"), pytest.param("0" * 64, 403, id="wrong-token")],
)
def test_the_dashboard_refuses_whoever_has_no_token(
    cluster: Cluster, path: str, token: str, code: int
) -> None:
    stranger = JobApi(f"http://{cluster.head}:8265", token)
    assert code_of_refusal(lambda: stranger.call(path)) == code


def test_the_dashboard_refuses_a_job_without_the_token(cluster: Cluster) -> None:
    before = len(api(cluster).call("/api/jobs/"))
    stranger = JobApi(f"http://{cluster.head}:8265", "")
    assert code_of_refusal(lambda: stranger.submit("true")) == 401
    assert len(api(cluster).call("/api/jobs/")) == before


@pytest.mark.parametrize("service", ["ray-client", "gcs"])
def test_a_driver_with_the_token_is_let_in(cluster: Cluster, service: str) -> None:
    # The server that Ray starts for a client has half a minute; a busy machine needs longer.
    for _attempt in range(3):
        done = connect(cluster, service, OWN_MODE)
        if done.returncode == 0:
            break
    assert "let in: 3" in done.stdout, done.stderr[-2000:]


@pytest.mark.parametrize(
    "mode", [pytest.param(NO_MODE, id="no-token"), pytest.param(WRONG_MODE, id="wrong-token")]
)
@pytest.mark.parametrize(
    ("service", "said"),
    [
        pytest.param("ray-client", "ConnectionError: ray client connection timeout", id="client"),
        pytest.param("gcs", "Authentication token is missing or incorrect", id="gcs"),
    ],
)
def test_a_driver_without_the_token_is_refused(
    strangers: dict[tuple[str, str], subprocess.CompletedProcess[str]],
    mode: str,
    service: str,
    said: str,
) -> None:
    done = strangers[service, mode]
    assert done.returncode == 1
    assert "let in:" not in done.stdout
    assert said in done.stderr


@pytest.mark.parametrize(
    ("port", "method"),
    [
        pytest.param(10001, "/ray.rpc.RayletDriver/ClusterInfo", id="client"),
        pytest.param(6379, "/ray.rpc.NodeInfoGcsService/GetAllNodeInfo", id="gcs"),
    ],
)
def test_the_head_tells_strangers_that_they_are_not_authenticated(
    cluster: Cluster, port: int, method: str
) -> None:
    for token in ("", "0" * 64):
        assert grpc_status(cluster, port, method, token).startswith("UNAUTHENTICATED: ")
    own = grpc_status(cluster, port, method, cluster.token.read_text())
    assert not own.startswith(("UNAUTHENTICATED", "UNAVAILABLE", "DEADLINE_EXCEEDED")), own


def test_a_worker_whose_ray_is_killed_rejoins_without_us(cluster: Cluster) -> None:
    address = cluster.address("node2")
    old = alive(cluster)[address]
    cluster.run("node2", "pkill -KILL -x raylet")

    def again() -> str | None:
        node_id = alive(cluster).get(address)
        return node_id if node_id not in (None, old) else None

    assert wait_for(f"{address} ALIVE under a new id", 120, again) != old
    assert sorted(alive(cluster)) == [cluster.address(name) for name in cluster.names]


def test_a_killed_head_comes_back_with_its_workers(cluster: Cluster) -> None:
    cluster.run("node1", "pkill -KILL -x gcs_server")
    everybody = [cluster.address(name) for name in cluster.names]
    wait_for("the head to be gone", 60, lambda: None if len(alive(cluster)) == 3 else True)
    wait_for("all nodes ALIVE", 180, lambda: True if sorted(alive(cluster)) == everybody else None)


def test_reset_is_refused_while_a_job_runs_and_changes_nothing(cluster: Cluster) -> None:
    def units() -> list[str]:
        return [cluster.run(name, "systemctl show -p InvocationID ray") for name in cluster.names]

    running = units()
    with long_job(cluster) as job:
        refused = cluster.play("reset.yml")
        assert refused.rc == 2
        assert f"- {job} RUNNING {LONG_JOB}" in refused.prose
        assert "Nothing was changed." in refused.prose
        assert "with -e reset_force=true to lose them" in refused.prose
        assert set(refused.changed.values()) == {0}
        assert units() == running


def test_status_shows_the_cluster_in_both_forms(cluster: Cluster, scratch: Any) -> None:
    text = cluster.play("status.yml")
    assert "Cluster mol-lifecycle: Running, healthy" in text.output
    assert "Ray cluster mol-lifecycle: running, 3 of 3 nodes alive, Ray 2.60.0" in text.output
    assert f"Dashboard: http://{cluster.head}:8265" in text.output
    file = scratch / "status.json"
    written = cluster.play("status.yml", "-e", "status_format=json", "-e", f"status_file={file}")
    status = json.loads(file.read_text())
    assert json.dumps(status, indent=2, sort_keys=True) in written.output
    assert (status["state"], status["health"], written.rc) == ("Running", "healthy", 0)
    ray = status["ray"]
    assert (ray["state"], ray["ray_version"], ray["jobs"]) == ("running", "2.60.0", [])
    assert [(node["name"], node["role"], node["state"]) for node in ray["nodes"]] == [
        ("node1", "head", "alive"), ("node2", "worker", "alive"), ("node3", "worker", "alive")
    ]  # fmt: skip
