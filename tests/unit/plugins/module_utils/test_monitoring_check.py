"""Claims about the judgement of a monitoring server's answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.monitoring_check import (
    MonitoringCheckError,
    Sample,
    Target,
    age_query,
    expected_targets,
    metric_problems,
    parse_last_errors,
    parse_samples,
    rule_problems,
    rules_wait,
    target_problems,
)

A = Target("gpu-1", "node", "192.0.2.1:9100")
WORDS = "target 192.0.2.1:9100 (job node, host gpu-1)"
COMMAND = "on gpu-1: systemctl status prometheus-node-exporter.service"


def answer(**data: Any) -> str:
    """Return what the API answers."""
    return json.dumps({"status": "success", "data": data})


def test_targets_are_listed_by_host_and_job() -> None:
    targets = {"gpu-1": {"node": [{"targets": ["192.0.2.1:9100"]}], "ray": []}}
    assert expected_targets(targets) == [A]


def test_answers_are_read() -> None:
    row = {"metric": {"job": "node", "instance": "192.0.2.1:9100"}, "value": [1.5, "1"]}
    assert parse_samples(answer(result=[row])) == [Sample("node", "192.0.2.1:9100", 1.0)]
    target = {"labels": {"job": "node", "instance": "192.0.2.1:9100"}, "lastError": "refused"}
    assert parse_last_errors(answer(activeTargets=[target])) == {
        ("node", "192.0.2.1:9100"): "refused"
    }


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<html>", id="a-page"),
        pytest.param('{"status": "error", "error": "bad"}', id="an-error"),
        pytest.param("[]", id="a-list"),
    ],
)
def test_an_answer_of_something_else_is_named(text: str) -> None:
    with pytest.raises(MonitoringCheckError, match="the server answered"):
        parse_samples(text)


@pytest.mark.parametrize(
    ("up", "errors", "expected"),
    [
        pytest.param([Sample("node", A.address, 1.0)], {}, [], id="up"),
        pytest.param(
            [Sample("node", A.address, 0.0)],
            {("node", A.address): "connection refused"},
            [f"{WORDS}: saw 'connection refused', expected up; {COMMAND}"],
            id="down",
        ),
        pytest.param(
            [],
            {("node", A.address): ""},
            [f"{WORDS}: saw 'no scrape of it', expected up; {COMMAND}"],
            id="not-scraped-yet",
        ),
        pytest.param(
            [Sample("ray", A.address, 1.0)],
            {},
            [f"{WORDS}: saw 'not among the server's targets', expected up; {COMMAND}"],
            id="unknown-to-the-server",
        ),
    ],
)
def test_a_target_that_is_not_up_is_named_with_the_next_command(
    up: list[Sample], errors: dict[tuple[str, str], str], expected: list[str]
) -> None:
    assert target_problems([A], up, errors) == expected


@pytest.mark.parametrize(
    ("ages", "seen"),
    [
        pytest.param([], "no sample", id="missing"),
        pytest.param([Sample("node", A.address, 61.0)], "the last sample 61 s old", id="old"),
    ],
)
def test_a_metric_that_is_not_fresh_is_named(ages: list[Sample], seen: str) -> None:
    assert metric_problems("up_x", [A], ages, 60) == [
        f"metric up_x of {WORDS}: saw {seen}, expected one within 60 s; {COMMAND}"
    ]


def test_a_fresh_metric_is_no_problem() -> None:
    assert metric_problems("up_x", [A], [Sample("node", A.address, 60.0)], 60) == []


def test_the_age_of_a_metric_is_asked_by_target() -> None:
    assert age_query("up_x", "node") == (
        'min by (job, instance) (time() - timestamp(up_x{job="node"}))'
    )


def test_a_rule_that_fails_is_named() -> None:
    rules = [{"name": "NodeDown", "health": "err", "lastError": "bad"}, {"health": "ok"}]
    assert rule_problems(answer(groups=[{"name": "nodes", "rules": rules}])) == [
        "rule NodeDown of group nodes: saw 'bad', expected it to be judged without an error"
    ]


def test_a_rule_that_was_not_judged_yet_is_waited_for() -> None:
    assert rules_wait(answer(groups=[{"rules": [{"health": "unknown"}]}]))
    assert not rules_wait(answer(groups=[{"rules": [{"health": "ok"}]}]))
