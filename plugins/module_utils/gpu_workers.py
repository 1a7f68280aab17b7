# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that load GPUs, one for each: a driver that hangs takes down no more than its own."""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Callable

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.bounded import (
    let_go_of_parent,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_burn import (
    GRACE_SECONDS,
    Load,
    Target,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_compute import (
    INTERFACES,
    Burner,
    ComputeError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_kernel import plan_pass

Tell = Callable[[Load], None]
MIB = 1024 * 1024


def burn(target: Target, seconds: float, memory_fraction: float, tell: Tell) -> None:
    """Load one GPU until the time ends, and tell after each pass how it stands."""
    interface = INTERFACES[target.vendor]
    os.environ[interface.variable] = target.visible
    load = Load()
    try:
        burner = Burner(interface)
        each = plan_pass(burner.start(), memory_fraction)
        burner.fill(each)
        load = replace(load, memory_mib=each.count * 4 // MIB)
        start = time.monotonic()
        while load.seconds < seconds:
            burner.run(each)
            load = replace(
                load,
                passes=load.passes + 1,
                operations=load.operations + each.operations,
                seconds=time.monotonic() - start,
                wrong=burner.errors(),
            )
            tell(load)
    except ComputeError as error:
        tell(replace(load, error=str(error)))


@dataclass
class Worker:
    """The process that loads one GPU, and the last that it told."""

    target: Target
    pid: int
    pipe: int
    load: Load = field(default_factory=Load)
    rest: bytes = b""
    is_done: bool = False

    def listen(self) -> None:
        """Take in what the process has written."""
        data = os.read(self.pipe, 65536)
        self.is_done = not data
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        for line in lines:
            self.load = Load(**json.loads(line))

    def end(self) -> None:
        """End the process; one that hangs in the driver is left to the kernel."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        os.close(self.pipe)


def start(target: Target, seconds: float, memory_fraction: float) -> Worker:
    """Return the process that loads ``target`` from now on."""
    pipe, other = os.pipe()
    pid = os.fork()
    if pid:
        os.close(other)
        return Worker(target, pid, pipe)
    try:
        os.setsid()
        let_go_of_parent(other)
        with os.fdopen(other, "w", encoding="utf-8") as out:

            def tell(load: Load) -> None:
                out.write(json.dumps(asdict(load)) + "\n")
                out.flush()

            burn(target, seconds, memory_fraction, tell)
    finally:
        os._exit(0)


def run_all(
    targets: Sequence[Target],
    seconds: float,
    memory_fraction: float,
    watch: Callable[[], None],
    interval: float,
) -> dict[Target, Load]:
    """Load all GPUs at once, call ``watch`` every ``interval`` seconds, and return how each did."""
    workers = [start(target, seconds, memory_fraction) for target in targets]
    deadline = time.monotonic() + seconds + GRACE_SECONDS
    due = time.monotonic() + interval
    try:
        while any(not each.is_done for each in workers) and time.monotonic() < deadline:
            open_pipes = {each.pipe: each for each in workers if not each.is_done}
            wait = max(min(due, deadline) - time.monotonic(), 0)
            for pipe in select.select(list(open_pipes), [], [], wait)[0]:
                open_pipes[pipe].listen()
            if time.monotonic() >= due:
                watch()
                due = time.monotonic() + interval
    finally:
        for each in workers:
            each.end()
    return {each.target: _outcome(each, seconds) for each in workers}


def _outcome(worker: Worker, seconds: float) -> Load:
    if worker.is_done or worker.load.error:
        silent = worker.load == Load()
        return replace(worker.load, error="its process ended at once") if silent else worker.load
    given_up = f"the driver gave no answer within {seconds + GRACE_SECONDS:.0f} s"
    return replace(worker.load, error=given_up)
