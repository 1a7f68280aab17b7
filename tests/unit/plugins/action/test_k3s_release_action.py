"""Claims about the control node's half of k3s_release."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.action.k3s_release import (
    files_of,
    matches,
    sentence,
)

PLANNED = {"directory": "/srv/k3s", "version": "v1", "findings": []}


@pytest.mark.parametrize(
    ("planned", "expected"),
    [
        pytest.param(PLANNED, True, id="the-same"),
        pytest.param({**PLANNED, "version": "v2"}, False, id="another-version"),
        pytest.param({**PLANNED, "directory": ""}, False, id="another-directory"),
        pytest.param({"skipped": True}, False, id="skipped"),
        pytest.param({}, False, id="nothing"),
    ],
)
def test_what_was_found_counts_only_for_the_same_release(
    planned: dict[str, object], expected: bool
) -> None:
    assert matches(planned, "/srv/k3s", "v1") is expected


def test_only_the_files_that_are_asked_for_travel() -> None:
    artifact = {"binary": {"name": "k3s"}, "images": [{"name": "a.tar"}, {"name": "b.tar"}]}
    assert files_of(artifact, ["b.tar", "k3s"]) == [{"name": "b.tar"}, {"name": "k3s"}]


def test_several_problems_are_one_message_with_each_fix_once() -> None:
    findings = [
        {"message": "k3s is damaged.", "seen": "1", "expected": "2", "fix": "fetch"},
        {"message": "i.tar is damaged.", "seen": "3", "expected": "", "fix": "fetch"},
    ]
    assert sentence(findings) == (
        "k3s is damaged. Saw 1, expected 2. i.tar is damaged. Saw 3. Fix: fetch"
    )
