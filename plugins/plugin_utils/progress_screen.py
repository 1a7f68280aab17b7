# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A block of lines at the foot of a terminal, which goes away before anything else is printed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any, TextIO

#: To the first column of the line N above, and clear everything from there on.
_UP_AND_CLEAR = "\r\x1b[{}A\x1b[J"


def rows_of(lines: Sequence[str], width: int) -> int:
    """Return how many rows of a terminal the lines take, also one that has become narrower."""
    return sum(max(1, -(-len(line) // max(1, width))) for line in lines)


class Foot:
    """Draws and clears the block; the cursor waits in the first column below it."""

    def __init__(self, stream: TextIO, width: Callable[[], int]) -> None:
        self._stream = stream
        self._width = width
        self._drawn: tuple[str, ...] = ()

    def draw(self, lines: Sequence[str]) -> None:
        """Put the lines in place of those that stand there, in one piece so that none flickers."""
        if tuple(lines) == self._drawn:
            return
        self._stream.write(self._clearing() + "".join(f"{line}\n" for line in lines))
        self._stream.flush()
        self._drawn = tuple(lines)

    def clear(self) -> None:
        """Take the block away."""
        self.draw(())

    def _clearing(self) -> str:
        """Return the codes that take the block away, "" where none stands."""
        if not self._drawn:
            return ""
        return _UP_AND_CLEAR.format(rows_of(self._drawn, self._width()))


def keep_clear(
    display: Any, names: Sequence[str], lock: AbstractContextManager[Any], foot: Foot
) -> None:
    """Let the methods ``names`` of Ansible's display clear the block before they print.

    Methods that wait for the user hold the lock, so that nothing is drawn over the question.
    Workers are forks of this process and hand their words to it: they go on as they were.
    """
    owner = os.getpid()

    def cleared(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if os.getpid() != owner:
                return method(*args, **kwargs)
            with lock:
                foot.clear()
                return method(*args, **kwargs)

        return call

    for name in names:
        if hasattr(display, name):
            setattr(display, name, cleared(getattr(display, name)))


class Ticker:
    """Calls ``tick`` every so often in a thread of its own until it is stopped."""

    def __init__(self, seconds: float, tick: Callable[[], None]) -> None:
        self._seconds = seconds
        self._tick = tick
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def start(self) -> None:
        """Begin; the process may end without stopping it."""
        self._thread.start()

    def stop(self) -> None:
        """Let no further tick begin."""
        self._over.set()

    def _run(self) -> None:
        # A terminal that is gone has nothing to be drawn on.
        with suppress(OSError):
            while not self._over.wait(self._seconds):
                self._tick()
