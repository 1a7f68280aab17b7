# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the record of a cluster and its lock."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_record import (
    ALIVE,
    DEAD,
    ELSEWHERE,
    MOST_OPERATIONS,
    LockedError,
    Operation,
    Process,
    Record,
    RecordError,
    begin,
    end,
    judge_process,
    parse_record,
    reach,
    render_record,
    running,
    settle,
    span_words,
    unfinished,
)

ME = Process("ctl", 4711, "boot-1", "pid:[1]", "1000")
OTHER = Process("ctl", 4000, "boot-1", "pid:[1]", "900")
AT, LATER = "2026-01-31T09:00:00Z", "2026-01-31T09:12:05Z"
EMPTY = Record("lab")


def an_operation(name: str = "provision", process: Process = ME, **members: object) -> Operation:
    """Return an operation that has begun."""
    return replace(Operation(name, "ops", process, AT, "again"), **members)  # type: ignore[arg-type]


def seen(life: str) -> Callable[[Process], str]:
    """Return eyes that see every process so."""
    return lambda _process: life


HELD = Record("lab", None, (an_operation("upgrade", OTHER, phase="agents"),))


@pytest.mark.parametrize(
    ("noted", "start_now", "expected"),
    [
        pytest.param(ME, "1000", ALIVE, id="the-same-process"),
        pytest.param(ME, None, DEAD, id="no-such-process"),
        pytest.param(ME, "5000", DEAD, id="its-number-went-to-another"),
        pytest.param(replace(ME, boot="boot-0"), "1000", DEAD, id="the-machine-was-booted"),
        pytest.param(replace(ME, host="other"), "1000", ELSEWHERE, id="another-machine"),
        pytest.param(replace(ME, space="pid:[2]"), "1000", ELSEWHERE, id="another-container"),
    ],
)
def test_a_holder_is_told_from_one_that_has_its_number(
    noted: Process, start_now: str | None, expected: str
) -> None:
    assert judge_process(noted, ME, start_now) == expected


def test_the_second_run_is_refused_and_told_who_holds_the_lock() -> None:
    with pytest.raises(LockedError) as refused:
        begin(HELD, an_operation(begun=LATER), seen(ALIVE))
    assert str(refused.value) == (
        "The cluster lab is in other hands: upgrade by ops@ctl, process 4000, since "
        "2026-01-31T09:00:00Z (12 min 5 s). Nothing was changed. Wait until it has ended "
        "(status.yml shows it), or stop it with 'kill -INT 4000'. Then run the same command again."
    )


def test_a_living_holder_cannot_be_passed() -> None:
    with pytest.raises(LockedError):
        begin(HELD, an_operation(begun=LATER), seen(ALIVE), take=True)


@pytest.mark.parametrize(
    ("phase", "result"),
    [
        pytest.param("agents", "interrupted", id="in-its-work"),
        pytest.param("", "interrupted", id="nobody-knows-where"),
        pytest.param("checks", "refused", id="before-the-first-change"),
    ],
)
def test_a_dead_holder_is_noted_and_passed(phase: str, result: str) -> None:
    held = Record("lab", None, (an_operation("upgrade", OTHER, phase=phase),))
    record = begin(held, an_operation(), seen(DEAD))
    assert [each.result for each in record.operations] == [result, "running"]
    assert record.operations[0].ended is None


def test_a_holder_on_another_machine_is_passed_only_when_told_so() -> None:
    with pytest.raises(LockedError, match="-e cluster_take_lock=true"):
        begin(HELD, an_operation(begun=LATER), seen(ELSEWHERE))
    record = begin(HELD, an_operation(), seen(ELSEWHERE), take=True)
    assert record.operations[0].result == "interrupted"
    assert record.operations[0].note == "ops@ctl took the lock with cluster_take_lock"


def test_operations_of_one_run_lie_within_each_other() -> None:
    record = begin(begin(EMPTY, an_operation("upgrade"), seen(ALIVE)), an_operation(), seen(ALIVE))
    record = end(record, ME, "provision", LATER, (), whole=True)
    now = running(record)
    assert now is not None
    assert now.name == "upgrade"
    record = end(record, ME, "upgrade", LATER, (), whole=True)
    assert running(record) is None
    assert [each.result for each in record.operations] == ["succeeded", "succeeded"]


def test_an_end_without_a_beginning_changes_nothing() -> None:
    assert end(HELD, ME, "upgrade", LATER, (), whole=True) == HELD
    assert reach(HELD, ME, "agents") == HELD


def test_a_node_that_failed_is_on_record_and_the_operation_unfinished() -> None:
    record = end(begin(EMPTY, an_operation(), seen(ALIVE)), ME, "provision", LATER, ("n2",), True)
    left = unfinished(record)
    assert left is not None
    assert (left.result, left.failed_hosts, left.seconds) == ("failed", ("n2",), 725)
    assert record.initialized is None


@pytest.mark.parametrize(
    ("name", "whole", "expected"),
    [
        pytest.param("provision", True, AT, id="provision-again-keeps-the-first-time"),
        pytest.param("reset", False, AT, id="reset-of-one-node"),
        pytest.param("reset", True, None, id="reset-of-all"),
    ],
)
def test_when_it_first_stood_is_kept_until_all_is_gone(
    name: str, whole: bool, expected: str | None
) -> None:
    record = Record("lab", AT, (an_operation(name),))
    assert end(record, ME, name, LATER, (), whole).initialized == expected


def test_a_cluster_that_stands_without_a_record_has_stood_before() -> None:
    fresh = begin(EMPTY, an_operation(), seen(DEAD))
    assert reach(fresh, ME, "changes", stands=LATER).initialized == LATER
    known = begin(HELD, an_operation(), seen(DEAD))
    assert reach(known, ME, "changes", stands=LATER).initialized is None


DONE = an_operation("provision", OTHER, ended=AT, result="succeeded")


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        pytest.param((), None, id="nothing-on-record"),
        pytest.param((DONE,), None, id="done"),
        pytest.param((an_operation("upgrade", result="interrupted"),), "upgrade", id="interrupted"),
        pytest.param((an_operation("upgrade", result="refused"),), None, id="refused"),
        pytest.param(
            (an_operation("upgrade", result="interrupted"), DONE), "upgrade", id="another-one-since"
        ),
        pytest.param((an_operation(result="interrupted"), DONE), None, id="made-good-since"),
        pytest.param(
            (an_operation("upgrade", result="interrupted"), an_operation(result="interrupted")),
            "upgrade",
            id="the-outer-one-of-two-in-one-run",
        ),
        pytest.param(
            (
                an_operation("upgrade", result="interrupted"),
                an_operation("reset", OTHER, result="succeeded"),
            ),
            None,
            id="all-was-taken-out-since",
        ),
    ],
)
def test_what_has_to_be_finished_is_remembered(
    operations: tuple[Operation, ...], expected: str | None
) -> None:
    left = unfinished(Record("lab", None, operations))
    assert (left.name if left else None) == expected


def left(name: str, *nodes: str, **members: object) -> Operation:
    """Return an operation that did not reach its end."""
    return an_operation(name, OTHER, **{"result": "interrupted", "nodes": nodes, **members})


def done(name: str, *nodes: str) -> Operation:
    """Return an operation that did."""
    return an_operation(name, ME, result="succeeded", nodes=nodes)


@pytest.mark.parametrize(
    ("before", "later", "is_left"),
    [
        pytest.param(left("drain", "n3"), [done("drain", "n3")], False, id="the-same-again"),
        pytest.param(left("remove_node", "n3"), [done("remove_node", "n4")], True, id="another"),
        pytest.param(left("upgrade"), [done("upgrade", "n4")], True, id="a-part-of-it"),
        pytest.param(left("upgrade", "n4"), [done("upgrade")], False, id="all-of-the-cluster"),
        pytest.param(
            left("drain", "n3", "n4"),
            [done("drain", "n3"), done("drain", "n4")],
            False,
            id="one-by-one",
        ),
        pytest.param(left("drain", "n3"), [done("undrain", "n3")], False, id="taken-back"),
        pytest.param(left("drain", "n3"), [done("undrain", "n4")], True, id="taken-back-elsewhere"),
        pytest.param(left("upgrade", "n4"), [done("remove_node", "n4")], False, id="taken-out"),
        pytest.param(
            left("provision", result="failed", failed_hosts=("n2",)),
            [done("provision", "n2")],
            False,
            id="provisioning-goes-on-with-the-others",
        ),
        pytest.param(
            left("upgrade", result="failed", failed_hosts=("n2",)),
            [done("upgrade", "n2")],
            True,
            id="an-upgrade-stops",
        ),
    ],
)
def test_a_success_makes_good_what_it_was_about(
    before: Operation, later: list[Operation], is_left: bool
) -> None:
    found = unfinished(Record("lab", AT, (before, *later)))
    assert found == (before if is_left else None)


def test_to_look_notes_the_dead_and_no_others() -> None:
    assert settle(HELD, seen(DEAD)).operations[0].result == "interrupted"
    assert settle(HELD, seen(ALIVE)) == HELD
    assert settle(HELD, seen(ELSEWHERE)) == HELD


def test_the_record_stays_small() -> None:
    record = EMPTY
    for _number in range(MOST_OPERATIONS + 5):
        record = end(begin(record, an_operation(), seen(DEAD)), ME, "provision", LATER, (), True)
    assert len(record.operations) == MOST_OPERATIONS


def test_what_is_written_can_be_read() -> None:
    record = Record(
        "lab",
        AT,
        (
            an_operation(
                command="x", nodes=("n2",), failed_hosts=("n2",), wanted={"ray": "2.60.0"}
            ),
            DONE,
        ),
    )
    assert parse_record(render_record(record)) == record


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "it is not JSON", id="empty"),
        pytest.param('{"record_version": 1', "it is not JSON", id="half-a-file"),
        pytest.param("[]", "it lacks a member", id="another-form"),
        pytest.param('{"record_version": 9}', "saw record_version 9, expected 1", id="from-later"),
        pytest.param(
            json.dumps({"record_version": 1, "cluster": "lab", "initialized": "soon"}),
            "saw 'soon', expected a time",
            id="no-time",
        ),
        pytest.param(
            render_record(HELD).replace('"running"', '"odd"'), "saw the result 'odd'", id="result"
        ),
        pytest.param(
            render_record(HELD).replace('"upgrade"', "7"), "saw 7, expected text", id="no-text"
        ),
    ],
)
def test_a_broken_record_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(RecordError, match=why):
        parse_record(text)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, "-"), (0, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3725, "1 h 2 min")],
)
def test_spans_are_told_in_words(seconds: int | None, expected: str) -> None:
    assert span_words(seconds) == expected
