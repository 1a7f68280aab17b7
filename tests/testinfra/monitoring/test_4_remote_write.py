# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples for an outside vminsert that was away since the tests of alerts began."""

from __future__ import annotations

import time

from tests.testinfra.monitoring import receiver
from tests.testinfra.monitoring.conftest import NAMES, Absence
from tests.testinfra.monitoring.support import Server
from tests.testinfra.ray_cluster import until

HEAD, _WORKER, MONITORING = NAMES
SELECTOR = '{job="node"}'


def test_no_sample_is_lost_while_the_receiver_is_away(prometheus: Server, absence: Absence) -> None:
    until(
        lambda: time.time() - absence.began > receiver.ABSENCE_SECONDS,
        f"an absence of {receiver.ABSENCE_SECONDS} s",
        receiver.ABSENCE_SECONDS + 60,
    )
    back = absence.end()
    door = receiver.Door(MONITORING, prometheus.address, prometheus.user, prometheus.password)
    begin, end = absence.began - 30, back + 15
    until(lambda: time.time() > end, "some samples after the absence")
    held, lost, _seconds = receiver.wait_for_catch_up(door, SELECTOR, HEAD, begin, end)
    assert lost == []
    away = receiver.read_samples(door, 'up{job="node"}', absence.began, back)
    # 5 s apart on three nodes, and the tests went on meanwhile.
    assert held > receiver.count(away) > receiver.ABSENCE_SECONDS / 5
