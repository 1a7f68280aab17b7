# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The containers that Docker Engine runs, and which of them processes are in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_work import Process

#: An engine that hangs must not hold up the run.
DOCKER_SECONDS = 20


def running_containers(command: Command) -> dict[str, str]:
    """Return the names of running containers by identifier, none where no engine answers."""
    if not command.find("docker"):
        return {}
    listed = ["docker", "ps", "--format", "{{.ID}} {{.Names}}"]
    result = command.run(["timeout", str(DOCKER_SECONDS), *listed])
    rows = [line.split() for line in result.out.splitlines()] if result.rc == 0 else []
    return {row[0]: row[1] for row in rows if len(row) == 2}


def with_names(command: Command, processes: Iterable[Process]) -> tuple[Process, ...]:
    """Return processes with the names of their containers in place of identifiers.

    The engine is asked only where one of them is in a container.
    """
    found = tuple(processes)
    if not any(process.container for process in found):
        return found
    names = running_containers(command)
    return tuple(
        replace(process, container=names.get(process.container, process.container))
        for process in found
    )
