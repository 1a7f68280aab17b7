# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What brings k3s's unit to its present configuration, and when it counts as up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_diagnosis import (
    Diagnosis,
    Situation,
    diagnose,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.unit_state import UnitState

_ENABLED = ("enabled", "enabled-runtime", "static", "indirect", "generated", "alias")
ROTATED = "token replaced"
#: Seconds between two looks at the unit.
PAUSE = 1.0
#: Failed starts after which another one is not worth the wait, whatever the reason.
MOST_STARTS = 12


@dataclass(frozen=True)
class Reasons:
    """Why a running unit must be restarted: each is a short text, empty when it does not hold."""

    changed_inputs: bool = False
    younger: tuple[str, ...] = ()
    gpu_runtime: str = ""


def plan(seen: UnitState, reasons: Reasons, rotate: bool) -> list[str]:
    """Return what must be done, in order: enabled, token replaced, started, restarted.

    A unit that is on its way up with its present files is waited for, not restarted: a second
    restart would end what the first began.
    """
    steps = [] if seen.file_state in _ENABLED else ["enabled"]
    stale = reasons.changed_inputs or seen.needs_reload or bool(reasons.younger)
    stale = stale or bool(reasons.gpu_runtime)
    if seen.active_state in ("active", "reloading"):
        if rotate:
            steps.append(ROTATED)
        return [*steps, "restarted"] if stale or rotate else steps
    if seen.active_state == "activating":
        # Between two attempts, the present files are tried at once.
        on_its_way = seen.sub_state != "auto-restart" and not stale
        return steps if on_its_way else [*steps, "restarted"]
    return [*steps, "started"]


def explain(seen: UnitState, reasons: Reasons) -> list[str]:
    """Return, in words, why a unit is restarted."""
    why = [f"{path} is younger than the running k3s" for path in reasons.younger]
    if reasons.gpu_runtime:
        why.append(f"{reasons.gpu_runtime} appeared after k3s had looked for it")
    if seen.needs_reload:
        why.append("its unit file changed")
    return why


@dataclass(frozen=True)
class Look:
    """One look at the unit. ``ready`` is what the API says of itself, None for an agent."""

    active_state: str
    sub_state: str
    restarts: int
    ready: Optional[bool]
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How the wait ended: the last look, the seconds it took, failed starts, the fault found."""

    up: bool
    look: Look
    seconds: float
    failed_starts: int = 0
    diagnosis: Optional[Diagnosis] = None


@dataclass
class Wait:
    """Waits for a unit, until it is up, fails for good or the time is over."""

    look: Callable[[], Look]
    situation: Situation
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    _since: dict[str, float] = field(default_factory=dict)

    def run(self, timeout: float) -> Outcome:
        """Return how it ended."""
        begin, earlier = self.clock(), None
        while True:
            look = self.look()
            spent = self.clock() - begin
            if is_up(look):
                return Outcome(True, look, spent)
            # systemd counts on from before, and begins anew at some time after a restart.
            earlier = look.restarts if earlier is None else min(earlier, look.restarts)
            starts = look.restarts - earlier
            diagnosis = diagnose(look.lines, self.situation)
            ended = look.active_state == "failed" or starts >= MOST_STARTS
            if spent >= timeout or ended or self._is_sure(diagnosis):
                return Outcome(False, look, spent, starts, diagnosis)
            self.sleep(PAUSE)

    def _is_sure(self, diagnosis: Optional[Diagnosis]) -> bool:
        """Return whether the same fault has lasted so long that no change is to be expected."""
        if diagnosis is None:
            self._since.clear()
            return False
        now = self.clock()
        if diagnosis.code not in self._since:
            self._since = {diagnosis.code: now}
        return now - self._since[diagnosis.code] >= diagnosis.patience


def is_up(look: Look) -> bool:
    """Return whether k3s runs, and on a server answers."""
    return look.active_state == "active" and look.ready is not False


def failure(unit: str, outcome: Outcome, lines: Sequence[str]) -> str:
    """Return what a user reads about a k3s that did not come up."""
    state = f"{outcome.look.active_state} ({outcome.look.sub_state})"
    api = ", and its API does not answer" if outcome.look.active_state == "active" else ""
    tries = f", after {outcome.failed_starts} failed starts" if outcome.failed_starts else ""
    text = [
        f"{unit} is not up after {outcome.seconds:.0f} s: systemd says {state}{tries}{api}.",
    ]
    if outcome.diagnosis:
        text.append(f"Seen: {outcome.diagnosis.what}. Next: {outcome.diagnosis.fix}.")
    text.append(
        f"The unit stays as it is and systemd tries it again; end that with 'systemctl stop {unit}'"
        f", read on with 'journalctl --unit {unit}' on this node."
    )
    text += ["Last lines of its log:", *lines] if lines else ["Its log is empty."]
    return "\n".join(text)
