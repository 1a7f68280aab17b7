# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab: containers that boot systemd and sshd and serve as nodes for tests and the demo.

Tests use the functions exported here; people use ``python3 -m tests.lab``.
"""

from __future__ import annotations

from tests.lab.control import (
    exec,  # noqa: A004 (called as lab.exec)
    gpu_repository,
    gpus,
    names,
    pause,
    power_off,
    power_on,
    unpause,
)

__all__ = [
    "exec",
    "gpu_repository",
    "gpus",
    "names",
    "pause",
    "power_off",
    "power_on",
    "unpause",
]
