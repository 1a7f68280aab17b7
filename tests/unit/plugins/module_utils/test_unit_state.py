"""Claims about how a unit stands and what brings it up to date."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.unit_state import (
    Reload,
    UnitState,
    parse_unit,
    plan_unit,
)

# `systemctl show ray.service --property ...` of systemd 257 (Debian 13).
RUNNING = """ActiveState=active
SubState=running
UnitFileState=enabled
NeedDaemonReload=no
InactiveExitTimestampMonotonic=12500000
"""
MISSING = """ActiveState=inactive
SubState=dead
UnitFileState=
NeedDaemonReload=no
InactiveExitTimestampMonotonic=0
"""
CURRENT = UnitState("active", "running", "enabled", False, 1012.5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(RUNNING, CURRENT, id="running"),
        pytest.param(MISSING, UnitState("inactive", "dead", "missing", False, 0.0), id="no-unit"),
        pytest.param("", UnitState("inactive", "dead", "missing", False, 0.0), id="no-answer"),
        pytest.param(
            RUNNING.replace("NeedDaemonReload=no", "NeedDaemonReload=yes"),
            replace(CURRENT, needs_reload=True),
            id="unit-file-changed",
        ),
    ],
)
def test_the_state_is_read(text: str, expected: UnitState) -> None:
    assert parse_unit(text, boot_time=1000.0) == expected


@pytest.mark.parametrize(
    ("seen", "youngest", "changed", "expected"),
    [
        pytest.param(CURRENT, 1012.0, False, [], id="current"),
        pytest.param(CURRENT, 1013.0, False, ["restarted"], id="file-younger-than-the-start"),
        pytest.param(CURRENT, 0.0, True, ["restarted"], id="input-changed-in-this-play"),
        pytest.param(
            replace(CURRENT, needs_reload=True), 0.0, False, ["restarted"], id="unit-file-changed"
        ),
        pytest.param(
            replace(CURRENT, file_state="disabled"), 0.0, False, ["enabled"], id="only-disabled"
        ),
        pytest.param(replace(CURRENT, file_state="static"), 0.0, False, [], id="cannot-be-enabled"),
        pytest.param(
            replace(CURRENT, active_state="reloading"), 0.0, False, [], id="reloading-runs"
        ),
        pytest.param(
            UnitState("inactive", "dead", "missing", False, 0.0),
            0.0,
            True,
            ["enabled", "started"],
            id="new",
        ),
        pytest.param(
            replace(CURRENT, active_state="failed"), 2000.0, False, ["started"], id="failed"
        ),
        pytest.param(
            replace(CURRENT, active_state="activating", sub_state="auto-restart"),
            0.0,
            False,
            ["restarted"],
            id="tries-again-and-again",
        ),
    ],
)
def test_only_what_is_needed_is_done(
    seen: UnitState, youngest: float, changed: bool, expected: list[str]
) -> None:
    assert plan_unit(seen, youngest, changed) == expected


RELOADED = replace(CURRENT, settled_at=1020.0)


def test_the_end_of_the_last_reload_is_read() -> None:
    text = RUNNING + "StateChangeTimestampMonotonic=20000000\n"
    assert parse_unit(text, boot_time=1000.0) == RELOADED


@pytest.mark.parametrize(
    ("seen", "restart", "reload", "expected"),
    [
        pytest.param(CURRENT, 1012.0, Reload(1012.0), [], id="current"),
        pytest.param(CURRENT, 1012.0, Reload(1013.0), ["reloaded"], id="settings-younger"),
        pytest.param(RELOADED, 0.0, Reload(1019.0), [], id="taken-over-by-an-earlier-reload"),
        pytest.param(RELOADED, 0.0, Reload(1021.0), ["reloaded"], id="younger-than-the-reload"),
        pytest.param(CURRENT, 0.0, Reload(0.0, True), ["reloaded"], id="foreseen"),
        pytest.param(CURRENT, 1013.0, Reload(1013.0, True), ["restarted"], id="a-restart-is-both"),
        pytest.param(
            replace(CURRENT, active_state="failed"), 0.0, Reload(2000.0), ["started"], id="stopped"
        ),
    ],
)
def test_settings_that_can_be_read_anew_interrupt_nothing(
    seen: UnitState, restart: float, reload: Reload, expected: list[str]
) -> None:
    assert plan_unit(seen, restart, False, reload) == expected
