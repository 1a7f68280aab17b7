"""Claims about when Docker Engine is restarted, and when that is refused."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_restart import (
    Engine,
    Files,
    Step,
    argv_of,
    effects_missing,
    refusal,
    step_for,
    telling_line,
)

RUNS = Engine(active=True, started_at=100.0, changed_at=101.0)


def old(*keys: str) -> Files:
    """Return files that are older than the engine, in which these keys change now."""
    return Files(keys=frozenset(keys), daemon_time=50.0, drop_in_time=50.0)


@pytest.mark.parametrize(
    ("engine", "files", "expected"),
    [
        pytest.param(RUNS, old(), Step.NOTHING, id="current"),
        pytest.param(Engine(), Files(), Step.START, id="stopped"),
        pytest.param(Engine(failing=True), Files(), Step.RESTART, id="tries-again-and-again"),
        pytest.param(
            RUNS,
            old("debug", "live-restore"),
            Step.RELOAD,
            id="reloadable-keys",
        ),
        pytest.param(RUNS, old("debug", "dns"), Step.RESTART, id="other-keys"),
        pytest.param(RUNS, Files(drop_in_changes=True), Step.RESTART, id="proxy-changes"),
        pytest.param(RUNS, Files(daemon_time=102.0), Step.RESTART, id="killed-before-the-restart"),
        pytest.param(RUNS, Files(daemon_time=100.5), Step.NOTHING, id="reloaded-since"),
        pytest.param(RUNS, Files(drop_in_time=100.5), Step.RESTART, id="drop-in-needs-a-start"),
        pytest.param(
            Engine(active=True, started_at=9.0, changed_at=9.0, stale_unit=True),
            Files(),
            Step.RESTART,
            id="unit-file-is-younger",
        ),
    ],
)
def test_the_step_follows_from_engine_and_files(
    engine: Engine, files: Files, expected: Step
) -> None:
    assert step_for(engine, files) is expected


BUSY = Engine(active=True, running=("mine", "ray"))
SAFE = Engine(active=True, running=("mine", "ray"), live_restore=True)
NEW = frozenset({"dns"})


@pytest.mark.parametrize(
    ("engine", "files", "step", "agreed"),
    [
        pytest.param(BUSY, Files(keys=NEW), Step.RELOAD, False, id="a-reload-stops-nothing"),
        pytest.param(BUSY, Files(keys=NEW), Step.RESTART, True, id="agreed"),
        pytest.param(RUNS, Files(keys=NEW), Step.RESTART, False, id="nothing-runs"),
        pytest.param(
            SAFE, Files(keys=NEW, live_restore=True), Step.RESTART, False, id="live-restore"
        ),
    ],
)
def test_a_restart_that_harms_nobody_is_made(
    engine: Engine, files: Files, step: Step, agreed: bool
) -> None:
    assert refusal(engine, files, step, agreed) == ""


@pytest.mark.parametrize(
    ("engine", "files", "words"),
    [
        pytest.param(
            BUSY,
            Files(keys=NEW, live_restore=True),
            "restarted (new in daemon.json: dns), which would stop its running containers: mine, "
            "ray. Nothing was changed. Two ways out: set docker_restart_running=true to stop them",
            id="not-on-yet",
        ),
        pytest.param(
            SAFE, Files(keys=NEW), "set docker_live_restore=true for this node", id="goes-off"
        ),
        pytest.param(
            BUSY, Files(drop_in_changes=True), "restarted (its proxy changes)", id="proxy"
        ),
        pytest.param(
            BUSY, Files(), "restarted (its files are younger than its start)", id="killed-run"
        ),
        pytest.param(
            SAFE,
            Files(keys=frozenset({"data-root"}), live_restore=True),
            "with another data-root, and would lose its running containers: mine, ray",
            id="live-restore-does-not-help",
        ),
    ],
)
def test_running_containers_are_not_stopped_unasked(
    engine: Engine, files: Files, words: str
) -> None:
    said = refusal(engine, files, Step.RESTART, agreed=False)
    assert words in said
    assert "docker_restart_running=true" in said


JOURNAL = """\
Starting Docker Application Container Engine...
time="2026-11-22T06:02:13Z" level=info msg="Starting up"
failed to start daemon: error initializing graphdriver: write /srv: no space left on device
docker.service: Main process exited, code=exited, status=1/FAILURE
Failed to start Docker Application Container Engine.
"""


@pytest.mark.parametrize(
    ("journal", "expected"),
    [
        pytest.param(
            JOURNAL,
            "failed to start daemon: error initializing graphdriver: write /srv: no space left on "
            "device",
            id="engine-says-why",
        ),
        pytest.param("one\ntwo\n", "two", id="last-line-otherwise"),
        pytest.param("", "no log", id="nothing"),
    ],
)
def test_the_log_line_that_tells_why_is_found(journal: str, expected: str) -> None:
    assert telling_line(journal) == expected


def test_a_taken_address_is_told_and_not_what_systemd_says_of_it() -> None:
    taken = "listen tcp 198.18.0.11:9323: bind: address already in use"
    journal = f"{taken}\nFailed to start docker.service - Docker Application Container Engine.\n"
    assert telling_line(journal) == taken


def test_settings_without_effect_are_named() -> None:
    rows = [("live-restore", False, True), ("log-driver", "json-file", "json-file")]
    assert effects_missing(rows) == ["live-restore is False, expected True"]


def test_the_units_command_line_is_read() -> None:
    shown = (
        "{ path=/usr/bin/dockerd ; argv[]=/usr/bin/dockerd -H fd:// $DOCKER_OPTS ; "
        "ignore_errors=no ; pid=0 ; }"
    )
    assert argv_of(shown) == ["/usr/bin/dockerd", "-H", "fd://", "$DOCKER_OPTS"]
    assert argv_of("") == []
