# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long earlier runs of a playbook took, and what that says about this one."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

#: Successful runs that are kept: enough for a median that one odd run does not move.
KEPT = 5
_VERSION = 1


@dataclass(frozen=True)
class Run:
    """Seconds of a whole run and of each phase, and the number of its hosts."""

    seconds: float
    hosts: int
    phases: Mapping[str, float]


def usual_seconds(runs: Sequence[Run], phase: str) -> float:
    """Return the median of a phase over the runs that had it, 0 where none had."""
    known = [run.phases[phase] for run in runs if phase in run.phases]
    return statistics.median(known) if known else 0.0


def seconds_left(
    runs: Sequence[Run], phases: Sequence[str], number: int, in_phase: float
) -> float | None:
    """Return what is left of a run in its phase ``number`` (from 1), None without earlier runs.

    The number of hosts does not scale it: hosts work side by side.
    """
    if not runs or not 1 <= number <= len(phases):
        return None
    rest = sum(usual_seconds(runs, phase) for phase in phases[number:])
    return rest + max(0.0, usual_seconds(runs, phases[number - 1]) - in_phase)


def history_path(directory: Path, playbook: Path, inventories: Sequence[str]) -> Path:
    """Return the file of a playbook on an inventory: each cluster has times of its own."""
    whose = "\n".join([str(playbook), *inventories])
    mark = hashlib.sha256(whose.encode()).hexdigest()[:8]
    return directory / f"{playbook.stem}-{mark}.json"


def _run_of(row: Mapping[str, Any]) -> Run:
    """Return a stored run; KeyError, TypeError or ValueError where it is none."""
    phases = {str(name): float(value) for name, value in dict(row["phases"]).items()}
    return Run(float(row["seconds"]), int(row["hosts"]), phases)


def read_runs(path: Path) -> tuple[Run, ...]:
    """Return the stored runs, none where the file is missing or says something else."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["version"] != _VERSION:
            return ()
        return tuple(_run_of(row) for row in stored["runs"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ()


def store_run(path: Path, run: Run) -> bool:
    """Add a run to those that are kept; False where the file cannot be written."""
    runs = [*read_runs(path), run][-KEPT:]
    rows = [asdict(each) for each in runs]
    text = json.dumps({"version": _VERSION, "runs": rows}, indent=1, sort_keys=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(f"{text}\n")
        Path(draft).replace(path)
    except OSError:
        return False
    return True
