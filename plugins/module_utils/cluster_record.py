# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of what was done to a cluster, and the lock that is a part of it.

The record is a small file on the control node. An operation that has begun and not ended holds the
lock; whether its process still runs is told by whoever asks. The nodes are the truth about the
cluster: a record that is lost costs its history and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Optional

#: Operations that the record keeps.
MOST_OPERATIONS = 20
VERSION = 1

#: Results of operations. ``refused`` ended in its checks, ``interrupted`` without a word later on.
RUNNING, SUCCEEDED, FAILED = "running", "succeeded", "failed"
REFUSED, INTERRUPTED = "refused", "interrupted"
RESULTS = (RUNNING, SUCCEEDED, FAILED, REFUSED, INTERRUPTED)

#: The phase in which nothing is changed yet.
CHECKS = "checks"
#: The operations that build a cluster and take all of it out again.
PROVISION, RESET = "provision", "reset"

#: Operations that take nodes out of the cluster: nothing is left to be done on these.
_TAKING_OUT = ("remove_node", RESET)
#: Operations that undo each other.
_OPPOSITES = {"drain": "undrain", "undrain": "drain"}

#: What is known of a process: it runs, it is gone, or it cannot be seen from here.
ALIVE, DEAD, ELSEWHERE = "alive", "dead", "elsewhere"

_TIME = "%Y-%m-%dT%H:%M:%SZ"


class RecordError(ValueError):
    """A record that cannot be read; the text says why."""


class LockedError(ValueError):
    """Another operation holds the lock; the text says which, and what to do."""


@dataclass(frozen=True)
class Process:
    """A run of ansible-playbook, told from a later one that has its number.

    ``boot`` and ``space`` are the machine's boot and its name space of process numbers, ``start``
    when the process began; each is empty where the system does not tell.
    """

    host: str
    pid: int
    boot: str = ""
    space: str = ""
    start: str = ""


@dataclass(frozen=True)
class Operation:
    """One operation. ``wanted`` has the versions that the inventory asked for.

    ``command`` is what was typed to begin it, without its secrets. ``nodes`` are those that it is
    about, empty for all of the cluster.
    """

    name: str
    user: str
    process: Process
    begun: str
    command: str
    nodes: tuple[str, ...] = ()
    ended: Optional[str] = None
    result: str = RUNNING
    phase: str = ""
    failed_hosts: tuple[str, ...] = ()
    wanted: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def who(self) -> str:
        """Who began it, and where."""
        return f"{self.user}@{self.process.host}"

    @property
    def seconds(self) -> Optional[int]:
        """How long it took, None where that is not known."""
        return seconds_between(self.begun, self.ended) if self.ended else None


@dataclass(frozen=True)
class Record:
    """What is on record of a cluster. ``initialized`` says when it first stood; oldest first."""

    cluster: str
    initialized: Optional[str] = None
    operations: tuple[Operation, ...] = ()


Look = Callable[[Process], str]


def seconds_between(begun: str, ended: str) -> int:
    """Return the whole seconds between two times of a record."""
    span = datetime.strptime(ended, _TIME) - datetime.strptime(begun, _TIME)
    return int(span.total_seconds())


def span_words(seconds: Optional[int]) -> str:
    """Return "12 s", "3 min 20 s" or "2 h 5 min", a dash for an unknown span."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def stamp(now: datetime) -> str:
    """Return a time in the form of the record, in UTC."""
    return now.strftime(_TIME)


def judge_process(noted: Process, mine: Process, start_now: Optional[str]) -> str:
    """Return whether a noted process runs, cannot be seen from here, or is gone.

    ``start_now`` is when the process that has its number today began, None where none has it.
    """
    if noted.host != mine.host:
        return ELSEWHERE
    if noted.boot != mine.boot:
        return DEAD
    if noted.space != mine.space:
        return ELSEWHERE
    return ALIVE if start_now is not None and start_now == noted.start else DEAD


def begin(record: Record, new: Operation, look: Look, take: bool = False) -> Record:
    """Return the record with ``new`` begun; LockedError while another process holds the lock.

    A holder that is gone is noted and passed. One that cannot be seen from here is passed with
    ``take``. Operations of one process may lie within each other.
    """
    noted = [_pass(record.cluster, each, new, look, take) for each in record.operations]
    return replace(record, operations=tuple([*noted, new][-MOST_OPERATIONS:]))


def _pass(cluster: str, noted: Operation, new: Operation, look: Look, take: bool) -> Operation:
    """Return an operation on record as ``new`` leaves it."""
    if noted.result != RUNNING or noted.process == new.process:
        return noted
    life = look(noted.process)
    if life == ALIVE or (life == ELSEWHERE and not take):
        raise LockedError(_refusal(cluster, noted, new, life))
    took = f"{new.who} took the lock with cluster_take_lock" if life == ELSEWHERE else ""
    return _without_a_word(noted, took)


def _without_a_word(noted: Operation, note: str = "") -> Operation:
    """Return an operation whose process is gone: what it had reached says what became of it."""
    result = REFUSED if noted.phase == CHECKS else INTERRUPTED
    return replace(noted, result=result, note=note)


def _refusal(cluster: str, noted: Operation, new: Operation, life: str) -> str:
    """Return why ``new`` must not begin, and what to do about it."""
    since = span_words(seconds_between(noted.begun, new.begun))
    said = (
        f"The cluster {cluster} is in other hands: {noted.name} by {noted.who}, process "
        f"{noted.process.pid}, since {noted.begun} ({since}). Nothing was changed. "
    )
    if life == ALIVE:
        return (
            f"{said}Wait until it has ended (status.yml shows it), or stop it with 'kill -INT "
            f"{noted.process.pid}'. Then run the same command again."
        )
    return (
        f"{said}Whether that process still runs cannot be seen on {new.process.host}; look on "
        f"{noted.process.host}. Where it is gone for good, run the same command again with "
        "-e cluster_take_lock=true."
    )


def settle(record: Record, look: Look) -> Record:
    """Return the record with every operation whose process is gone noted as such."""
    settled = (
        _without_a_word(each) if each.result == RUNNING and look(each.process) == DEAD else each
        for each in record.operations
    )
    return replace(record, operations=tuple(settled))


def reach(record: Record, process: Process, phase: str, stands: Optional[str] = None) -> Record:
    """Return the record with the process's innermost operation in another phase.

    ``stands`` is the time at which the nodes were seen to be a cluster already: it counts where
    nothing older is on record, since then the record was lost.
    """
    index = _innermost(record, process)
    if index is None:
        return record
    operations = list(record.operations)
    operations[index] = replace(operations[index], phase=phase)
    lost = all(each.process == process for each in operations)
    initialized = record.initialized or (stands if lost else None)
    return replace(record, initialized=initialized, operations=tuple(operations))


def end(
    record: Record, process: Process, name: str, now: str, failed: tuple[str, ...], whole: bool
) -> Record:
    """Return the record with the process's innermost operation of this name ended.

    ``whole`` says that the run was about every node of the cluster.
    """
    index = _innermost(record, process, name)
    if index is None:
        return record
    operations = list(record.operations)
    result = FAILED if failed else SUCCEEDED
    operations[index] = replace(operations[index], ended=now, result=result, failed_hosts=failed)
    initialized = record.initialized
    if result == SUCCEEDED and whole and name == RESET:
        initialized = None
    elif result == SUCCEEDED and name == PROVISION:
        initialized = initialized or now
    return replace(record, initialized=initialized, operations=tuple(operations))


def _innermost(record: Record, process: Process, name: str = "") -> Optional[int]:
    """Return where the last running operation of a process stands, None where it has none."""
    for index in range(len(record.operations) - 1, -1, -1):
        each = record.operations[index]
        if each.result == RUNNING and each.process == process and name in ("", each.name):
            return index
    return None


def running(record: Record) -> Optional[Operation]:
    """Return the operation that holds the lock: the outermost one of its process."""
    return next((each for each in record.operations if each.result == RUNNING), None)


def unfinished(record: Record) -> Optional[Operation]:
    """Return the last operation that did not reach its end and that no later success made good.

    A success makes good what it was about: all of the cluster, or some nodes.
    """
    later: list[Operation] = []
    found: Optional[Operation] = None
    for each in reversed(record.operations):
        if found is not None and each.process != found.process:
            break
        if each.result == SUCCEEDED:
            if each.name == RESET and not each.nodes and record.initialized is None:
                break
            later.append(each)
        elif each.result in (FAILED, INTERRUPTED) and not _is_made_good(each, later):
            found = each
    return found


def _is_made_good(left: Operation, later: Iterable[Operation]) -> bool:
    """Return whether successes after an operation have done what it left."""
    names = (left.name, _OPPOSITES.get(left.name), *_TAKING_OUT)
    good = [each for each in later if each.name in names]
    if any(each.name == left.name and not each.nodes for each in good):
        return True
    # Provisioning goes on with the other nodes when one fails; all else stops there.
    nodes = left.failed_hosts if left.name == PROVISION and left.failed_hosts else left.nodes
    return bool(nodes) and set(nodes) <= {name for each in good for name in each.nodes}


def fate(operation: Operation) -> str:
    """Return what became of an operation, as the end of a sentence that begins with its name."""
    if operation.failed_hosts:
        return f"failed on {', '.join(operation.failed_hosts)}"
    phase = f" at '{operation.phase}'" if operation.phase else ""
    return f"was {operation.result}{phase}"


def render_record(record: Record) -> str:
    """Return the text of the record's file."""
    rows = [{**asdict(each), "seconds": each.seconds} for each in record.operations]
    known = {"cluster": record.cluster, "initialized": record.initialized, "operations": rows}
    return json.dumps({"record_version": VERSION, **known}, indent=2) + "\n"


def parse_record(text: str) -> Record:
    """Return the record in a file's text; RecordError where it is none."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise RecordError(f"it is not JSON ({error})") from error
    try:
        if data["record_version"] != VERSION:
            raise RecordError(f"saw record_version {data['record_version']}, expected {VERSION}")
        return Record(
            cluster=_text(data["cluster"]),
            initialized=_time(data["initialized"]) if data["initialized"] else None,
            operations=tuple(_operation(each) for each in data["operations"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"it lacks a member or has a wrong one ({error!r})") from error


def _operation(data: Mapping[str, Any]) -> Operation:
    process = data["process"]
    if data["result"] not in RESULTS:
        raise RecordError(f"saw the result {data['result']!r}, expected one of {RESULTS}")
    return Operation(
        name=_text(data["name"]),
        user=_text(data["user"]),
        process=Process(
            host=_text(process["host"]),
            pid=int(process["pid"]),
            boot=_text(process["boot"]),
            space=_text(process["space"]),
            start=_text(process["start"]),
        ),
        begun=_time(data["begun"]),
        command=_text(data["command"]),
        nodes=tuple(_text(each) for each in data["nodes"]),
        ended=_time(data["ended"]) if data["ended"] else None,
        result=data["result"],
        phase=_text(data["phase"]),
        failed_hosts=tuple(_text(each) for each in data["failed_hosts"]),
        wanted={_text(name): _text(each) for name, each in data["wanted"].items()},
        note=_text(data["note"]),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise RecordError(f"saw {value!r}, expected text")
    return value


def _time(value: Any) -> str:
    try:
        return stamp(datetime.strptime(_text(value), _TIME))
    except ValueError as error:
        raise RecordError(f"saw {value!r}, expected a time such as 2026-01-31T09:00:00Z") from error
