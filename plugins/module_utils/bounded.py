# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Call what may hang or crash, such as the library of a driver, without hanging or crashing."""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn, Optional

#: Seconds that a killed process gets to disappear. One inside a driver may never do.
_GRACE = 0.5
_POLL = 0.002
_CHUNK = 65536


class BoundedError(Exception):
    """A bounded call gave no answer."""


class CallTimeoutError(BoundedError):
    """A bounded call took too long."""


def call_bounded(function: Callable[[], Any], seconds: float) -> Any:
    """Return the answer of ``function``, which must be plain data, or raise BoundedError.

    It runs in a process of its own, which is killed with all that it started when it takes longer,
    and which is not waited for: one that hangs inside a driver cannot even be killed.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(function, writer)
    os.close(writer)
    try:
        answer = _read_until_closed(reader, time.monotonic() + seconds)
        if answer is None:
            _kill(child)
            _read_until_closed(reader, time.monotonic() + _GRACE)
    finally:
        os.close(reader)
    status = _reap(child)
    if answer is None:
        raise CallTimeoutError(f"no answer within {seconds:g} s")
    return _unpack(answer, status)


def _answer(function: Callable[[], Any], writer: int) -> NoReturn:
    """Do the work of the child: write the answer of ``function``, or what it raised."""
    status = 1
    try:
        os.setsid()
        let_go_of_parent(writer)
        try:
            answer: dict[str, Any] = {"value": function()}
        except Exception as problem:
            answer = {"error": f"{type(problem).__name__}: {problem}"}
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(json.dumps(answer).encode("ascii"))
        status = 0
    finally:
        # Not sys.exit: what the parent registered for its own end must not run twice.
        os._exit(status)


def let_go_of_parent(writer: int) -> None:
    """Close what the parent has open: a child that outlives it would keep an SSH session alive."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        if number > 2 and number != writer:
            with suppress(OSError):
                os.close(number)


def _read_until_closed(reader: int, deadline: float) -> Optional[bytes]:
    """Return all that comes through the pipe, None when it is still open at the deadline."""
    parts: list[bytes] = []
    readable = select.poll()
    readable.register(reader, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not readable.poll(left * 1000):
            return None
        part = os.read(reader, _CHUNK)
        if not part:
            return b"".join(parts)
        parts.append(part)


def _kill(child: int) -> None:
    """Kill the child and what it started; both may be gone already."""
    for send, whom in ((os.killpg, child), (os.kill, child)):
        with suppress(ProcessLookupError, PermissionError):
            send(whom, signal.SIGKILL)


def _reap(child: int) -> Optional[int]:
    """Return how the child ended, None when it has not.

    It is not waited for without end: even the end of a process can hang inside a driver.
    """
    deadline = time.monotonic() + _GRACE
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid or time.monotonic() > deadline:
            return status if pid else None
        time.sleep(_POLL)


def _unpack(answer: bytes, status: Optional[int]) -> Any:
    """Return the value of an answer; raise BoundedError for an error or half an answer."""
    if status is not None and os.WIFSIGNALED(status):
        raise BoundedError(f"ended by signal {os.WTERMSIG(status)} before it answered")
    try:
        told = json.loads(answer)
    except ValueError:
        raise BoundedError("ended before it answered") from None
    if "error" in told:
        raise BoundedError(told["error"])
    return told["value"]
