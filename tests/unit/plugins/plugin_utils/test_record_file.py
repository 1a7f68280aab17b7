# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the record's file, with real processes."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_record import (
    ALIVE,
    DEAD,
    LockedError,
    Operation,
    Process,
    Record,
    begin,
    render_record,
    running,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.record_file import (
    change_record,
    look_at,
    main_process,
    read_record,
    record_path,
    start_of,
    state_directory,
)

AT = "2026-01-31T09:00:00Z"


def this_one() -> Process:
    """Return this very process; ``main_process`` is the parent of one that was forked."""
    pid = os.getpid()
    here = main_process()
    return Process(here.host, pid, here.boot, here.space, start_of(pid) or "")


def try_to_begin(path: str, gate: object, results: object, go: object) -> None:
    """Try for the lock when the gate opens, tell how it went, and live until told to go."""
    gate.wait()  # type: ignore[attr-defined]
    new = Operation("provision", "ops", this_one(), AT, "again")
    try:
        change_record(Path(path), "lab", lambda record: begin(record, new, look_at))
        results.put("won")  # type: ignore[attr-defined]
    except LockedError:
        results.put("refused")  # type: ignore[attr-defined]
    go.wait()  # type: ignore[attr-defined]


def test_of_many_that_start_at_the_same_moment_one_wins(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    gate, go, results = fork.Event(), fork.Event(), fork.Queue()
    path = tmp_path / "lab.json"
    arguments = (str(path), gate, results, go)
    runs = [fork.Process(target=try_to_begin, args=arguments) for _number in range(8)]
    for run in runs:
        run.start()
    gate.set()
    told = sorted(results.get(timeout=30) for _run in runs)
    holder = running(read_record(path, "lab").record)
    assert told == ["refused"] * 7 + ["won"]
    assert holder is not None
    assert look_at(holder.process) == ALIVE
    go.set()
    for run in runs:
        run.join(timeout=30)
    assert look_at(holder.process) == DEAD


def test_a_zombie_holds_no_lock() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert start_of(child.pid) is None
    child.wait()


def test_an_action_belongs_to_the_process_that_forked_it() -> None:
    fork = multiprocessing.get_context("fork")
    results = fork.Queue()
    child = fork.Process(target=lambda: results.put(main_process().pid))
    child.start()
    assert results.get(timeout=30) == os.getpid()
    child.join(timeout=30)


def test_a_broken_file_is_kept_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    path = tmp_path / "state" / "lab.json"
    path.parent.mkdir()
    path.write_text("half a fi", encoding="utf-8")
    found = change_record(path, "lab", lambda record: record)
    assert "it is not JSON" in found.problem
    assert f"kept as {path}.broken" in found.problem
    assert path.with_name("lab.json.broken").read_text(encoding="utf-8") == "half a fi"
    assert read_record(path, "lab").record == Record("lab")


def test_a_refused_run_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "lab.json"
    held = Record("lab", AT, (Operation("upgrade", "ops", this_one(), AT, "again"),))
    path.write_text(render_record(held), encoding="utf-8")
    new = Operation("provision", "ops", Process(this_one().host, 1), AT, "again")
    with pytest.raises(LockedError):
        change_record(path, "lab", lambda record: begin(record, new, look_at))
    assert path.read_text(encoding="utf-8") == render_record(held)


@pytest.mark.parametrize(
    ("is_directory", "wish", "expected"),
    [
        pytest.param(False, None, "lab/state", id="beside-the-file"),
        pytest.param(True, None, "state", id="beside-a-directory-that-is-an-inventory"),
        pytest.param(False, "elsewhere", "elsewhere", id="as-wished"),
    ],
)
def test_the_record_lies_beside_the_inventory(
    tmp_path: Path, is_directory: bool, wish: str | None, expected: str
) -> None:
    (tmp_path / "lab").mkdir()
    source = tmp_path / "lab" if is_directory else tmp_path / "lab" / "inv.ini"
    variables = {"inventory_dir": str(tmp_path / "lab"), "ansible_inventory_sources": [str(source)]}
    found = state_directory(variables, str(tmp_path / wish) if wish else None)
    assert found == tmp_path / expected


def test_a_clusters_name_names_one_file(tmp_path: Path) -> None:
    assert record_path(tmp_path, "../a b").parent == tmp_path
    assert record_path(tmp_path, "gpu-cluster").name == "gpu-cluster.json"
