"""Claims about a few settings of an engine that is there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_gpu import (
    engine_problem,
    needed_settings,
)
from ansible_collections.rackforge.gpu_cluster.plugins.modules import docker_settings
from ansible_collections.rackforge.gpu_cluster.plugins.modules.docker_settings import main

from tests.unit.plugins.modules.conftest import Answer, Node

OK: Answer = (0, "", "")
LATER = 10**18
CDI = {"features": {"cdi": True}}
RUNTIME = {"runtimes": {"nvidia": {"path": "nvidia-container-runtime", "args": []}}}


def shown(since_boot: int = LATER, active: str = "active") -> Answer:
    """Return systemd's answer about docker.service, started so many microseconds after boot."""
    return (
        0,
        f"ActiveState={active}\nUnitFileState=enabled\nLoadState=loaded\nNeedDaemonReload=no\n"
        f"InactiveExitTimestampMonotonic={since_boot}\nStateChangeTimestampMonotonic={since_boot}\n"
        "MainPID=0\nExecStart={ path=/usr/bin/dockerd ; argv[]=/usr/bin/dockerd -H fd:// ; }\n",
        "",
    )


def told(version: str = "26.1.5", live_restore: bool = True) -> Answer:
    """Return what ``docker info`` tells."""
    return (0, json.dumps({"ServerVersion": version, "LiveRestoreEnabled": live_restore}), "")


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The engine's file, which does not exist yet."""
    path = tmp_path / "docker" / "daemon.json"
    path.parent.mkdir()
    monkeypatch.setattr(docker_settings, "DAEMON_FILE", str(path))
    return path


@pytest.fixture
def engine(node: Node) -> Node:
    """A node with an engine that runs, without containers."""
    node.answers("systemctl", OK)
    node.answers("systemctl show", shown())
    node.answers("docker info", told())
    node.answers("docker ps", OK)
    node.answers("docker network ls", OK)
    node.answers("ip -j route", (0, "[]", ""))
    node.answers("dockerd --help", (0, "--validate\n", ""))
    node.answers("dockerd --validate", OK)
    node.answers("journalctl", (0, "level=fatal no\n", ""))
    return node


def moves(node: Node) -> list[str]:
    """Return what was done to units."""
    return [c for c in node.calls if c.startswith("systemctl") and "show" not in c]


def test_a_runtime_is_told_by_a_reload_and_nothing_else_is_written(
    engine: Node, daemon: Path
) -> None:
    daemon.write_text('{"labels": ["owner=me"], "debug": false}\n')
    result = engine.run(main, settings=RUNTIME)
    assert result["done"] == [
        "write /etc/docker/daemon.json".replace("/etc/docker/daemon.json", str(daemon)),
        "reload docker.service",
    ]
    assert json.loads(daemon.read_text()) == {
        "labels": ["owner=me"],
        "debug": False,
        **RUNTIME,
    }
    assert moves(engine) == ["systemctl reload docker.service"]


def test_cdi_takes_a_restart(engine: Node, daemon: Path) -> None:
    result = engine.run(main, settings=CDI)
    assert (result["version"], json.loads(daemon.read_text())) == ("26.1.5", CDI)
    assert moves(engine) == ["systemctl restart docker.service"]


def test_an_engine_that_has_the_settings_is_left_alone(engine: Node, daemon: Path) -> None:
    daemon.write_text(json.dumps({**CDI, "debug": True}))
    os.utime(daemon, (1, 1))
    result = engine.run(main, settings=CDI)
    assert (result["changed"], moves(engine)) == (False, [])


def test_a_file_that_the_engine_has_not_read_makes_up_for_a_killed_run(
    engine: Node, daemon: Path
) -> None:
    daemon.write_text(json.dumps(CDI))
    engine.answers("systemctl show", shown(since_boot=1))
    assert engine.run(main, settings=CDI)["done"] == ["restart docker.service"]


def test_running_containers_are_not_stopped_without_consent(engine: Node, daemon: Path) -> None:
    engine.answers("docker info", told(live_restore=False))
    engine.answers("docker ps", (0, "train\n", ""))
    result = engine.run(main, settings=CDI)
    assert "would stop its running containers: train. Nothing was changed" in result["msg"]
    assert not daemon.exists()
    agreed = engine.run(main, settings=CDI, restart_running=True)
    assert agreed["changed"] is True


def test_live_restore_keeps_containers_through_the_restart(engine: Node, daemon: Path) -> None:
    engine.answers("docker ps", (0, "train\n", ""))
    daemon.write_text('{"live-restore": true}')
    assert engine.run(main, settings=CDI)["changed"] is True


def test_an_engine_that_does_not_come_up_gets_its_old_file_back(engine: Node, daemon: Path) -> None:
    daemon.write_text('{"debug": true}\n')
    engine.answers("systemctl restart", (1, "", "Job failed\n"))
    result = engine.run(main, settings=CDI)
    assert "Docker Engine did not come up as asked" in result["msg"]
    assert "level=fatal no" in result["msg"]
    assert daemon.read_text() == '{"debug": true}\n'


def test_a_broken_file_is_told_before_the_first_change(engine: Node, daemon: Path) -> None:
    daemon.write_text("{ // mine\n}")
    result = engine.run(main, settings=CDI)
    assert "expected JSON" in result["msg"]
    assert "Nothing was changed" in result["msg"]


def test_check_mode_predicts_on_a_node_without_an_engine(node: Node, daemon: Path) -> None:
    node.answers("systemctl show", (0, "ActiveState=inactive\nLoadState=not-found\n", ""))
    node.answers("ip -j route", (0, "[]", ""))
    refused = node.run(main, check=True, settings=CDI)
    assert "saw no engine that runs, expected one that answers" in refused["msg"]
    result = node.run(main, check=True, settings=CDI, engine_may_come=True)
    assert result["done"][0].startswith("write ")
    assert not daemon.exists()


@pytest.mark.parametrize(
    ("version", "settings", "words"),
    [
        pytest.param("20.10.24", CDI, "set nvidia_container_mode=legacy", id="too-old-for-cdi"),
        pytest.param("24.0.9", CDI, "expected 25.0 or newer", id="just-too-old"),
        pytest.param("25.0.0", CDI, "", id="first-with-cdi"),
        pytest.param("20.10.24", RUNTIME, "", id="a-runtime-needs-nothing"),
        pytest.param("garbage", CDI, "Docker Engine is garbage", id="garbage"),
    ],
)
def test_an_engine_without_cdi_is_refused_with_the_way_out(
    version: str, settings: dict[str, Any], words: str
) -> None:
    said = engine_problem(settings, {"ServerVersion": version}, active=True)
    assert words in said
    assert bool(said) is bool(words)


@pytest.mark.parametrize(
    ("version", "present", "expected"),
    [
        pytest.param("26.1.5", {}, CDI, id="off-by-itself"),
        pytest.param("28.2.2", {}, {}, id="on-by-itself"),
        pytest.param("28.2.2", {"features": {"cdi": False}}, CDI, id="switched-off-by-the-owner"),
    ],
)
def test_nothing_is_written_that_the_release_does_by_itself(
    version: str, present: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert needed_settings(CDI, present, version) == expected
