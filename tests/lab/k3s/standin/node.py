# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What k3s reads of the machine before it starts: name, address, routes, interface, sysctls."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import struct
from pathlib import Path

from tests.lab.k3s.standin.log import FatalError

_GET_ADDRESS = 0x8915
#: What the kubelet wants with protect-kernel-defaults (kubelet, protectKernelDefaults).
KERNEL = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def default_interfaces(table: str) -> list[str]:
    """Return interfaces of IPv4 default routes in the text of /proc/net/route."""
    found = []
    for row in table.splitlines()[1:]:
        cells = row.split()
        if len(cells) > 7 and cells[1] == "00000000" and cells[7] == "00000000":
            found.append(cells[0])
    return found


def ways_out(table: str) -> list[str]:
    """Return gateways of default routes that are neighbours: in a network of their interface.

    A route that only satisfies k3s, through a dummy interface or to an address that is nowhere, is
    no way out.
    """
    rows = [row.split() for row in table.splitlines()[1:]]
    linked = [(row[0], _number(row[1]), _number(row[7])) for row in rows if _number(row[7])]
    return [
        socket.inet_ntoa(struct.pack("!I", gateway))
        for row in rows
        if row[1] == row[7] == "00000000" and (gateway := _number(row[2]))
        if any(row[0] == name and gateway & mask == network for name, network, mask in linked)
    ]


def _number(text: str) -> int:
    """Return an address of /proc/net/route, which writes them in the machine's byte order."""
    return int(struct.unpack("!I", struct.pack("=I", int(text, 16)))[0])


def address_of(interface: str) -> str:
    """Return an interface's first IPv4 address; empty when it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            packed = fcntl.ioctl(
                probe.fileno(), _GET_ADDRESS, struct.pack("256s", interface[:15].encode())
            )
        except OSError:
            return ""
    return socket.inet_ntoa(packed[20:24])


def node_name(given: str) -> str:
    """Return the node's name: what is given, or the host's in lower case."""
    return (given or socket.gethostname()).lower()


def node_address(given: str) -> str:
    """Return the node's address, or raise what k3s says when there is no default route.

    k3s' documentation (Air-Gap Install) asks for a default route on every node. k3s itself only
    fails without --node-ip; the stand-in refuses in either case, so that a role that forgets the
    route does not pass.
    """
    found = default_interfaces(Path("/proc/net/route").read_text())
    if not found:
        raise FatalError('no default routes found in "/proc/net/route" or "/proc/net/ipv6_route"')
    if given:
        try:
            return str(ipaddress.ip_address(given))
        except ValueError as error:
            raise FatalError(f"invalid node-ip: invalid ip format '{given}'") from error
    for interface in found:
        address = address_of(interface)
        if address and ipaddress.ip_address(address).is_link_local is False:
            return address
    raise FatalError("unable to select an IP from default routes.")


def check_interface(name: str) -> None:
    """Raise FatalError unless flannel's interface is there."""
    if name and name not in os.listdir("/sys/class/net"):
        raise FatalError(
            f"unable to find interface {name}: route ip+net: no such network interface"
        )


def check_kernel(root: Path = Path("/proc/sys")) -> None:
    """Raise FatalError, worded as the kubelet's, when kernel settings differ from its own."""
    for name, wanted in KERNEL.items():
        seen = (root / name).read_text().strip() if (root / name).exists() else wanted
        if seen != wanted:
            raise FatalError(
                '"Failed to start ContainerManager" err="invalid kernel flag: '
                f'{name}, expected value: {wanted}, actual value: {seen}"'
            )


def check_free(port: int, address: str = "") -> None:
    """Raise FatalError when a TCP port is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            where = f"{address}:{port}"
            raise FatalError(
                f"failed to listen on {where}: listen tcp {where}: bind: {_word(error)}"
            ) from error


def _word(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
