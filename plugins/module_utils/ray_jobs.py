# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of Ray jobs that a change of the head would end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

#: An API that is busy, or whose head was just started, answers within these.
BUSY_SECONDS = 30.0
START_SECONDS = 180.0


@dataclass(frozen=True)
class Ways:
    """Variables of the playbook that lose jobs or wait for them; ``wait`` is empty where none does.

    ``is_first`` says that nothing was changed yet.
    """

    force: str = "upgrade_force"
    wait: str = "upgrade_wait_for_jobs"
    is_first: bool = False

    @property
    def untouched(self) -> str:
        """Return the sentence about what is as it was."""
        return "Nothing was changed." if self.is_first else "Ray was not stopped."


def may_have_jobs(unit: Mapping[str, Any]) -> bool:
    """Return whether jobs can run under a head's unit, as ray_node_info has read it."""
    return unit.get("unit_state") == "active"


def stays_silent(silent: float, active: Optional[float]) -> bool:
    """Return whether an API that is silent for so long will not answer any more.

    ``active`` is for how long its unit runs, None where that is not known.
    """
    age = START_SECONDS if active is None else active
    return silent >= BUSY_SECONDS and max(silent, age) >= START_SECONDS


def jobs_in_the_way(jobs: Sequence[Mapping[str, Any]], waited: float, ways: Ways) -> str:
    """Return why jobs keep Ray from being stopped."""
    after = f" after {waited:.0f} s" if waited >= 1 else ""
    wait = f" with -e {ways.wait}=SECONDS (or true) to wait for them," if ways.wait else ""
    return "\n".join(
        [
            f"{len(jobs)} Ray jobs have not ended{after}, and would be lost:",
            *(f"- {_words(job)}" for job in jobs),
            f"{ways.untouched} Run the same command again when they have ended,{wait} with "
            f"-e {ways.force}=true to lose them, or stop them yourself ('ray job stop ID').",
        ]
    )


def jobs_lost(jobs: Sequence[Mapping[str, Any]], ways: Ways) -> str:
    """Return which jobs are lost."""
    return f"{ways.force}=true loses {len(jobs)} Ray jobs: {'; '.join(map(_words, jobs))}"


def not_told(host: str, address: str, error: str, ways: Ways) -> str:
    """Return why a head that does not tell its jobs is not stopped."""
    return (
        f"{_silence(host, address, error)}, expected its list of jobs: those that run would be "
        f"lost. {ways.untouched} See 'journalctl --unit ray.service' there; when no job runs, type "
        "'systemctl restart ray.service' there and run the same command again, or run it with "
        f"-e {ways.force}=true to lose what runs (a Ray without its dashboard, ray[default], never "
        "answers)."
    )


def lost_untold(host: str, address: str, error: str, ways: Ways) -> str:
    """Return that nobody knows which jobs are lost."""
    return f"{ways.force}=true loses what runs: {_silence(host, address, error)}"


def _silence(host: str, address: str, error: str) -> str:
    return f"{host}: ray.service is active, but its API at {address} does not answer ({error})"


def _words(job: Mapping[str, Any]) -> str:
    return f"{job.get('job_id')}  {job.get('status')}  {job.get('entrypoint')}"
