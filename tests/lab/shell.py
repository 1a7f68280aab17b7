# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where the lab starts processes, prints progress and takes locks."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STARTED = time.monotonic()


class LabError(Exception):
    """A failure that is told to the person in one message, without a traceback."""


@dataclass(frozen=True)
class Result:
    """What a finished command left behind."""

    argv: tuple[str, ...]
    rc: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether the command exited 0."""
        return self.rc == 0


def say(text: str) -> None:
    """Print a progress line with the seconds since the program started."""
    print(f"lab [{time.monotonic() - STARTED:5.1f} s] {text}", flush=True)


def run(argv: Sequence[str], *, stdin: str | None = None, timeout: float = 120) -> Result:
    """Run a command and return what it printed; a missing program is exit status 127."""
    try:
        done = subprocess.run(
            list(argv), input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
    except FileNotFoundError:
        return Result(tuple(argv), 127, "", f"{argv[0]}: not found")
    except subprocess.TimeoutExpired:
        return Result(tuple(argv), 124, "", f"no answer within {timeout:.0f} s")
    return Result(tuple(argv), done.returncode, done.stdout, done.stderr)


def check(argv: Sequence[str], *, stdin: str | None = None, timeout: float = 120) -> str:
    """Return what a command printed, or raise LabError naming command, status and message."""
    done = run(argv, stdin=stdin, timeout=timeout)
    if not done.ok:
        text = (done.stderr or done.stdout).strip()[-2000:]
        raise LabError(f"`{' '.join(argv)[:300]}` exited {done.rc}: {text}")
    return done.stdout


def stream(argv: Sequence[str], log: Path, *, stdin: Path | None = None) -> None:
    """Run a long command into a log file, with a sign of life every 15 s."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out, open(stdin or "/dev/null", "rb") as source:
        process = subprocess.Popen(list(argv), stdin=source, stdout=out, stderr=out)
        while True:
            try:
                rc = process.wait(timeout=15)
                break
            except subprocess.TimeoutExpired:
                say(f"... still at it: {_last_line(log)}")
            except BaseException:
                process.kill()
                raise
    if rc != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise LabError(f"`{' '.join(argv)[:200]}` exited {rc}; the end of {log}:\n{tail}")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1][:100] if lines else "(no output yet)"


def docker_json(*argv: str) -> Any:
    """Return the parsed JSON that a docker command prints."""
    return json.loads(check(["docker", *argv]))


def docker_lines(*argv: str) -> list[str]:
    """Return the lines that a docker command prints."""
    return check(["docker", *argv]).split()


@contextmanager
def lock(path: Path, what: str) -> Iterator[None]:
    """Hold a file lock; the kernel releases it even when the holder is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that holds {what}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def warn(text: str) -> None:
    """Print a message for a person to stderr."""
    print(f"lab: {text}", file=sys.stderr, flush=True)
