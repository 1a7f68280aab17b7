# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about playbooks that go on after a run that was cut off, with stand-ins for the roles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.playbooks.stand_in_collection import Collection

FAIL = """
- name: Fail as Ray's drain does when its time is over
  ansible.builtin.fail:
    msg: "w1 is not drained within 600 s: still there: Holder."
"""
CERTIFICATES = """
- name: Tell what the module would
  ansible.builtin.set_fact:
    __k3s_certificates: {backup: /tls-1, seconds: 1.0}
"""


@pytest.fixture
def collection(tmp_path: Path, repository: Path) -> Collection:
    return Collection(tmp_path, repository)


def test_pods_come_again_that_a_drain_before_this_one_has_sent_away(collection: Collection) -> None:
    # The first run was ended while it waited for Ray; k3s has nothing to do for the second one.
    emptied = collection.call("k3s/drain", changed=False)
    closed = collection.call("k3s/undrain")
    collection.build({"k3s/drain": emptied, "k3s/undrain": closed, "ray/drain": FAIL})
    code, said = collection.play("drain.yml", "-e", "node=w1")
    assert code == 2, said
    assert "w1 is not drained within 600 s: still there: Holder." in said
    assert collection.calls == ["k3s/drain w1", "k3s/undrain w1"]


def test_a_node_that_is_drained_already_stays_so(collection: Collection) -> None:
    emptied = collection.call("k3s/drain", changed=False)
    ended = collection.call("ray/drain", changed=False) + (
        "- ansible.builtin.set_fact:\n    __ray_drain_result: {lost: []}\n"
    )
    closed = collection.call("k3s/undrain")
    collection.build({"k3s/drain": emptied, "k3s/undrain": closed, "ray/drain": ended})
    code, said = collection.play("drain.yml", "-e", "node=w1")
    assert code == 0, said
    assert collection.calls == ["k3s/drain w1", "ray/drain w1"]


def rotation(collection: Collection, *options: str, **states: str) -> tuple[int, str]:
    """Return how certificates were rotated where units are not active, by host."""
    collection.build(
        {
            "k3s/certificates": collection.call("k3s/certificates") + CERTIFICATES,
            "k3s/kubeconfig": collection.call("k3s/kubeconfig"),
        }
    )
    # What k3s_cluster_info tells of each host.
    unit = "'unit': 'k3s-' ~ inventory_hostname"
    state = "'unit_state': states[inventory_hostname] | default('active')"
    seen = {"__rotate_k3s": f"{{{{ {{{unit}, {state}}} }}}}", "states": states}
    return collection.play("rotate_k3s_certificates.yml", "-e", json.dumps(seen), *options)


TURNS = ["s1", "s2", "s3"]


def test_a_server_that_was_left_stopped_is_started_before_the_first_turn(
    collection: Collection,
) -> None:
    code, said = rotation(collection, s2="inactive")
    assert code == 0, said
    assert collection.calls == [
        "systemd/started k3s-s2",
        *(f"k3s/certificates {name}" for name in TURNS),
        "k3s/kubeconfig s1",
        "k3s/certificates w1",
        "k3s/certificates a1",
    ]
    assert "s2: k3s-s2 is inactive, expected active, as after a run that was cut off." in said


def test_the_first_server_is_started_by_its_own_turn_and_agents_after_the_servers(
    collection: Collection,
) -> None:
    code, said = rotation(collection, s1="inactive", s3="failed", w1="inactive")
    assert code == 0, said
    assert [call for call in collection.calls if call.startswith("systemd")] == [
        "systemd/started k3s-s3",
        "systemd/started k3s-w1",
    ]
    assert collection.calls.index("k3s/certificates s3") < collection.calls.index(
        "systemd/started k3s-w1"
    )


def test_nothing_is_started_where_all_runs_or_in_check_mode(collection: Collection) -> None:
    code, said = rotation(collection, "--check", s2="inactive", s3="activating")
    assert code == 0, said
    assert "s2: k3s-s2 is inactive" in said
    assert "It would be started first." in said
    assert "s3: k3s-s3" not in said
    assert collection.calls == []
