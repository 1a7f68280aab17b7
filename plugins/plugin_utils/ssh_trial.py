# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a node lets us in at another port: a login past every open connection, host key checked.

A node's key is known under its address and port. ssh itself takes a key that is known for the bare
address for every other port of it, but not the other way round. Where it refuses the new port for
that reason, it is asked once more with the old name as HostKeyAlias. When it then accepts the key,
the lines of the old name are repeated for the new one in the user's own file: an alias alone would
leave the next run with the question.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible.errors import AnsibleError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.probe_reason import one_line
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.known_hosts import (
    look_up,
    record,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.ssh_route import (
    Route,
    RouteError,
    read_route,
    ssh_words,
)

FRESH = ("-o", "ControlMaster=no", "-o", "ControlPath=none")
STRICT = ("-o", "StrictHostKeyChecking=yes")
DEFAULT_PORT = 22


class TrialError(Exception):
    """The node cannot be reached that way; the text is ssh's."""


def route_at(connection: Any, port: Optional[int]) -> Route:
    """Return how Ansible's ssh connection would reach its node at ``port`` (None: as it is)."""

    def option(name: str) -> str:
        return str(connection.get_option(name) or "")

    before = [option("ssh_args")]
    if connection.get_option("host_key_checking") is False:
        before.append("-o StrictHostKeyChecking=no")
    middle = ssh_words(option("remote_user"), 0, ())
    number = port or connection.get_option("port")
    words = [
        *ssh_words("", 0, before),
        *(["-o", f"Port={number}"] if number else []),
        *middle,
        *ssh_words("", 0, [option("ssh_common_args"), option("ssh_extra_args")]),
    ]
    host = option("host")
    return read_route(host, words, option("ssh_executable") or "ssh")


@contextlib.contextmanager
def at_port(connection: Any, port: int, words: Sequence[str] = ()) -> Iterator[None]:
    """Have the connection use ``port`` and more words of ssh's in the block."""
    before = {name: connection.get_option(name) for name in ("port", "ssh_args")}
    connection.set_option("port", port)
    if words:
        connection.set_option("ssh_args", f"{shlex.join(words)} {before['ssh_args'] or ''}".strip())
    try:
        yield
    finally:
        for name, value in before.items():
            connection.set_option(name, value)


def prove(connection: Any, port: int, file: str, nonce: str) -> None:
    """Return when a login at ``port`` reads ``nonce`` in ``file``; raise TrialError otherwise."""
    try:
        old, new = route_at(connection, None), route_at(connection, port)
    except RouteError as error:
        raise TrialError(str(error)) from None
    if new.port != port:
        raise TrialError(
            f"ssh is told to use port {new.port} by ssh_args, whatever ansible_port says"
        )
    strict = STRICT if new.strict == "ask" else ()
    try:
        _read(connection, port, strict, file, nonce)
    except TrialError as error:
        if not is_unknown_key(str(error)):
            raise
        alias = (*STRICT, "-o", f"HostKeyAlias={old.known_hosts_name}")
        _read(connection, port, alias, file, nonce)
        carry_over(old, new)
        _read(connection, port, strict, file, nonce)


def _read(connection: Any, port: int, words: Sequence[str], file: str, nonce: str) -> None:
    """Raise TrialError unless a new login reads ``nonce``."""
    with at_port(connection, port, (*FRESH, *words)):
        try:
            _rc, out, _err = connection.exec_command(f"cat {file}", in_data=None, sudoable=False)
        except AnsibleError as error:
            raise TrialError(str(error) or "connection failed") from None
    if bytes(out).decode("utf-8", "replace").strip() != nonce:
        raise TrialError("another machine answers there")


def is_unknown_key(text: str) -> bool:
    """Return whether ssh refused a login only because it never saw the key under this name."""
    return "Host key verification failed" in text and "IDENTIFICATION HAS CHANGED" not in text


def carry_over(old: Route, new: Route) -> None:
    """Repeat the keys that are known for the old name for the new one; raise TrialError if not."""
    keys = look_up(old.known_hosts_name, (*old.known_hosts, *old.more_known_hosts))
    if not new.known_hosts:
        raise TrialError(f"there is no known_hosts file to write {new.known_hosts_name} to")
    name = new.known_hosts_name
    present = look_up(name, (*new.known_hosts, *new.more_known_hosts))
    known = {(key.kind, key.blob) for key in present}
    try:
        for key in keys:
            if not key.is_revoked and (key.kind, key.blob) not in known:
                record(new.known_hosts[0], name, key, is_hashed=new.hash_known_hosts)
    except OSError as error:
        raise TrialError(
            f"the key of {new.known_hosts_name} could not be written: {error}"
        ) from None


def refusal(text: str, route: Route, port: int, listening: Sequence[int]) -> str:
    """Return what was seen at the new port and what to do about it."""
    return (
        f"os_base_ssh_port: sshd listened on {port}, but a login from this machine at "
        f"{route.host} port {port} did not work: {one_line(text)}. It listens as before again, "
        f"on {', '.join(str(each) for each in listening)}. {_advice(text, route, port, listening)}"
    )


def _advice(text: str, route: Route, port: int, listening: Sequence[int]) -> str:
    login = shlex.join(["ssh", *route.words, "-p", str(port), route.destination, "true"])
    if route.port not in listening:
        return (
            f"Ansible reaches this node at port {route.port}, on which its sshd does not listen:"
            f" the port is forwarded. Forward {port} to the node as well, or leave"
            " os_base_ssh_port out"
        )
    if re.search(r"timed out|[Tt]imeout|No route|unreachable", text):
        return f"A firewall on the way drops it: open tcp/{port} there. Then try: {login}"
    if "refused" in text:
        return (
            f"A firewall or forwarder on the way refuses it: open tcp/{port} there, or leave"
            " os_base_ssh_port out"
        )
    if "IDENTIFICATION HAS CHANGED" in text:
        name = f"[{route.host}]:{port}"
        return f"An old key is on record for it. Once you know why: ssh-keygen -R '{name}'"
    return f"Try: {login}"


@dataclass(frozen=True)
class Elsewhere:
    """Another port at which a node may listen, and ssh's words for each attempt at it."""

    port: int
    attempts: tuple[tuple[str, ...], ...]
    alias: tuple[str, ...]

    def remark(self, name: str, present: int, wanted: int) -> str:
        """Return the line that the owner is told, once."""
        if self.port == wanted:
            return (
                f"{name} answers at port {self.port} (os_base_ssh_port), not at {present}; this run"
                f" goes on there. Put it into the inventory: {name} ansible_port={self.port}"
            )
        return (
            f"{name} does not listen on port {present} yet, as the inventory says; this run reaches"
            f" it at {self.port} until os_base has moved it"
        )


def elsewhere(present: Route, wanted: int) -> Optional[Elsewhere]:
    """Return where a node may listen instead of where the inventory says, None for nowhere.

    A node that shall listen on ``wanted`` listens there already, or still on the default port.
    Behind any other port of the inventory may be a forwarder, whose further ports may be other
    machines: only the key that is known for that very port opens there. This machine's own
    addresses are never tried.
    """
    other = DEFAULT_PORT if present.port == wanted else wanted
    if not wanted or other == present.port or is_loopback(present.host):
        return None
    alias = (*STRICT, "-o", f"HostKeyAlias={present.known_hosts_name}")
    if present.port not in (DEFAULT_PORT, wanted):
        return Elsewhere(other, (alias,), alias)
    return Elsewhere(other, (STRICT if present.strict == "ask" else (), alias), alias)


def is_elsewhere(text: str) -> bool:
    """Return whether a failure may mean that sshd listens on another port."""
    return bool(re.search(r"Connection refused|timed out|[Tt]imeout", text))


def is_loopback(host: str) -> bool:
    """Return whether an address is this machine itself: its ports lead to many nodes."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
