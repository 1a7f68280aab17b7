# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One module at a time for steps that would destroy each other's work.

A module goes on working on its node after the control process was killed, so the next run may
meet it there.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

PATH = "/run/rackforge.lock"


@contextmanager
def alone_on_node(path: str = PATH) -> Iterator[None]:
    """Hold the node's lock for the block; waits for whoever holds it, the kernel frees it."""
    with open(path, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
