# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How samples of two servers are compared."""

from __future__ import annotations

import json

import pytest

from tests.testinfra.monitoring.receiver import count, lost, samples, vmauth_config

UP = (("__name__", "up"), ("node", "a"))


def answer(*values: list[object], **labels: str) -> dict[str, object]:
    """Return a range selector's answer of one series."""
    metric = {"__name__": "up", "node": "a", **labels}
    return {"resultType": "matrix", "result": [{"metric": metric, "values": list(values)}]}


def test_samples_are_known_by_their_series_and_moment() -> None:
    assert samples(answer([10.5, "1"], [15.5, "0"])) == {UP: {10.5: 1.0, 15.5: 0.0}}


def test_labels_that_only_one_side_has_can_be_left_out() -> None:
    assert samples(answer([10.5, "1"], cluster="x"), ["cluster"]) == {UP: {10.5: 1.0}}


def test_a_sample_that_the_receiver_lacks_is_lost() -> None:
    assert lost({UP: {10.5: 1.0, 15.5: 1.0}}, {UP: {10.5: 1.0}}) == [(UP, 15.5)]


def test_a_series_that_the_receiver_lacks_is_lost() -> None:
    assert lost({UP: {10.5: 1.0}}, {}) == [(UP, 10.5)]


def test_a_sample_with_another_value_is_lost() -> None:
    assert lost({UP: {10.5: 1.0}}, {UP: {10.5: 0.0}}) == [(UP, 10.5)]


@pytest.mark.parametrize(
    ("source", "receiver"),
    [
        pytest.param(float("nan"), float("nan"), id="not-a-number"),
        pytest.param(float("inf"), float("inf"), id="infinite"),
        pytest.param(0.12345678901234568, 0.123456789012346, id="the-16th-digit-differs"),
    ],
)
def test_a_value_that_the_receiver_keeps_is_no_loss(source: float, receiver: float) -> None:
    assert lost({UP: {10.5: source}}, {UP: {10.5: receiver}}) == []


def test_what_the_receiver_has_beyond_the_source_is_no_loss() -> None:
    assert lost({UP: {10.5: 1.0}}, {UP: {10.5: 1.0, 15.5: 1.0}}) == []


def test_every_sample_of_every_series_counts() -> None:
    assert count({UP: {10.5: 1.0, 15.5: 1.0}, (("__name__", "x"),): {10.5: 3.0}}) == 3


def test_the_door_opens_one_path_with_a_password() -> None:
    user = json.loads(vmauth_config("secret"))["users"][0]
    assert (user["username"], user["password"]) == ("writer", "secret")
    assert user["url_map"][0]["src_paths"] == ["/insert/0/prometheus/api/v1/write"]
