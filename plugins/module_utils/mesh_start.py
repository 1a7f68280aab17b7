# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starting the agent of the port mesh so that it outlives the module, and ending it."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import select
import signal
import time
from collections.abc import Sequence
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_agent import Agent
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_listen import (
    Wish,
    open_listeners,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    ListenReport,
    listen_report_from_plain,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_port_text import (
    expand,
    spread,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_sockets import (
    raise_file_limit,
    read_listening,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_talk import (
    Place,
    Talk,
    converse,
    open_talks,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_wire import Kind

#: The name that the process list shows.
PROCESS_NAME = "rackforge-mesh"
#: Seconds that the listeners of all ports may take to be there.
START_SECONDS = 30.0
#: Listeners that are asked whether they are an agent of this run.
_ASKED = 4


def start_agent(key: bytes, wish: Wish) -> ListenReport:
    """Return what is listened to now, by a process that ends by itself after ``wish.seconds``."""
    there = find_agent(key, wish.address, wish.tcp) if agent_runs() else None
    if there is not None:
        answer = ask_agent(there, Kind.REPORT)
        there.close()
        if answer is not None:
            return listen_report_from_plain(answer)
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        _become_agent(key, wish, write_end)
    os.close(write_end)
    os.waitpid(child, 0)
    with os.fdopen(read_end, "rb") as pipe:
        text = _read_all(pipe.fileno(), START_SECONDS)
    try:
        return listen_report_from_plain(json.loads(text))
    except ValueError:
        return ListenReport(wish.address, problem="the listening process ended without a word")


def agent_runs() -> bool:
    """Return whether any agent is on this node: only then is it worth to ask who listens."""
    for name in glob.glob("/proc/[0-9]*/comm"):
        with contextlib.suppress(OSError), open(name, encoding="utf-8", errors="replace") as file:
            if file.read().strip() == PROCESS_NAME:
                return True
    return False


def _read_all(number: int, seconds: float) -> bytes:
    """Return what comes through a pipe until its end."""
    text, deadline = b"", time.monotonic() + seconds
    while select.select([number], [], [], max(deadline - time.monotonic(), 0))[0]:
        part = os.read(number, 1 << 16)
        if not part:
            return text
        text += part
    return b""


def _become_agent(key: bytes, wish: Wish, write_end: int) -> None:
    """Turn the forked child into the agent; never returns."""
    try:
        os.setsid()
        if os.fork() == 0:
            _detach(write_end, wish.seconds)
            _serve(key, wish, write_end)
    except BaseException:  # noqa: BLE001,S110,RUF100 - nothing of the module may go on in the child
        pass
    finally:
        os._exit(0)


def _detach(keep: int, seconds: int) -> None:
    """Let go of everything that belongs to whoever started us."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # The kernel's own bound, should the loop ever hang.
    signal.alarm(seconds + 2)
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != keep:
            with contextlib.suppress(OSError):
                os.close(int(name))
    with contextlib.suppress(OSError), open("/proc/self/comm", "w", encoding="ascii") as file:
        file.write(PROCESS_NAME)


def _serve(key: bytes, wish: Wish, write_end: int) -> None:
    """Listen, tell the parent how that went, and serve."""
    deadline = time.monotonic() + wish.seconds
    try:
        wanted = len(expand(wish.tcp)) + len(expand(wish.udp)) + 1024
        listeners = open_listeners(wish, raise_file_limit(wanted))
    except (OSError, ValueError) as error:
        problem = f"cannot listen at {wish.address}: {getattr(error, 'strerror', None) or error}"
        _tell(write_end, ListenReport(wish.address, problem=problem))
        return
    agent = Agent(key, listeners, deadline)
    _tell(write_end, listeners.report)
    # Where services have every port there is nobody to answer, and no way to be told to leave.
    if listeners.tcp or listeners.udp:
        agent.run()


def _tell(write_end: int, report: ListenReport) -> None:
    with os.fdopen(write_end, "wb") as pipe:
        pipe.write(json.dumps(report.to_plain()).encode())


def find_agent(key: bytes, address: str, tcp: str) -> Optional[Talk]:
    """Return a talk with the agent of this run at an address, None when there is none."""
    listening = read_listening(address).tcp
    candidates = spread([port for port in expand(tcp) if port in listening], _ASKED)
    return talk_with(key, address, candidates)


def talk_with(key: bytes, address: str, ports: Sequence[int]) -> Optional[Talk]:
    """Return a talk through the first of the ports that has an agent of this run."""
    talks = open_talks(key, {port: Place(address, port) for port in ports}, source=address)
    first, *others = [*talks.values(), None]
    for each in others:
        if each is not None:
            each.close()
    return first


def ask_agent(talk: Talk, kind: Kind) -> Any:
    """Return the agent's answer as plain values, None when it has none."""
    answer = converse({0: (talk, kind, b"")}, 5.0)[0]
    if answer is None:
        return None
    return json.loads(answer.payload) if answer.payload else {}


def end_agent(key: bytes, address: str, tcp: str, seconds: float = 10.0) -> bool:
    """End the agent of this run; return whether there was one. Its listeners are gone then."""
    talk = find_agent(key, address, tcp)
    if talk is None:
        return False
    ask_agent(talk, Kind.LEAVE)
    # The agent closes its talks after its listeners: the end of this talk is the evidence.
    talk.wait_for_end(seconds)
    talk.close()
    return True
