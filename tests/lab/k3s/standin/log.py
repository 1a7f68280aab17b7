# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines in k3s' format, and the error that ends the program."""

from __future__ import annotations

import json
import sys
import time


class FatalError(Exception):
    """What k3s logs at level fatal before it exits 1."""


def line(level: str, message: str) -> str:
    """Return a log line as logrus' text formatter prints it."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return f'time="{stamp}" level={level} msg={json.dumps(message)}'


def log(level: str, message: str) -> None:
    """Write a line to stderr, which is where systemd's journal takes it from."""
    print(line(level, message), file=sys.stderr, flush=True)


def info(message: str) -> None:
    """Log what happens."""
    log("info", message)


def warning(message: str) -> None:
    """Log what may be wrong."""
    log("warning", message)


def error(message: str) -> None:
    """Log what failed without ending the program."""
    log("error", message)
