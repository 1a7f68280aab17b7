# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A model of a terminal, just good enough to see what a user sees; it scrolls, and rows wrap."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

#: Ansible's question ends with a code that it begins twice: the first beginning says nothing.
_PIECE = re.compile(
    r"\x1b\[(?=[\r\x1b])|\x1b\[(\d*)([A-Za-z])|\x1b\[[\d;]*m|([\r\n])|([^\x1b\r\n]+)"
)


@dataclass
class Terminal:
    """What was written, as rows; codes that it does not know are an error."""

    columns: int = 80
    rows: list[str] = field(default_factory=lambda: [""])
    row: int = 0
    column: int = 0

    def write(self, text: str) -> None:
        """Show a text with its codes."""
        end = 0
        for piece in _PIECE.finditer(text):
            assert piece.start() == end, f"no such code: {text[end : end + 20]!r}"
            end = piece.end()
            number, letter, control, plain = piece.groups()
            if letter:
                self._move(letter, int(number or 1))
            elif control:
                self._control(control)
            elif plain:
                self._put(plain)
        assert end == len(text), f"no such code: {text[end : end + 20]!r}"

    @property
    def text(self) -> str:
        """What stands on the screen and has scrolled away."""
        return "\n".join(row.rstrip() for row in self.rows).rstrip()

    def _move(self, letter: str, number: int) -> None:
        if letter == "A":
            assert number <= self.row, "the cursor would leave the top"
            self.row -= number
        elif letter == "J":
            self.rows[self.row :] = [self.rows[self.row][: self.column]]
        elif letter == "K":
            self.rows[self.row] = self.rows[self.row][: self.column]
        else:
            raise AssertionError(f"no such code: {letter}")

    def _control(self, control: str) -> None:
        self.column = 0
        if control == "\n":
            self._down()

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append("")

    def _put(self, text: str) -> None:
        for letter in text:
            if self.column == self.columns:
                self.column = 0
                self._down()
            line = self.rows[self.row].ljust(self.column)
            self.rows[self.row] = line[: self.column] + letter + line[self.column + 1 :]
            self.column += 1


@dataclass
class Session:
    """A command that runs in a terminal; ``seen`` are the screens after each piece of output."""

    terminal: Terminal
    seen: list[str] = field(default_factory=list)
    rc: int = -1


def run_in_terminal(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    size: tuple[int, int] = (24, 80),
    seconds: float = 120,
    on_screen: Callable[[str, int, subprocess.Popen[bytes]], None] | None = None,
) -> Session:
    """Run a command in a terminal of (rows, columns) to its end.

    ``on_screen`` hears of each new screen, and of the same one after a second without another,
    with the terminal to type into and the process.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    session = Session(Terminal(size[1]))
    with subprocess.Popen(
        list(argv),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=dict(env),
        start_new_session=True,
        # The command's own terminal: questions are put to nothing else.
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    ) as process:
        os.close(theirs)
        try:
            _follow(ours, session, time.monotonic() + seconds, process, on_screen)
        finally:
            os.close(ours)
            if sys.exc_info()[0]:
                process.kill()
        session.rc = process.wait(timeout=30)
    return session


def _follow(
    ours: int,
    session: Session,
    end: float,
    process: subprocess.Popen[bytes],
    on_screen: Callable[[str, int, subprocess.Popen[bytes]], None] | None,
) -> None:
    """Show what the command writes until it closes its terminal."""
    kept = b""
    while time.monotonic() < end:
        if not select.select([ours], [], [], 1)[0]:
            if on_screen:
                on_screen(session.terminal.text + kept.decode(errors="replace"), ours, process)
            continue
        try:
            got = os.read(ours, 65536)
        except OSError:
            return
        if not got:
            return
        kept += got
        # A piece may end inside a code or a letter: what is shown ends with a row.
        whole, newline, kept = kept.rpartition(b"\n")
        session.terminal.write((whole + newline).decode().replace("\r\n", "\n"))
        session.seen.append(session.terminal.text)
        if on_screen:
            on_screen(session.terminal.text + kept.decode(errors="replace"), ours, process)
    raise AssertionError(f"the command did not end; the screen:\n{session.terminal.text}")
