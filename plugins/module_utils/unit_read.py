# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a systemd unit stands on this node. Reads only."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.unit_state import (
    UnitState,
    parse_unit,
)

_PROPERTIES = (
    "ActiveState,SubState,UnitFileState,NeedDaemonReload,InactiveExitTimestampMonotonic,"
    "StateChangeTimestampMonotonic"
)


def read_unit(command: Command, name: str) -> UnitState:
    """Return how the unit stands now; one that does not exist has the file state ``missing``."""
    out = command.need(["systemctl", "show", name, "--property", _PROPERTIES])
    return parse_unit(out, time.time() - time.clock_gettime(time.CLOCK_MONOTONIC))


def youngest(files: Iterable[str]) -> float:
    """Return when the last of the files changed, 0 without files."""
    return max((os.stat(path).st_mtime for path in files if os.path.exists(path)), default=0.0)
