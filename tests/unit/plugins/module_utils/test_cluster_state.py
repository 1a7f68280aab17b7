# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the state of a cluster, its health, and the reasons."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_record import Record
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_state import (
    Parts,
    judge_cluster,
)

from tests.browser import status_samples as made

MISSING = {"unit_state": "missing", "version": None}
WELL = Parts(ray=made.ray())
AWAY = Parts(ray=made.ray(n1={"unit_state": "off", "version": None}))
DOWN = Parts(ray=made.ray(head=False))
ABSENT = Parts(ray=made.ray(head=False, n0=MISSING, n1=MISSING))
DRAINED = Parts(ray=made.ray(n1=made.DRAINED))
NOBODY = Record("atlas")
AGAIN = "ansible-playbook -i inv.ini upgrade.yml -e upgrade_wait_for_jobs=true"
STOOD = made.record(made.operation())
NEVER = made.record(made.operation(result="interrupted"), initialized=None)


def running(name: str, initialized: str | None = made.AT) -> Record:
    """Return a record of an operation that runs."""
    return made.record(made.operation(name, "running"), initialized=initialized)


@pytest.mark.parametrize(
    ("parts", "record", "state", "health"),
    [
        pytest.param(ABSENT, NOBODY, "Initializing", "failed", id="new"),
        pytest.param(ABSENT, running("provision", None), "Initializing", "failed", id="first"),
        pytest.param(WELL, running("provision", None), "Initializing", "healthy", id="first-ends"),
        pytest.param(WELL, running("provision"), "Updating", "healthy", id="a-later-provision"),
        pytest.param(WELL, running("drain"), "Updating", "healthy", id="drain"),
        pytest.param(DOWN, running("upgrade"), "Upgrading", "failed", id="upgrade"),
        pytest.param(WELL, running("k3s_upgrade"), "Upgrading", "healthy", id="upgrade-of-k3s"),
        pytest.param(ABSENT, running("reset"), "Deleting", "failed", id="reset"),
        pytest.param(WELL, STOOD, "Running", "healthy", id="well"),
        pytest.param(WELL, NOBODY, "Running", "healthy", id="the-record-was-lost"),
        pytest.param(WELL, NEVER, "Running", "healthy", id="well-counts-more-than-the-record"),
        pytest.param(AWAY, STOOD, "Failed", "degraded", id="a-node-is-off"),
        pytest.param(AWAY, NOBODY, "Failed", "degraded", id="a-node-is-off-and-nothing-known"),
        pytest.param(AWAY, NEVER, "Initializing", "degraded", id="never-stood"),
        pytest.param(DOWN, STOOD, "Failed", "failed", id="the-head-is-silent"),
        pytest.param(ABSENT, STOOD, "Initializing", "failed", id="nodes-count-more-than-record"),
        pytest.param(DRAINED, STOOD, "Running", "degraded", id="drained-on-purpose"),
    ],
)
def test_the_state_is_one_of_six_words(
    parts: Parts, record: Record, state: str, health: str
) -> None:
    verdict = judge_cluster(parts, record, made.WANTED)
    assert (verdict.state, verdict.health) == (state, health)


@pytest.mark.parametrize(
    ("parts", "health", "reasons"),
    [
        pytest.param(WELL, "healthy", [], id="well"),
        pytest.param(AWAY, "degraded", [("n1", "It did not answer. timed out")], id="off"),
        pytest.param(
            Parts(ray=made.ray(head=False, n1={"unit_state": "failed"})),
            "failed",
            [
                ("n0", "the Ray head does not answer: refused"),
                ("n1", "ray.service is failed; see 'journalctl --unit ray.service' there"),
            ],
            id="head-and-node",
        ),
        pytest.param(
            DRAINED, "degraded", [("n1", "drained since 09:00: a fan; undrain.yml brings it back")],
            id="drained",
        ),
        pytest.param(
            Parts(k3s=made.k3s(k1={"unschedulable": True, "kept_by": "owner"})),
            "degraded",
            [("k1", "it is cordoned and takes no new pods; undrain.yml brings it back")],
            id="cordoned",
        ),
        pytest.param(
            Parts(k3s=made.k3s(k1={"unschedulable": True, "kept_by": "other"})),
            "degraded",
            [
                (
                    "k1",
                    "it is cordoned, not by drain.yml, and takes no new pods; 'k3s kubectl uncordon"
                    " k1' on a server brings it back",
                )
            ],
            id="cordoned-with-kubectl",
        ),
        pytest.param(
            Parts(k3s=made.k3s(versions={2: "v1.33.5+k3s1"})),
            "degraded",
            [("k2", "k3s v1.33.5+k3s1 runs, wanted v1.34.2+k3s1; run upgrade.yml")],
            id="half-upgraded",
        ),
        pytest.param(
            Parts(ray=made.ray(), monitoring=made.monitoring("no target is up")),
            "degraded",
            [("mon", "monitoring is degraded: no target is up")],
            id="nobody-watches",
        ),
        pytest.param(
            Parts(ray=made.ray(), k3s=made.k3s(k9={})), "healthy", [], id="both-engines"
        ),
    ],
)  # fmt: skip
def test_whatever_is_wrong_is_named_with_its_node(
    parts: Parts, health: str, reasons: list[tuple[str, str]]
) -> None:
    verdict = judge_cluster(parts, STOOD, made.WANTED)
    assert verdict.health == health
    assert [(each.node, each.text) for each in verdict.reasons] == reasons


@pytest.mark.parametrize(
    ("parts", "record", "notes"),
    [
        pytest.param(ABSENT, NOBODY, ["it is not built yet; run provision.yml"], id="not-built"),
        pytest.param(
            WELL,
            made.record(made.operation("upgrade", "interrupted", phase="agents")),
            [
                "upgrade of 2026-01-31T09:00:00Z by ops@ctl was interrupted at 'agents'; "
                "to finish it, run ansible-playbook -i inv.ini upgrade.yml"
            ],
            id="interrupted",
        ),
        pytest.param(
            WELL,
            made.record(made.operation("upgrade", "interrupted", command=AGAIN)),
            [
                "upgrade of 2026-01-31T09:00:00Z by ops@ctl was interrupted; to finish it, run "
                + AGAIN
            ],
            id="by-its-command",
        ),
        pytest.param(
            WELL,
            made.record(made.operation("upgrade", "failed", failed_hosts=("n1",))),
            [
                "upgrade of 2026-01-31T09:00:00Z by ops@ctl failed on n1; "
                "to finish it, run ansible-playbook -i inv.ini upgrade.yml"
            ],
            id="failed",
        ),
        pytest.param(
            WELL,
            running("upgrade"),
            ["upgrade runs, begun by ops@ctl, process 4711"],
            id="running",
        ),
        pytest.param(WELL, STOOD, [], id="nothing"),
    ],
)
def test_what_goes_on_and_what_has_to_be_finished_is_said(
    parts: Parts, record: Record, notes: list[str]
) -> None:
    assert list(judge_cluster(parts, record, made.WANTED).notes) == notes


def test_a_whole_cluster_in_another_version_than_wanted_runs_and_says_so() -> None:
    wanted: dict[str, Any] = {"ray": "2.61.0"}
    verdict = judge_cluster(WELL, STOOD, wanted)
    assert (verdict.state, verdict.health) == ("Running", "healthy")
    assert verdict.notes == ("ray 2.60.0 runs, the inventory wants 2.61.0; run upgrade.yml",)


def test_a_node_of_others_in_the_cluster_is_not_ours_to_judge() -> None:
    seen = made.k3s()
    stranger = made.k3s(4, k3={"ready": False}).nodes[3]
    assert stranger.state == "not-ready"
    verdict = judge_cluster(Parts(k3s=seen), STOOD, made.WANTED)
    assert verdict.health == "healthy"
