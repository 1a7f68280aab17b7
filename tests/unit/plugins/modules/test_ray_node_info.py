"""Claims about the ray_node_info module, with a folder in place of /proc."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import ray_node_info
from ansible_collections.rackforge.gpu_cluster.plugins.modules.ray_node_info import main

from tests.unit.plugins.modules.conftest import Node

ACTIVE = "LoadState=loaded\nActiveState=active\nSubState=running\nNRestarts=3\n"
EXPECT = {"address": "198.18.1.11", "version": "2.60.0"}


@pytest.fixture(autouse=True)
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with one process, which is no Ray."""
    monkeypatch.setattr(ray_node_info, "PROC", str(tmp_path / "proc"))
    run_process(tmp_path / "proc" / "1", "/usr/lib/systemd/systemd", [])
    return tmp_path / "proc"


def run_process(folder: Path, executable: str, words: list[str]) -> None:
    """Lay down a process as the kernel shows it."""
    folder.mkdir(parents=True)
    (folder / "exe").symlink_to(executable)
    (folder / "cmdline").write_bytes(b"\0".join(word.encode() for word in words) + b"\0")


def run_raylet(folder: Path, version: str, address: str) -> None:
    """Lay down a raylet with its package."""
    raylet = "/opt/ray/core/src/ray/raylet/raylet"
    run_process(folder, raylet, ["raylet", f"--node_ip_address={address}", "--x=y"])
    (folder / "root/opt/ray").mkdir(parents=True)
    (folder / "root/opt/ray/_version.py").write_text(f'version = "{version}"\n')


@pytest.mark.parametrize(
    ("shown", "state", "restarts"),
    [
        pytest.param(ACTIVE, "active", 3, id="runs"),
        pytest.param(
            "LoadState=not-found\nActiveState=inactive\nSubState=dead\nNRestarts=0\n",
            "missing",
            0,
            id="no-unit",
        ),
        pytest.param(
            "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nNRestarts=9\n",
            "restarting",
            9,
            id="tries-again-and-again",
        ),
        pytest.param("", "missing", 0, id="no-answer"),
    ],
)
def test_the_unit_is_read(node: Node, shown: str, state: str, restarts: int) -> None:
    node.answers("systemctl show ray.service", (0, shown, ""))
    result = node.run(main, name="w1")
    assert (result["unit_state"], result["restarts"]) == (state, restarts)
    assert (result["changed"], result["version"], result["address"]) == (False, None, None)


@pytest.mark.parametrize(
    ("state", "expected"), [pytest.param("active", 40.0, id="runs"), ("inactive", None)]
)
def test_it_is_told_for_how_long_the_unit_is_active(
    node: Node, monkeypatch: pytest.MonkeyPatch, state: str, expected: float | None
) -> None:
    monkeypatch.setattr(time, "clock_gettime", lambda _clock: 1000.0)
    shown = f"LoadState=loaded\nActiveState={state}\nActiveEnterTimestampMonotonic=960000000\n"
    node.answers("systemctl show ray.service", (0, shown, ""))
    assert node.run(main, name="w1")["active_seconds"] == expected


def test_a_failure_shows_the_log_without_the_token(node: Node, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    node.answers("systemctl show", (0, ACTIVE.replace("active", "failed"), ""))
    node.answers("journalctl --unit ray.service --lines 2", (0, "one\ntoken s3cret refused\n", ""))
    result = node.run(
        main, name="w1", expect=EXPECT, log_lines=2, token_file=str(tmp_path / "token")
    )
    assert result["failed"] is True
    assert result["msg"] == (
        "w1: unit ray.service is failed, expected active; see 'journalctl --unit ray.service' on"
        " the node\nLast lines of w1's Ray log:\none\ntoken ******** refused"
    )


def test_an_empty_log_is_said_to_be_empty(node: Node, tmp_path: Path) -> None:
    node.answers("systemctl show", (0, "", ""))
    node.answers("journalctl", (0, "", ""))
    result = node.run(main, name="w1", expect=EXPECT, token_file=str(tmp_path / "none"))
    assert result["msg"].endswith("Last lines of w1's Ray log:\n(the log is empty)")


def test_version_and_address_come_from_the_running_raylet(node: Node, proc: Path) -> None:
    run_raylet(proc / "200", "2.59.0", "198.18.1.11")
    node.answers("systemctl show", (0, ACTIVE, ""))
    result = node.run(main, name="w1")
    assert (result["version"], result["address"]) == ("2.59.0", "198.18.1.11")


def test_a_users_own_ray_beside_ours_is_not_mistaken_for_it(node: Node, proc: Path) -> None:
    run_raylet(proc / "200", "2.9.3", "127.0.0.1")
    run_raylet(proc / "300", "2.60.0", "198.18.1.11")
    node.answers("systemctl show", (0, ACTIVE, ""))
    nodes = [{"address": "198.18.1.11", "state": "ALIVE"}]
    result = node.run(main, name="w1", expect=EXPECT, cluster_nodes=nodes)
    assert (result.get("failed"), result["version"]) == (None, "2.60.0")


def test_a_node_as_expected_passes(node: Node, proc: Path) -> None:
    run_raylet(proc / "200", "2.60.0", "198.18.1.11")
    node.answers("systemctl show", (0, ACTIVE, ""))
    nodes = [{"address": "198.18.1.11", "state": "ALIVE"}]
    result = node.run(main, check=True, name="w1", expect=EXPECT, cluster_nodes=nodes)
    assert (result.get("failed"), result["version"]) == (None, "2.60.0")


def gpu_node(labels: dict[str, str], gpus: float) -> list[dict[str, object]]:
    """Return the head's list with one node that offers so many GPUs."""
    row = {"address": "198.18.1.11", "state": "ALIVE", "resources": {"GPU": gpus}}
    return [{**row, "labels": labels}]


WANT_GPUS = {**EXPECT, "gpus": 2, "gpu_vendor": "nvidia"}


def test_gpus_that_ray_named_itself_are_believed(node: Node, proc: Path) -> None:
    run_raylet(proc / "200", "2.60.0", "198.18.1.11")
    node.answers("systemctl show", (0, ACTIVE, ""))
    nodes = gpu_node({"ray.io/accelerator-type": "H100"}, 2.0)
    result = node.run(main, name="w1", expect=WANT_GPUS, cluster_nodes=nodes)
    assert result.get("failed") is None
    assert not any("pynvml" in call for call in node.calls)


@pytest.mark.parametrize(
    ("runtime", "inside"),
    [
        pytest.param("container", "timeout 60 docker exec ray python -c", id="container"),
        pytest.param(
            "venv",
            "timeout 60 runuser --user ray --supp-group video -- /opt/ray/bin/python -c",
            id="venv",
        ),
    ],
)
def test_a_silent_zero_is_told_with_rays_own_words(
    node: Node, proc: Path, runtime: str, inside: str
) -> None:
    folder = proc / "200"
    raylet = "/opt/ray/lib/python3.13/site-packages/ray/core/src/ray/raylet/raylet"
    run_process(folder, raylet, ["raylet", "--node_ip_address=198.18.1.11"])
    package = folder / "root/opt/ray/lib/python3.13/site-packages/ray"
    package.mkdir(parents=True)
    (package / "_version.py").write_text('version = "2.60.0"\n')
    node.answers("systemctl show", (0, ACTIVE, ""))
    node.answers("journalctl", (0, "started\n", ""))
    said = '{"error": "NVMLError_DriverNotLoaded: Driver Not Loaded"}\n'
    node.answers(inside, (0, said, ""))
    result = node.run(
        main, name="w1", expect=WANT_GPUS, runtime=runtime, cluster_nodes=gpu_node({}, 0.0)
    )
    assert result["msg"].splitlines()[0] == (
        "w1: Ray offers 0 GPUs, expected 2 (those that answer their driver, unless ray_num_gpus "
        "says otherwise). Ray's own look at the driver ended with: NVMLError_DriverNotLoaded: "
        "Driver Not Loaded. Run provision.yml again: it starts Ray with the GPUs that are there"
    )


@pytest.mark.parametrize(
    ("shown", "state"),
    [
        pytest.param("LoadState=loaded\nActiveState=inactive\n", "drained", id="stopped"),
        pytest.param(ACTIVE, "active", id="its-work-has-not-ended"),
        pytest.param("LoadState=loaded\nActiveState=failed\n", "drained", id="ended-by-a-signal"),
    ],
)
def test_a_drained_node_is_told_from_a_stopped_one(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: str, state: str
) -> None:
    mark = tmp_path / "drained"
    mark.write_text('{"since": "then", "reason": "a fan", "by": "ops"}')
    monkeypatch.setattr(ray_node_info, "MARK", str(mark))
    node.answers("systemctl show ray.service", (0, shown, ""))
    result = node.run(main, name="n3")
    assert result["unit_state"] == state
    assert result["drained"] == {"since": "then", "reason": "a fan", "by": "ops"}
