# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Earlier runs are kept, and say how long a run will take."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.progress_history import (
    Run,
    history_path,
    read_runs,
    seconds_left,
    store_run,
)

PHASES = ("a", "b", "c")
RUNS = (
    Run(60.0, 3, {"a": 10.0, "b": 20.0, "c": 30.0}),
    Run(66.0, 3, {"a": 12.0, "b": 22.0, "c": 32.0}),
    Run(666.0, 3, {"a": 100.0, "b": 222.0, "c": 344.0}),
)


@pytest.mark.parametrize(
    ("runs", "number", "in_phase", "expected"),
    [
        pytest.param((), 1, 0.0, None, id="no-earlier-run"),
        pytest.param(RUNS, 1, 0.0, 66.0, id="medians-and-not-the-odd-run"),
        pytest.param(RUNS, 2, 10.0, 44.0, id="what-has-passed-of-a-phase-is-taken-off"),
        pytest.param(RUNS, 2, 999.0, 32.0, id="a-long-phase-takes-nothing-off-others"),
        pytest.param(RUNS, 3, 32.0, 0.0, id="the-last-phase"),
        pytest.param(RUNS, 4, 0.0, None, id="a-phase-that-the-playbook-does-not-have"),
        pytest.param((Run(5.0, 1, {"c": 5.0}),), 1, 3.0, 5.0, id="new-phases-count-nothing"),
    ],
)
def test_what_is_left_follows_from_earlier_runs(
    runs: tuple[Run, ...], number: int, in_phase: float, expected: float | None
) -> None:
    assert seconds_left(runs, PHASES, number, in_phase) == expected


def test_stored_runs_are_read_again_and_only_the_last_five_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "site.json"
    for number in range(7):
        assert store_run(path, Run(float(number), 2, {"a": float(number)}))
    assert [run.seconds for run in read_runs(path)] == [2.0, 3.0, 4.0, 5.0, 6.0]
    assert read_runs(path)[0] == Run(2.0, 2, {"a": 2.0})
    assert [each.name for each in path.parent.iterdir()] == ["site.json"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("[]", id="a-list"),
        pytest.param('{"version": 2, "runs": []}', id="another-version"),
        pytest.param('{"version": 1, "runs": [{"seconds": "x"}]}', id="half-a-run"),
        pytest.param('{"version": 1, "runs": [3]}', id="no-run"),
    ],
)
def test_a_file_that_says_something_else_is_no_earlier_run(tmp_path: Path, text: str) -> None:
    path = tmp_path / "site.json"
    path.write_text(text, encoding="utf-8")
    assert read_runs(path) == ()


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert not store_run(tmp_path / "file" / "site.json", RUNS[0])


def test_each_inventory_of_a_playbook_has_a_file_of_its_own(tmp_path: Path) -> None:
    book = Path("/srv/playbooks/provision.yml")
    one, two = (history_path(tmp_path, book, [each]) for each in ("/a.ini", "/b.ini"))
    assert one != two
    assert one == history_path(tmp_path, book, ["/a.ini"])
    assert one.name.startswith("provision-")
