# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes connections that were meant for somebody else; runs on a node's own Python.

python3 stranger.py accept PORT     takes every connection and says nothing
python3 stranger.py forward PORT    passes each on to where it was sent before the redirection
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys

SO_ORIGINAL_DST = 80
BACKLOG = 4096


async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read until the other side leaves."""
    try:
        while await reader.read(65536):
            pass
    except OSError:
        pass
    finally:
        writer.close()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes both ways between the caller and the address that it had called."""
    try:
        address = original_destination(writer.get_extra_info("socket"))
        far_reader, far_writer = await asyncio.open_connection(*address)
    except OSError:
        writer.close()
        return
    try:
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
    finally:
        far_writer.close()
        writer.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes one way until that side says no more."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        # A reset goes both ways.
        writer.transport.abort()


def original_destination(connection: socket.socket) -> tuple[str, int]:
    """Return address and port that a redirected connection was sent to."""
    raw = connection.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
    port, packed = struct.unpack("!2xH4s8x", raw)
    return socket.inet_ntoa(packed), port


async def main() -> None:
    """Listen on all addresses until killed."""
    handler = {"accept": swallow, "forward": pass_on}[sys.argv[1]]
    server = await asyncio.start_server(handler, "0.0.0.0", int(sys.argv[2]), backlog=BACKLOG)  # noqa: S104
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
