# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that tests plant on a lab's nodes, and how each is taken back.

A fault is two scripts for one node. Most run in the node's network with this machine's tools, so
that the node itself shows no more of them than of a device between the machines::

    with planted("mol-preflight", dropped(2, "8076"), interface_down(3, "eth1")):
        ...
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab import control
from tests.lab.shell import LabError, check

STRANGER = Path(__file__).with_name("stranger.py")
STRANGERS_PORT = 7

#: Before connection tracking and address translation, where a device of the network would act.
RAW = -300
FILTER = 0
DSTNAT = -100
SRCNAT = 100


@dataclass(frozen=True)
class Fault:
    """What is done to a node (by its number) and what takes it back, as shell scripts.

    ``inside`` runs them on the node, else in its network with this machine's tools.
    """

    node: int
    plant: str
    undo: str
    inside: bool = False


@contextlib.contextmanager
def planted(lab: str, *faults: Fault) -> Iterator[None]:
    """Have the faults on the lab's nodes for the block; what was planted goes whatever happens."""
    with contextlib.ExitStack() as stack:
        for fault in faults:
            try:
                _run(lab, fault, fault.plant)
            except LabError:
                # Half of it may be there.
                with contextlib.suppress(LabError):
                    _run(lab, fault, fault.undo)
                raise
            stack.callback(_run, lab, fault, fault.undo)
        yield


def mtu_of(lab: str, node: int, interface: str = "eth1") -> int:
    """Return the MTU of a node's interface: a lab's networks have that of its machine's uplink."""
    return int(on_node(lab, node, f"cat /sys/class/net/{interface}/mtu"))


def in_network(lab: str, node: int, script: str) -> str:
    """Return what a script prints in a node's network with this machine's tools."""
    found = control.find(f"node{node}", lab)
    return check(["nsenter", f"--net=/proc/{found.pid}/ns/net", "sh", "-ec", script])


def on_node(lab: str, node: int, script: str, timeout: float = 120) -> str:
    """Return what a script prints as root on a node."""
    container = control.find(f"node{node}", lab).container
    return check(["docker", "exec", container, "sh", "-ec", script], timeout=timeout)


def _run(lab: str, fault: Fault, script: str) -> None:
    (on_node if fault.inside else in_network)(lab, fault.node, script)


def rules(node: int, hook: str, lines: Sequence[str], priority: int = RAW) -> Fault:
    """Return packet-filter rules of a node in a table of their own."""
    kind = "nat" if priority in (DSTNAT, SRCNAT) else "filter"
    body = "\n".join(
        f"    {line}"
        for line in (f"type {kind} hook {hook} priority {priority}; policy accept;", *lines)
    )
    table = f"lab_{zlib.crc32(body.encode()):08x}"
    text = f"table inet {table} {{\n  chain fault {{\n{body}\n  }}\n}}"
    return Fault(node, f"nft -f - <<'END'\n{text}\nEND", f"nft delete table inet {table}")


def dropped(node: int, ports: str, protocol: str = "tcp", source: str = "") -> Fault:
    """Return the loss of what comes for some ports, from everybody or from one address."""
    return rules(node, "prerouting", [f"{_match(ports, protocol, source)} drop"])


def rejected(node: int, ports: str, answer: str, protocol: str = "tcp", source: str = "") -> Fault:
    """Return a refusal by ``answer``: ``tcp reset``, ``icmp host-unreachable`` and so on."""
    verdict = f"{_match(ports, protocol, source)} reject with {answer}"
    return rules(node, "input", [verdict], FILTER)


def black_hole(
    node: int, above: int, hooks: Sequence[str] = ("prerouting", "output")
) -> list[Fault]:
    """Return the silent loss of the node's packets above a size on its cluster network."""
    side = {"prerouting": "iifname", "output": "oifname", "postrouting": "oifname"}
    return [
        rules(node, hook, [f'{side[hook]} "eth1" meta length > {above} drop']) for hook in hooks
    ]


def translated(node: int, address: str) -> list[Fault]:
    """Return a second address of the node that all its connections to other nodes come from."""
    add = Fault(
        node, f"ip address add {address}/24 dev eth1", f"ip address del {address}/24 dev eth1"
    )
    line = f'oifname "eth1" ct direction original snat ip to {address}'
    return [add, rules(node, "postrouting", [line], SRCNAT)]


def intercepted(node: int, manner: str, at: str = "prerouting", towards: str = "") -> list[Fault]:
    """Return a stranger that takes the node's connections in both protocols' sense of TCP.

    ``at`` says which: ``prerouting`` those that come to the node, ``output`` those that it makes
    ``towards`` an address. ``manner`` is ``accept`` or ``forward`` (see stranger.py).
    """
    match = 'iifname "eth1"' if at == "prerouting" else f"ip daddr {towards}"
    redirect = f"{match} tcp dport 1024-65535 redirect to :{STRANGERS_PORT}"
    return [stranger(node, manner), rules(node, at, [redirect], DSTNAT)]


def stranger(node: int, manner: str) -> Fault:
    """Return the process that redirected connections end at."""
    file = "/run/lab-stranger.py"
    text = STRANGER.read_text()
    plant = f"cat >{file} <<'END'\n{text}END\n" + _service(
        "lab-stranger", f"python3 {file} {manner} {STRANGERS_PORT}", STRANGERS_PORT
    )
    return Fault(node, plant, f"systemctl stop lab-stranger; rm -f {file}", inside=True)


def port_taken(node: int, port: int) -> Fault:
    """Return a web server of somebody's on a port that the cluster needs."""
    unit = f"lab-taken-{port}"
    server = f"python3 -m http.server --directory /srv {port}"
    return Fault(node, _service(unit, server, port), f"systemctl stop {unit}", inside=True)


def interface_down(node: int, interface: str) -> Fault:
    """Return a stopped interface."""
    return Fault(node, f"ip link set {interface} down", f"ip link set {interface} up")


def mtu(node: int, interface: str, size: int, before: int) -> Fault:
    """Return an interface with another MTU than the one it had before."""
    command = f"ip link set {interface} mtu"
    return Fault(node, f"{command} {size}", f"{command} {before}")


def second_interface(node: int, interface: str, address: str) -> Fault:
    """Return an address of the cluster's subnet on an interface more."""
    change = f"{address}/24 dev {interface}"
    return Fault(node, f"ip address add {change}", f"ip address del {change}")


def file_changed(node: int, path: str, text: str) -> Fault:
    """Return other contents of a file; what it had, or that it was not there, comes back."""
    folder, kept = path.rpartition("/")[0], f"/run/lab-kept{path.replace('/', '-')}"
    plant = (
        f"[ ! -e {path} ] || cp -a {path} {kept}\n"
        f"[ -d {folder} ] || {{ mkdir {folder}; touch {kept}.folder; }}\n"
        f"cat >{path} <<'END'\n{text}\nEND"
    )
    undo = (
        f"if [ -e {kept} ]; then cp -a {kept} {path}; rm {kept}; else rm -f {path}; fi\n"
        f"[ ! -e {kept}.folder ] || rmdir {folder}; rm -f {kept}.folder"
    )
    return Fault(node, plant, undo, inside=True)


def clock(node: int, seconds: int) -> Fault:
    """Return a Python on the node whose clock goes wrong: /run/lab-python (needs libfaketime).

    A node of the lab has its machine's clock. Whatever this Python starts has the same wrong one.
    """
    library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
    script = (
        "#!/bin/sh\n"
        f"export FAKETIME={seconds:+d}s FAKETIME_DONT_FAKE_MONOTONIC=1 LD_PRELOAD={library}\n"
        'exec /usr/bin/python3 "$@"'
    )
    path = "/run/lab-python"
    plant = f"cat >{path} <<'END'\n{script}\nEND\nchmod 755 {path}"
    return Fault(node, plant, f"rm -f {path}", inside=True)


def _match(ports: str, protocol: str, source: str) -> str:
    # Only what begins a connection: the node's own connections get their answers at any port.
    opening = "tcp flags & (syn | ack) == syn " if protocol == "tcp" else ""
    origin = f"ip saddr {source} " if source else ""
    return f'iifname "eth1" {origin}{opening}{protocol} dport {{ {ports} }}'


def _service(unit: str, command: str, port: int) -> str:
    """Return the script that starts a command as a service and waits until it listens."""
    return (
        f"systemd-run --quiet --collect --unit={unit} --property=LimitNOFILE=20000 {command}\n"
        f"timeout 20 sh -c 'until ss -Hltn sport = :{port} | grep -q .; do sleep 0.1; done'"
    )
