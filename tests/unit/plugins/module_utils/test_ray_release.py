# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the releases of Ray that a node has."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_release import (
    Kept,
    Release,
    parse_kept,
    refusal,
    release_in_unit,
    switched,
)

VENV_UNIT = """[Service]
ExecStartPre=-+/usr/bin/find /var/lib/ray/tmp -exec rm -rf {} +
ExecStart=/opt/ray/2.59.0/bin/ray start \\
    --head
"""
IMAGE_UNIT = """[Service]
ExecStart=/usr/bin/docker run --rm --name ray --network host \\
    --env A=B \\
    registry:5000/team/ray:2.59.0 ray start \\
    --head
ExecStop=/usr/bin/docker stop --time 30 ray
"""


def venv(version: str) -> Release:
    """Return a release in a virtual environment."""
    return Release(version, "venv", f"/opt/ray/{version}")


A, B, C = venv("2.58.0"), venv("2.59.0"), venv("2.60.0")


@pytest.mark.parametrize(
    ("text", "running", "release"),
    [
        pytest.param(VENV_UNIT, "2.59.0", B, id="venv"),
        pytest.param(VENV_UNIT, "", B, id="venv-that-does-not-run"),
        pytest.param(
            IMAGE_UNIT,
            "",
            Release("2.59.0", "container", "registry:5000/team/ray:2.59.0"),
            id="image-by-its-tag",
        ),
        pytest.param(
            IMAGE_UNIT.replace("ray:2.59.0", "ray"),
            "2.59.0",
            Release("2.59.0", "container", "registry:5000/team/ray"),
            id="image-without-a-tag",
        ),
        pytest.param(
            IMAGE_UNIT.replace("ray:2.59.0", "ray"),
            "",
            Release("", "container", "registry:5000/team/ray"),
            id="nobody-knows",
        ),
        pytest.param("[Service]\nExecStart=/usr/bin/myray\n", "2.9.0", None, id="an-owners-unit"),
        pytest.param("", "", None, id="no-unit"),
    ],
)
def test_the_unit_tells_the_release(text: str, running: str, release: Release | None) -> None:
    assert release_in_unit(text, running) == release


@pytest.mark.parametrize(
    ("kept", "now", "to", "back", "after"),
    [
        pytest.param(Kept(), None, C, False, Kept(), id="first-install"),
        pytest.param(Kept(A), B, B, False, Kept(A), id="nothing-changes"),
        pytest.param(Kept(), B, C, False, Kept(B), id="the-old-one-is-kept"),
        pytest.param(Kept(A), B, C, False, Kept(B, (A,)), id="the-one-before-is-left"),
        pytest.param(Kept(B), C, B, True, Kept(B, (C,)), id="back"),
        pytest.param(Kept(B, (C,)), C, B, True, Kept(B, (C,)), id="back-once-more"),
        pytest.param(Kept(B, (C,)), B, C, False, Kept(B), id="forward-again"),
        pytest.param(Kept(B, (C,)), B, B, True, Kept(B, (C,)), id="back-already"),
    ],
)
def test_what_is_kept_after_a_switch(
    kept: Kept, now: Release | None, to: Release, back: bool, after: Kept
) -> None:
    assert switched(kept, now, to, back) == after


def test_the_record_survives_being_written() -> None:
    assert parse_kept(Kept(B, (A,)).text()) == Kept(B, (A,))


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", '{"previous": {"version": "1"}}', '{"left": 3}']
)
def test_an_unreadable_record_is_none(text: str | None) -> None:
    assert parse_kept(text) == Kept()


@pytest.mark.parametrize(
    ("running", "wanted", "head"),
    [
        pytest.param("", "2.60.0", "", id="nothing-runs"),
        pytest.param("2.60.0", "2.60.0", "", id="equal"),
        pytest.param("2.59.0", "2.60.0", "2.60.0", id="the-head-went-ahead"),
        pytest.param("", "2.60.0", "2.60.0", id="joins-its-like"),
    ],
)
def test_what_loses_nothing_is_let_through(running: str, wanted: str, head: str) -> None:
    assert refusal("n1", running, wanted, head) == ""


@pytest.mark.parametrize("wanted", ["2.60.0", "2.58.0"], ids=["newer", "older"])
def test_another_version_is_left_to_the_upgrade(wanted: str) -> None:
    said = refusal("n1", "2.59.0", wanted, "")
    assert said.startswith(f"n1 runs Ray 2.59.0 in a cluster, and ray_version is {wanted}")
    assert "upgrade.yml" in said
    assert "set ray_version back to 2.59.0" in said


def test_a_worker_of_another_version_than_its_head_is_refused() -> None:
    said = refusal("n2", "", "2.60.0", "2.59.0")
    assert "the head runs Ray 2.59.0" in said
    assert "Set ray_version to 2.59.0" in said
