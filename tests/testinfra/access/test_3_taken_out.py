# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key and the rule are taken out again, and nobody is locked out."""

from __future__ import annotations

from tests.testinfra.access.conftest import Desk

ABSENT = ("-e", "bootstrap_state=absent")


def test_the_only_login_is_not_taken_away(desk: Desk) -> None:
    stand = {node: desk.stand(node) for node in desk.nodes}
    played = desk.bootstrap(desk.inventory(), *ABSENT)
    assert played.rc == 2
    assert "taking it out would lock you out" in played.prose
    assert {node: desk.stand(node) for node in desk.nodes} == stand


def test_with_another_login_everything_is_as_it_was(desk: Desk, before: dict[str, str]) -> None:
    played = desk.bootstrap(desk.inventory(), *ABSENT, *desk.with_password)
    assert played.rc == 0
    assert played.changed == dict.fromkeys(desk.nodes, 1)
    assert {node: desk.stand(node) for node in desk.nodes} == before


def test_taking_out_twice_changes_nothing(desk: Desk) -> None:
    played = desk.bootstrap(desk.inventory(), *ABSENT, *desk.with_password)
    assert played.rc == 0
    assert played.changed == dict.fromkeys(desk.nodes, 0)
