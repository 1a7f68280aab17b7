"""Connect to a range of ports with one epoll and a deadline of 1 s: the plain way in Python.

python -m tests.bench.plain_epoll ADDRESS FIRST LAST
"""

from __future__ import annotations

import resource
import select
import socket
import sys
import time


def main() -> int:
    """Connect, and print how many ports were open."""
    address, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    socks: dict[int, socket.socket] = {}
    epoll = select.epoll()
    made = 0
    for port in range(first, last + 1):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex((address, port))
        socks[sock.fileno()] = sock
        epoll.register(sock.fileno(), select.EPOLLOUT)
    until = time.monotonic() + 1
    while socks and time.monotonic() < until:
        for number, _event in epoll.poll(max(until - time.monotonic(), 0), 4096):
            sock = socks.pop(number)
            made += not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            epoll.unregister(number)
            sock.close()
    print(f"{made} open, {len(socks)} filtered")
    return 0


if __name__ == "__main__":
    sys.exit(main())
