"""Claims about the docker_engine_info module."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import docker_engine_info
from ansible_collections.rackforge.gpu_cluster.plugins.modules.docker_engine_info import main

from tests.unit.plugins.modules.conftest import Node

SILENT = (1, "", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_engine_info, "POLL_SECONDS", 0.0)


def test_an_engine_that_starts_slowly_is_waited_for(node: Node) -> None:
    node.answers("docker version", SILENT, SILENT, (0, "28.2.2\n", ""))
    node.answers("docker ps", (0, "ray\tUp 2 hours\nmine\tExited (0) 3 days ago\n", ""))
    node.answers("docker info", (0, "true\n", ""))
    node.answers("docker volume", (0, f"{'0f' * 32}\ndata\n", ""))
    assert node.run(main) == {
        "changed": False,
        "version": "28.2.2",
        "containers": ["ray", "mine"],
        "running": ["ray"],
        "live_restore": True,
        "survives_restart": False,
        "volumes": ["data"],
        "invocation": {"module_args": {"timeout": 60, "required": True}},
    }


def test_a_silent_engine_is_explained(node: Node) -> None:
    node.answers("docker version", SILENT)
    assert node.run(main, timeout=0)["msg"] == (
        "Docker Engine did not answer within 0 s: 'docker version --format {{.Server.Version}}'"
        " exited 1: Cannot connect to the Docker daemon at unix:///var/run/docker.sock.; see"
        " 'journalctl --unit docker.service' on this node"
    )


def test_no_docker_is_an_error_only_where_it_is_required(node: Node) -> None:
    result = node.run(main, required=False)
    assert (result["version"], result["containers"], result["volumes"]) == (None, [], [])
    assert node.run(main)["msg"].startswith("This node has no docker command.")


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        pytest.param("true", {"live-restore": True}, True, id="on-and-stays-on"),
        pytest.param("false", {"live-restore": True}, False, id="off-now"),
        pytest.param("true", {}, False, id="goes-off"),
    ],
)
def test_containers_survive_where_live_restore_stays_on(
    node: Node,
    monkeypatch: pytest.MonkeyPatch,
    now: str,
    before: dict[str, bool],
    expected: bool,
) -> None:
    monkeypatch.setattr(docker_engine_info, "old_settings", lambda: before)
    node.answers("docker version", (0, "28.2.2\n", ""))
    node.answers("docker ps", (0, "", ""))
    node.answers("docker volume", (0, "", ""))
    node.answers("docker info", (0, f"{now}\n", ""))
    assert node.run(main)["survives_restart"] is expected
