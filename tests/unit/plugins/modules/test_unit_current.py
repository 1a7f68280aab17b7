"""Claims about the unit_current module."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.rackforge.gpu_cluster.plugins.modules.unit_current import main

from tests.unit.plugins.modules.conftest import Node

SHOW = "systemctl show ray.service"
NEW = (0, "ActiveState=inactive\nSubState=dead\nUnitFileState=\nNeedDaemonReload=no\n", "")
RUNNING = (
    0,
    "ActiveState=active\nSubState=running\nUnitFileState=enabled\nNeedDaemonReload={}\n"
    "InactiveExitTimestampMonotonic={}\n",
    "",
)


def running(since_boot: int, reload: str = "no") -> tuple[int, str, str]:
    """Return systemd's answer about a unit that was started so many microseconds after boot."""
    return (0, RUNNING[1].format(reload, since_boot), "")


LONG_AFTER_NOW = 10**18


def test_a_new_unit_is_enabled_and_started(node: Node) -> None:
    node.answers(SHOW, NEW)
    node.answers("systemctl", (0, "", ""))
    result = node.run(main, name="ray.service")
    assert (result["changed"], result["done"]) == (True, ["enabled", "started"])
    assert node.calls[1:] == ["systemctl enable ray.service", "systemctl start ray.service"]


def test_a_unit_with_old_files_is_left_alone(node: Node, tmp_path: Path) -> None:
    (tmp_path / "unit").write_text("")
    node.answers(SHOW, running(LONG_AFTER_NOW))
    files = [str(tmp_path / "unit"), str(tmp_path / "none")]
    result = node.run(main, name="ray.service", files=files)
    assert (result["changed"], result["done"]) == (False, [])
    assert result["diff"]["before"] == result["diff"]["after"]


def test_a_unit_with_a_younger_file_is_restarted(node: Node, tmp_path: Path) -> None:
    (tmp_path / "unit").write_text("")
    node.answers(SHOW, running(1))
    node.answers("systemctl restart", (0, "", ""))
    result = node.run(main, name="ray.service", files=[str(tmp_path / "unit")])
    assert (result["changed"], result["done"]) == (True, ["restarted"])


def test_a_changed_unit_file_is_reloaded_first(node: Node) -> None:
    node.answers(SHOW, running(LONG_AFTER_NOW, reload="yes"))
    node.answers("systemctl", (0, "", ""))
    assert node.run(main, name="ray.service")["done"] == ["restarted"]
    assert node.calls[1:] == ["systemctl daemon-reload", "systemctl restart ray.service"]


def test_check_mode_predicts_and_only_looks(node: Node) -> None:
    node.answers(SHOW, running(LONG_AFTER_NOW))
    result = node.run(main, check=True, name="ray.service", changed_inputs=True)
    assert (result["changed"], result["done"]) == (True, ["restarted"])
    assert [call.split()[1] for call in node.calls] == ["show"]


def test_a_unit_that_does_not_start_is_explained(node: Node) -> None:
    node.answers(SHOW, NEW)
    node.answers("systemctl enable", (0, "", ""))
    node.answers("systemctl start", (1, "", "Job for ray.service failed.\n"))
    result = node.run(main, name="ray.service")
    assert result["failed"] is True
    assert result["msg"] == (
        "Could not bring ray.service up: 'systemctl start ray.service' exited 1: Job for"
        " ray.service failed.; see 'journalctl --unit ray.service' on this node"
    )


def test_settings_that_the_program_reads_anew_are_reloaded(node: Node, tmp_path: Path) -> None:
    (tmp_path / "settings").write_text("")
    node.answers(SHOW, running(1))
    node.answers("systemctl reload", (0, "", ""))
    result = node.run(main, name="ray.service", reload_files=[str(tmp_path / "settings")])
    assert (result["changed"], result["done"]) == (True, ["reloaded"])
    assert node.calls[1:] == ["systemctl reload ray.service"]


def test_a_unit_that_is_to_stay_stopped_is_only_enabled(node: Node, tmp_path: Path) -> None:
    mark = tmp_path / "drained"
    mark.write_text("")
    node.answers(SHOW, NEW)
    node.answers("systemctl enable", (0, "", ""))
    result = node.run(main, name="ray.service", stopped_by=str(mark))
    assert (result["done"], result["is_stopped"]) == (["enabled"], True)


def test_a_unit_without_the_mark_runs(node: Node, tmp_path: Path) -> None:
    node.answers(SHOW, NEW)
    node.answers("systemctl", (0, "", ""))
    result = node.run(main, name="ray.service", stopped_by=str(tmp_path / "drained"))
    assert (result["done"], result["is_stopped"]) == (["enabled", "started"], False)


def test_a_unit_that_is_not_to_be_asked_is_ended_before_its_restart(node: Node) -> None:
    node.answers(SHOW, running(LONG_AFTER_NOW, reload="yes"))
    node.answers("systemctl", (0, "", ""))
    assert node.run(main, name="ray.service", kill=True)["done"] == ["restarted"]
    assert node.calls[1:] == [
        "systemctl daemon-reload",
        "systemctl kill --signal=SIGKILL ray.service",
        "systemctl restart ray.service",
    ]


def test_a_unit_that_stays_is_not_ended(node: Node) -> None:
    node.answers(SHOW, running(LONG_AFTER_NOW))
    assert node.run(main, name="ray.service", kill=True)["changed"] is False
    assert len(node.calls) == 1
