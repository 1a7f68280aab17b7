"""Claims about when k3s is restarted, and how long it is waited for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_diagnosis import Situation
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_service import (
    Look,
    Outcome,
    Reasons,
    Wait,
    explain,
    failure,
    plan,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.unit_state import UnitState

RUNS = UnitState("active", "running", "enabled", False, 1000.0)
NEW = UnitState("inactive", "dead", "missing", False, 0.0)
STARTS = replace(RUNS, active_state="activating", sub_state="start")
TRIES = replace(STARTS, sub_state="auto-restart")
YOUNGER = Reasons(younger=("/etc/rancher/k3s/config.yaml",))
GPU = Reasons(gpu_runtime="/usr/bin/nvidia-container-runtime")


@pytest.mark.parametrize(
    ("seen", "reasons", "rotate", "expected"),
    [
        pytest.param(NEW, Reasons(), False, ["enabled", "started"], id="new"),
        pytest.param(RUNS, Reasons(), False, [], id="runs-from-its-files"),
        pytest.param(RUNS, YOUNGER, False, ["restarted"], id="younger-file"),
        pytest.param(RUNS, GPU, False, ["restarted"], id="gpu-runtime-came-later"),
        pytest.param(RUNS, Reasons(True), False, ["restarted"], id="foreseen-change"),
        pytest.param(replace(RUNS, needs_reload=True), Reasons(), False, ["restarted"], id="unit"),
        pytest.param(RUNS, YOUNGER, True, ["token replaced", "restarted"], id="token-changed"),
        pytest.param(
            replace(RUNS, file_state="disabled"), Reasons(), False, ["enabled"], id="disabled"
        ),
        pytest.param(STARTS, Reasons(), False, [], id="on-its-way"),
        pytest.param(STARTS, YOUNGER, False, ["restarted"], id="on-its-way-with-old-files"),
        pytest.param(TRIES, Reasons(), False, ["restarted"], id="between-two-attempts"),
        pytest.param(replace(RUNS, active_state="failed"), YOUNGER, True, ["started"], id="failed"),
    ],
)
def test_only_what_must_be_done_is_done(
    seen: UnitState, reasons: Reasons, rotate: bool, expected: list[str]
) -> None:
    assert plan(seen, reasons, rotate) == expected


def test_a_restart_says_why() -> None:
    seen = replace(RUNS, needs_reload=True)
    reasons = replace(YOUNGER, gpu_runtime="/usr/bin/nvidia-container-runtime")
    assert explain(seen, reasons) == [
        "/etc/rancher/k3s/config.yaml is younger than the running k3s",
        "/usr/bin/nvidia-container-runtime appeared after k3s had looked for it",
        "its unit file changed",
    ]


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.now += seconds


JOINER = Situation("k3s-agent.service", "agent", "198.19.1.11:6443", 6443)
UP = Look("active", "running", 0, None)
COMING = Look("activating", "start", 0, None)
CA = replace(COMING, lines=("token CA hash does not match the Cluster CA certificate hash",))
SILENT = replace(COMING, lines=("dial tcp 198.19.1.11:6443: connect: connection refused",))


def wait(looks: list[Look], timeout: float) -> Outcome:
    """Return how a wait ends that sees these looks, the last one again and again."""
    clock, left = Clock(), list(looks)
    look = lambda: left.pop(0) if len(left) > 1 else left[0]  # noqa: E731 - one line tells it
    return Wait(look, JOINER, clock, clock.sleep).run(timeout)


@pytest.mark.parametrize(
    ("looks", "timeout", "up", "seconds"),
    [
        pytest.param([UP], 600, True, 0, id="up-at-once"),
        pytest.param([COMING] * 7 + [UP], 600, True, 7, id="after-a-while"),
        pytest.param(
            [replace(UP, ready=False)] * 3 + [replace(UP, ready=True)],
            600,
            True,
            3,
            id="api-ready-later",
        ),
        pytest.param([COMING], 30, False, 30, id="never"),
        pytest.param([COMING], 0, False, 0, id="one-look"),
        pytest.param([CA], 600, False, 15, id="a-human-must-mend-it"),
        pytest.param([SILENT], 600, False, 90, id="server-away"),
        pytest.param([SILENT] * 60 + [UP], 600, True, 60, id="server-came-back"),
        pytest.param([CA] * 10 + [COMING] + [CA] * 10 + [UP], 600, True, 21, id="it-went-away"),
        pytest.param([replace(COMING, active_state="failed")], 600, False, 0, id="gave-up"),
        pytest.param(
            [replace(COMING, restarts=28), COMING]
            + [replace(COMING, restarts=11)] * 2
            + [replace(COMING, restarts=12)],
            600,
            False,
            4,
            id="too-many-failed-starts",
        ),
    ],
)
def test_the_wait_is_bounded(looks: list[Look], timeout: float, up: bool, seconds: float) -> None:
    outcome = wait(looks, timeout)
    assert (outcome.up, outcome.seconds) == (up, seconds)


def test_a_failure_says_what_why_and_what_next() -> None:
    outcome = wait([CA, replace(CA, restarts=3)], 600)
    text = failure("k3s-agent.service", outcome, ["the last line"])
    assert text.splitlines() == [
        "k3s-agent.service is not up after 15 s: systemd says activating (start), after 3 failed"
        " starts.",
        "Seen: 198.19.1.11:6443 shows another CA than the one that this node was told to trust."
        " Next: find out who answers at 198.19.1.11:6443; when the cluster was founded anew, take"
        " this node out with reset.yml --limit, then run provision.yml again.",
        "The unit stays as it is and systemd tries it again; end that with 'systemctl stop"
        " k3s-agent.service', read on with 'journalctl --unit k3s-agent.service' on this node.",
        "Last lines of its log:",
        "the last line",
    ]


def test_an_api_that_does_not_answer_is_told() -> None:
    outcome = wait([replace(UP, ready=False)], 5)
    assert "systemd says active (running), and its API does not answer." in failure(
        "k3s.service", outcome, []
    )
