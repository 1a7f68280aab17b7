# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

from tests.testinfra.lab_nodes import differences

# What an engine, the owner's too, changes whenever it starts or has run a container, and what a
# boot of a lab node changes: its name server's ports, its keys' unit, the mounts of its cgroups.
ENGINES = re.compile(r"files: /var/lib/(docker|containerd)/|sockets: tcp 127\.0\.0\.1:\d{5}:")


def test_node_is_as_it_was_before() -> None:
    found = differences("mol-rocm", "mol-rocm-n1", booted=True)
    found = [line for line in found if not ENGINES.match(line)]
    assert not found, "\n".join(found)
