"""Claims about judging an exporter."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_metrics_check import (
    UNIT,
    Answer,
    Found,
    judge_collector,
    judge_exporter,
    judge_port,
    parse_metrics,
)

URL = "http://10.0.0.1:9100/metrics"
METRICS = """\
# HELP node_uname_info About.
node_uname_info{release="6.12",nodename="a"} 1
node_textfile_scrape_error 0
gpu_cluster_gpus_expected 8
gpu_cluster_gpus_present 8
gpu_cluster_gpus_usable 7
gpu_cluster_collector_last_run_timestamp_seconds 1.795399041e+09
gpu_cluster_collector_error{part="gpu"} 0
gpu_cluster_collector_error{part="certificates"} 1
broken {
"""


def test_what_counts_is_found_among_all_values() -> None:
    gpus = {"expected": 8, "present": 8, "usable": 7}
    assert parse_metrics(METRICS) == Found(8, 1795399041.0, False, ("certificates",), gpus)


def test_an_exporter_that_answers_only_who_may_ask_is_right() -> None:
    assert judge_exporter(URL, Answer(401), Answer(200)) == []


def test_an_exporter_that_answers_everybody_is_wrong() -> None:
    (problem,) = judge_exporter(URL, Answer(200), Answer(200))
    assert problem.startswith(f"{URL} without a password: saw status 200, expected status 401;")


def test_an_exporter_that_does_not_answer_is_wrong_and_the_next_command_is_named() -> None:
    (problem,) = judge_exporter(URL, None, Answer(error="no answer (refused)"))
    assert problem == (
        f"{URL}: saw no answer (refused), expected status 200; try 'systemctl status {UNIT}' and "
        f"'journalctl --unit {UNIT}' on this node"
    )


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(Found(1, 1000.0), [], id="fresh"),
        pytest.param(Found(1, 900.0), ["values are 101 s old, expected 60 s at most"], id="old"),
        pytest.param(Found(1), ["shows no gpu_cluster_collector_last_run"], id="none"),
        pytest.param(Found(1, 1000.0, True), ["node_textfile_scrape_error is 1"], id="unreadable"),
        pytest.param(
            Found(1, 900.0, False, ("gpu", "packages")),
            ["101 s old", "could not read: gpu, packages;"],
            id="old-and-failed",
        ),
    ],
)
def test_old_missing_and_failed_values_are_named(found: Found, words: list[str]) -> None:
    problems = judge_collector(found, 1001.0, 60, "/var/lib/x")
    assert len(problems) == len(words)
    assert all(word in problem for word, problem in zip(words, problems, strict=True))


def listener(**changes: Any) -> dict[str, Any]:
    row = {
        "protocol": "tcp",
        "address": "*",
        "ports": "9100",
        "pid": 77,
        "process": "node_exporter",
        "command": "node_exporter --web",
        "unit": None,
        "container": None,
        "container_name": None,
        "uid": 0,
    }
    return {**row, **changes}


@pytest.mark.parametrize(
    ("row", "who"),
    [
        pytest.param(listener(), "process 77 (node_exporter --web)", id="process"),
        pytest.param(
            listener(unit="node_exporter.service", address="10.0.0.1"),
            "unit node_exporter.service, process 77 (node_exporter --web)",
            id="unit",
        ),
        pytest.param(
            listener(container="abc", container_name="exporter", pid=None),
            "container exporter",
            id="container",
        ),
        pytest.param(listener(pid=None, ports="9000-9200"), "a process of user 0", id="hidden"),
    ],
)
def test_a_stranger_at_the_port_is_named_with_the_ways_out(row: dict[str, Any], who: str) -> None:
    assert judge_port([row], "10.0.0.1", 9100, [UNIT]) == (
        f"tcp port 9100 of 10.0.0.1 is held by {who}, expected it free for the node exporter. If "
        "that is an exporter of yours that is to stay, set node_metrics_source=existing; else stop "
        "it, or set node_metrics_port to a free port"
    )


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(listener(unit=UNIT), id="ours"),
        pytest.param(listener(address="10.9.9.9"), id="another-address"),
        pytest.param(listener(ports="9101"), id="another-port"),
        pytest.param(listener(protocol="udp"), id="udp"),
    ],
)
def test_whoever_is_not_in_the_way_is_left_alone(row: dict[str, Any]) -> None:
    assert judge_port([row], "10.0.0.1", 9100, [UNIT]) == ""
