# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for a site's name server.

It knows every name below lab.example, all at one address, and hands other questions to the name
server that the node had when it started. FOLDER/questions gets a line for each name it was asked.

    python3 name_server.py FOLDER ADDRESS PORT
"""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

DOMAIN = "lab.example"
# The address of every name, one of the benchmark range that no lab network has.
ANSWER = bytes((198, 18, 255, 99))
A_RECORD = 1


def name_of(question: bytes) -> tuple[str, int]:
    """Return the name that is asked for, and the type of record."""
    labels, place = [], 12
    while question[place]:
        labels.append(question[place + 1 : place + 1 + question[place]].decode("ascii", "replace"))
        place += 1 + question[place]
    return ".".join(labels).lower(), int.from_bytes(question[place + 1 : place + 3], "big")


def own_answer(question: bytes, kind: int) -> bytes:
    """Return the answer for a name of the domain: its address, and nothing of other types."""
    end = question.index(b"\0", 12) + 5
    count = 1 if kind == A_RECORD else 0
    header = question[:2] + b"\x85\x80\0\1" + bytes((0, count)) + bytes(4)
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + ANSWER
    return header + question[12:end] + record * count


def forwarded(question: bytes, server: str) -> bytes | None:
    """Return what the node's former name server says, None when it says nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.settimeout(4)
        try:
            wire.sendto(question, (server, 53))
            return wire.recv(4096)
        except OSError:
            return None


def reply(wire: socket.socket, peer: tuple[str, int], question: bytes, server: str) -> None:
    """Answer one question."""
    name, kind = name_of(question)
    own = name == DOMAIN or name.endswith(f".{DOMAIN}")
    answer = own_answer(question, kind) if own else forwarded(question, server)
    if answer is not None:
        wire.sendto(answer, peer)


def main() -> None:
    """Answer until the end. The TCP port is open so that its start can be waited for."""
    folder, address, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    rows = [line.split() for line in Path("/etc/resolv.conf").read_text().splitlines()]
    server = next(row[1] for row in rows if row[:1] == ["nameserver"])
    folder.mkdir(parents=True, exist_ok=True)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire,
        socket.create_server((address, port)),
        (folder / "questions").open("a") as log,
    ):
        wire.bind((address, port))
        while True:
            question, peer = wire.recvfrom(4096)
            print(name_of(question)[0], file=log, flush=True)
            threading.Thread(target=reply, args=(wire, peer, question, server)).start()


if __name__ == "__main__":
    main()
