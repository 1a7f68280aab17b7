"""Claims about counting Xid events over many runs."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_xid import XidEvent
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_metrics_log import (
    XidRecord,
    follow,
    last_numbers,
)

FIRST = "[    0.000000] Linux version 6.12.43+deb13-amd64"
A, B = "0000:3b:00.0", "0000:43:00.0"


def xid(stamp: str, address: str, number: int) -> str:
    return f"[{stamp:>12}] NVRM: Xid (PCI:{address[:-2]}): {number}, pid=1"


def counts(record: XidRecord) -> list[tuple[str, int, int]]:
    return [(each.address, each.number, each.count) for each in record.events]


def never() -> str:
    raise AssertionError("the journal was asked")


def journal(*lines: str) -> Callable[[], str]:
    return lambda: "\n".join(lines)


def test_a_whole_log_is_counted_anew_each_time() -> None:
    log = "\n".join([FIRST, xid("5.0", A, 48), xid("6.0", A, 48)])
    first = follow(XidRecord(), "b1", log, never)
    assert counts(first) == [(A, 48, 2)]
    assert counts(follow(first, "b1", log, never)) == [(A, 48, 2)]


def test_a_log_without_its_beginning_is_completed_from_the_journal_once() -> None:
    earlier = [xid("5.0", A, 79), xid("90.0", B, 48)]
    first = follow(XidRecord(), "b1", xid("90.0", B, 48), journal(*earlier))
    assert counts(first) == [(A, 79, 1), (B, 48, 1)]
    later = "\n".join([xid("90.0", B, 48), xid("91.0", B, 48)])
    assert counts(follow(first, "b1", later, never)) == [(A, 79, 1), (B, 48, 2)]


def test_events_stay_counted_when_the_log_has_lost_them() -> None:
    first = follow(XidRecord(), "b1", xid("90.0", A, 48), journal(xid("90.0", A, 48)))
    other = "[   200.000000] usb 1-1: new device"
    assert counts(follow(first, "b1", other, never)) == [(A, 48, 1)]
    assert counts(follow(first, "b1", "", never)) == [(A, 48, 1)]


def test_without_a_journal_the_log_itself_counts() -> None:
    assert counts(follow(XidRecord(), "b1", xid("90.0", A, 48), journal())) == [(A, 48, 1)]


def test_another_boot_begins_anew() -> None:
    before = XidRecord("b1", 90.0, (XidEvent(A, 79, 4, ""),))
    again = follow(before, "b2", "[   100.0] x", journal("[   100.0] x"))
    assert again == XidRecord("b2", 100.0, ())


def test_a_log_older_than_what_was_read_is_that_of_another_boot() -> None:
    before = XidRecord("b1", 90.0, (XidEvent(A, 79, 4, ""),))
    log = xid("10.0", B, 13)
    assert counts(follow(before, "b1", log, journal(log))) == [(B, 13, 1)]


def test_the_event_whose_line_is_last_is_the_last_of_its_gpu() -> None:
    log = "\n".join([FIRST, xid("5.0", A, 79), xid("6.0", A, 48), xid("7.0", A, 79)])
    assert last_numbers(follow(XidRecord(), "b1", log, never).events) == {A: 79}
