# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listens on many ports, or finds out which of many are open. Runs on test nodes.

``doors.py listen 443,8000-8010`` listens until it is killed; ``doors.py knock ADDRESS PORTS``
prints the open ones in the same notation.
"""

from __future__ import annotations

import resource
import selectors
import socket
import sys
import time

AT_ONCE = 11000
PATIENCE = 2.0


def ports_of(text: str) -> list[int]:
    """Return the ports that ``443,8000-8010`` names."""
    spans = (part.partition("-") for part in text.split(","))
    return [port for a, _dash, b in spans for port in range(int(a), int(b or a) + 1)]


def text_of(ports: list[int]) -> str:
    """Return ports with neighbours joined."""
    spans: list[list[int]] = []
    for port in sorted(ports):
        if spans and port == spans[-1][1] + 1:
            spans[-1][1] = port
        else:
            spans.append([port, port])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in spans)


def listen(ports: list[int]) -> None:
    """Accept whoever comes, and hang up."""
    selector = selectors.DefaultSelector()
    for port in ports:
        door = socket.socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("0.0.0.0", port))  # noqa: S104 - a stranger must find it open
        door.listen(8)
        selector.register(door, selectors.EVENT_READ)
    while True:
        for key, _events in selector.select():
            door = key.fileobj  # type: ignore[assignment]
            door.accept()[0].close()


def knock(address: str, ports: list[int]) -> list[int]:
    """Return the ports that take a connection."""
    found: list[int] = []
    for start in range(0, len(ports), AT_ONCE):
        found += _knock_at_once(address, ports[start : start + AT_ONCE])
    return found


def _knock_at_once(address: str, ports: list[int]) -> list[int]:
    selector, found = selectors.DefaultSelector(), []
    for port in ports:
        caller = socket.socket()
        caller.setblocking(False)
        caller.connect_ex((address, port))
        selector.register(caller, selectors.EVENT_WRITE, port)
    deadline = time.monotonic() + PATIENCE
    while selector.get_map() and time.monotonic() < deadline:
        for key, _events in selector.select(0.1):
            caller = key.fileobj  # type: ignore[assignment]
            if caller.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                found.append(key.data)
            selector.unregister(caller)
            caller.close()
    for key in list(selector.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    return found


if __name__ == "__main__":
    _soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if sys.argv[1] == "listen":
        listen(ports_of(sys.argv[2]))
    else:
        sys.stdout.write(text_of(knock(sys.argv[2], ports_of(sys.argv[3]))) + "\n")
