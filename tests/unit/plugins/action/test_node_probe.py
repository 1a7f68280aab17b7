"""Claims about the parts of node_probe that need no node."""

from __future__ import annotations

import signal

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.action.node_probe import (
    Outcome,
    ProbeTimeoutError,
    split_words,
    time_limit,
    with_clock_offset,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)


def test_a_silent_node_is_given_up_in_time() -> None:
    with pytest.raises(ProbeTimeoutError), time_limit(1):
        signal.pause()


def test_the_time_limit_leaves_no_alarm_behind() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with time_limit(60):
        pass
    assert signal.alarm(0) == 0
    assert signal.getsignal(signal.SIGALRM) is before


def test_an_unreachable_node_is_data_and_no_failure() -> None:
    finding = Finding(Severity.ERROR, "unreachable", "n1", "M.")
    assert Outcome(reachable=False, findings=(finding,)).to_result() == {
        "changed": False,
        "failed": False,
        "reachable": False,
        "sudo": False,
        "findings": [finding.to_dict()],
        "ansible_facts": {},
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [], id="empty"),
        pytest.param(
            "-o 'ProxyCommand=ssh -W %h:%p gw' -4",
            ["-o", "ProxyCommand=ssh -W %h:%p gw", "-4"],
            id="quotes",
        ),
        pytest.param("-o 'broken", ["-o 'broken"], id="broken-quotes"),
    ],
)
def test_ssh_arguments_are_split_like_a_shell_does(text: str, expected: list[str]) -> None:
    assert split_words(text) == expected


def test_the_nodes_clock_is_bounded_by_when_it_was_asked() -> None:
    clock = {"clock": 1000.0, "clock_end": 1001.5}
    facts = {"gpu_cluster": {"hostname": "n1", "system": clock}}
    assert with_clock_offset(facts, before=990.0, after=992.5) == {
        "gpu_cluster": {"hostname": "n1", "system": {**clock, "clock_offset": [9.0, 10.0]}}
    }


@pytest.mark.parametrize(
    "node",
    [
        pytest.param({"hostname": "n1"}, id="not-surveyed"),
        pytest.param({"system": {"clock": None, "clock_end": 2.0}}, id="clock-unknown"),
    ],
)
def test_a_clock_that_nobody_read_is_not_judged(node: dict[str, object]) -> None:
    assert with_clock_offset({"gpu_cluster": node}, 1.0, 2.0) == {"gpu_cluster": node}
