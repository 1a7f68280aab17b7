# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about what is said of jobs that would be lost."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_jobs import (
    Ways,
    jobs_in_the_way,
    jobs_lost,
    lost_untold,
    may_have_jobs,
    not_told,
    stays_silent,
)

JOB = {"job_id": "raysubmit_1", "status": "RUNNING", "entrypoint": "python train.py"}
ROTATES = Ways(force="rotate_force", wait="", is_first=True)
SILENCE = ("gpu01", "http://192.0.2.1:8265", "timed out")


def test_jobs_in_the_way_are_listed_with_what_to_do() -> None:
    assert jobs_in_the_way([JOB], 90.4, Ways()).splitlines() == [
        "1 Ray jobs have not ended after 90 s, and would be lost:",
        "- raysubmit_1  RUNNING  python train.py",
        "Ray was not stopped. Run the same command again when they have ended, with"
        " -e upgrade_wait_for_jobs=SECONDS (or true) to wait for them, with -e upgrade_force=true"
        " to lose them, or stop them yourself ('ray job stop ID').",
    ]


def test_a_playbook_that_cannot_wait_does_not_offer_it() -> None:
    assert jobs_in_the_way([JOB], 0, ROTATES).splitlines()[-1] == (
        "Nothing was changed. Run the same command again when they have ended, with"
        " -e rotate_force=true to lose them, or stop them yourself ('ray job stop ID')."
    )


def test_lost_jobs_are_named() -> None:
    assert jobs_lost([JOB], ROTATES) == (
        "rotate_force=true loses 1 Ray jobs: raysubmit_1  RUNNING  python train.py"
    )


def test_a_head_that_does_not_tell_is_named_with_the_way_out() -> None:
    assert not_told(*SILENCE, ROTATES) == (
        "gpu01: ray.service is active, but its API at http://192.0.2.1:8265 does not answer"
        " (timed out), expected its list of jobs: those that run would be lost. Nothing was"
        " changed. See 'journalctl --unit ray.service' there; when no job runs, type"
        " 'systemctl restart ray.service' there and run the same command again, or run it with"
        " -e rotate_force=true to lose what runs (a Ray without its dashboard, ray[default],"
        " never answers)."
    )
    assert lost_untold(*SILENCE, ROTATES) == (
        "rotate_force=true loses what runs: gpu01: ray.service is active, but its API at"
        " http://192.0.2.1:8265 does not answer (timed out)"
    )


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("active", True),
        ("missing", False),
        ("inactive", False),
        ("failed", False),
        ("restarting", False),
        ("activating", False),
        ("drained", False),
    ],
)
def test_jobs_run_under_an_active_unit_alone(state: str, expected: bool) -> None:
    assert may_have_jobs({"unit_state": state}) is expected


@pytest.mark.parametrize(
    ("silent", "active", "expected"),
    [
        pytest.param(0, 86400, False, id="busy"),
        pytest.param(30, 86400, True, id="dead"),
        pytest.param(30, 40, False, id="starts"),
        pytest.param(100, 180, True, id="has-started"),
        pytest.param(180, 5, True, id="starts-again-and-again"),
        pytest.param(30, None, True, id="nobody-knows"),
    ],
)
def test_silence_is_waited_out_within_bounds(
    silent: float, active: Optional[float], expected: Any
) -> None:
    assert stays_silent(silent, active) is expected
