# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logins that need nothing on the machine but a shell: by key with ssh, by password with paramiko.

ssh itself knows the user's agent, keys, jump hosts and certificates, so keys are left to it. It
takes no password without a terminal; that is what paramiko is for. A password never is an argument,
in an environment or in a text that is shown.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Optional, Protocol

from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.known_hosts import (
    HostKey,
    Verdict,
    judge,
    look_up,
    record,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.ssh_route import Route

# The machine's shell reads one line (a password or nothing) and then a script. Neither is seen in
# the list of processes; unset first, since a variable that is in the environment would stay there.
WRAPPER = 'unset p s; IFS= read -r p; s=$(cat); eval "$s"'
COMMAND = f"/bin/sh -c '{WRAPPER}'"


class LoginError(Exception):
    """A machine that does not let us in; the text is ssh's, or says the same in ssh's words."""


class RefusedError(LoginError):
    """The machine answers, and refuses this way of logging in."""


class PasswordRefusedError(RefusedError):
    """The machine takes passwords, and this one is not right."""


class NeedsParamikoError(LoginError):
    """A password is to be used, and paramiko is not there."""


@dataclass(frozen=True)
class Policy:
    """What a login may do."""

    connect_timeout: int = 10
    #: Whether the key of a machine that was never seen is taken for the right one.
    accept_new: bool = True
    #: Whether such a key is written to known_hosts.
    record_new: bool = True


@dataclass(frozen=True)
class Answer:
    """How a script on a machine ended."""

    rc: int
    out: str
    err: str


class Session(Protocol):
    """A way into a machine that works."""

    #: How we got in: "key", "password".
    way: str

    def run(self, script: str, secret: str = "", timeout: int = 60) -> Answer:
        """Return how a script for /bin/sh ended; ``secret`` is in its variable p."""

    def close(self) -> None:
        """End the connection."""


@dataclass
class KeySession:
    """A login by the control node's own ssh. With a key file, only that key is offered."""

    route: Route
    policy: Policy = field(default_factory=Policy)
    key_file: str = ""
    #: The fingerprint of a key that does not count as a login, "" for none.
    not_with: str = ""
    way: str = "key"

    def run(self, script: str, secret: str = "", timeout: int = 60) -> Answer:
        """Return how a script ended; LoginError when ssh did not get as far."""
        with self._own_known_hosts() as words:
            argv = [*self._argv(), *words, *self.route.words]
            try:
                done = subprocess.run(
                    [*argv, self.route.destination, COMMAND],
                    input=f"{secret}\n{script}",
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=timeout,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise LoginError(f"no answer within {timeout} s: Connection timed out") from None
        if done.returncode == 255:
            self._refuse(done.stderr)
        if self.key_file and not was_accepted(done.stderr, fingerprint_of(self.key_file)):
            raise RefusedError("Permission denied (publickey): another key was accepted instead")
        if self.not_with and self.not_with in accepted_key(done.stderr):
            raise RefusedError("Permission denied (publickey): only the cluster's own key gets in")
        return Answer(done.returncode, done.stdout, _without_debug(done.stderr))

    def close(self) -> None:
        """Nothing is kept open."""

    def _argv(self) -> list[str]:
        """Return ssh and the options that come first, since ssh takes the first of each."""
        options = [
            "BatchMode=yes",
            "PreferredAuthentications=publickey,gssapi-with-mic,hostbased",
            "ControlMaster=no",
            "ControlPath=none",
            "RequestTTY=no",
            # Debugging lines name the key that got us in.
            "LogLevel=DEBUG1" if self.key_file or self.not_with else "LogLevel=INFO",
            f"ConnectTimeout={self.policy.connect_timeout}",
        ]
        if self.route.strict == "ask" and self.policy.accept_new:
            options.append("StrictHostKeyChecking=accept-new")
        if self.key_file:
            options[1] = "PreferredAuthentications=publickey"
            options += ["IdentitiesOnly=yes", "IdentityAgent=none"]
        key = ["-i", self.key_file] if self.key_file else []
        return [self.route.executable, *(f"-o{option}" for option in options), *key]

    @contextlib.contextmanager
    def _own_known_hosts(self) -> Iterator[list[str]]:
        """Give ssh a file of its own to write new keys to, when they are not to be recorded."""
        if self.policy.record_new:
            yield []
            return
        with tempfile.TemporaryDirectory(prefix="rackforge-") as folder:
            files = [os.path.join(folder, "known_hosts"), *self.route.known_hosts]
            yield ["-oUserKnownHostsFile=" + " ".join(f'"{file}"' for file in files)]

    def _refuse(self, err: str) -> None:
        text = _without_debug(err).strip() or "ssh ended without a word"
        if re.search(r"Permission denied|Too many authentication", text):
            raise RefusedError(text)
        raise LoginError(text)


@dataclass
class PasswordSession:
    """A login with a password."""

    route: Route
    transport: Any
    way: str = "password"

    def run(self, script: str, secret: str = "", timeout: int = 60) -> Answer:
        """Return how a script ended; LoginError when the connection broke or nothing came."""
        try:
            channel = self.transport.open_session(timeout=timeout)
            channel.settimeout(timeout)
            channel.exec_command(COMMAND)
            channel.sendall(f"{secret}\n{script}".encode())
            channel.shutdown_write()
            out, err = _read_both(channel, time.monotonic() + timeout)
            return Answer(channel.recv_exit_status(), out, err)
        except TimeoutError:
            raise LoginError(f"no answer within {timeout} s: Connection timed out") from None
        except LoginError:
            raise
        except Exception as exc:  # paramiko's own, and whatever a socket raises
            raise LoginError(f"Connection closed: {exc}") from None

    def close(self) -> None:
        """End the connection."""
        self.transport.close()


def _read_both(channel: Any, end: float) -> tuple[str, str]:
    """Return everything that comes on both streams until the script ends."""
    out, err = bytearray(), bytearray()
    while True:
        # Looked at before the streams: what comes between two looks is read by the next round.
        has_ended = channel.closed or (channel.eof_received and channel.exit_status_ready())
        while channel.recv_ready():
            out += channel.recv(65536)
        while channel.recv_stderr_ready():
            err += channel.recv_stderr(65536)
        if has_ended:
            if channel.recv_exit_status() < 0:
                raise LoginError("Connection closed by the machine before the script ended")
            return out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
        if time.monotonic() > end:
            raise TimeoutError
        channel.status_event.wait(0.05)


def log_in_with_password(route: Route, password: str, policy: Policy) -> PasswordSession:
    """Return a session, or raise LoginError in ssh's words."""
    paramiko = import_paramiko()
    connection = _connect(route, policy, paramiko)
    transport = paramiko.Transport(connection)
    try:
        transport.banner_timeout = transport.auth_timeout = max(policy.connect_timeout, 30)
        known = look_up(route.known_hosts_name, (*route.known_hosts, *route.more_known_hosts))
        _prefer(transport, known)
        transport.start_client(timeout=policy.connect_timeout + 20)
        _check_host_key(route, transport.get_remote_server_key(), known, policy)
        transport.set_keepalive(15)
        transport.auth_password(route.user, password)
        if not transport.is_authenticated():
            raise RefusedError("Permission denied: the machine wants more than a password")
    except paramiko.BadAuthenticationType as exc:
        transport.close()
        raise RefusedError(f"Permission denied ({','.join(exc.allowed_types)})") from None
    except paramiko.AuthenticationException:
        transport.close()
        raise PasswordRefusedError("Permission denied (password)") from None
    except (paramiko.SSHException, OSError, EOFError) as exc:
        transport.close()
        raise LoginError(f"Connection closed: {exc or 'the machine hung up'}") from None
    except LoginError:
        transport.close()
        raise
    return PasswordSession(route, transport)


def import_paramiko() -> Any:
    """Return the package, or raise NeedsParamikoError."""
    try:
        paramiko = importlib.import_module("paramiko")
    except ImportError as exc:
        raise NeedsParamikoError(str(exc)) from None
    # Its threads would print what they run into, tracebacks too, onto the user's terminal.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)
    return paramiko


def _connect(route: Route, policy: Policy, paramiko: Any) -> Any:
    """Return what carries the connection."""
    if route.proxy:
        return paramiko.ProxyCommand(route.proxy)
    try:
        return socket.create_connection((route.host, route.port), policy.connect_timeout)
    except OSError as exc:
        where = f"{route.host} port {route.port}"
        raise LoginError(f"ssh: connect to host {where}: {exc.strerror or exc}") from None


def _prefer(transport: Any, known: tuple[HostKey, ...]) -> None:
    """Ask the machine for a key of a kind that is known, so that it can be compared."""
    kinds = {each.kind for each in known if not each.is_revoked}
    if "ssh-rsa" in kinds:
        kinds |= {"rsa-sha2-512", "rsa-sha2-256"}
    options = transport.get_security_options()
    offered = list(options.key_types)
    options.key_types = sorted(offered, key=lambda kind: (kind not in kinds, offered.index(kind)))


def _check_host_key(route: Route, key: Any, known: tuple[HostKey, ...], policy: Policy) -> None:
    """Go on with a known key, record a new one if that is allowed, refuse any other."""
    shown = HostKey(key.get_name(), key.get_base64())
    verdict = judge(shown, known)
    if verdict is Verdict.CHANGED:
        raise LoginError(describe_changed(shown, known))
    if verdict is Verdict.KNOWN:
        return
    if route.strict == "true" or (route.strict == "ask" and not policy.accept_new):
        raise LoginError(f"No {shown.kind} host key is known. Host key verification failed.")
    if policy.record_new and route.known_hosts:
        record(
            route.known_hosts[0],
            route.known_hosts_name,
            shown,
            is_hashed=route.hash_known_hosts,
        )


def describe_changed(shown: HostKey, known: tuple[HostKey, ...]) -> str:
    """Return the parts of ssh's warning that tell what differs from what."""
    first = next((each for each in known if each.where), None)
    where = f"\nOffending {first.kind} key in {first.where}" if first else ""
    return f"REMOTE HOST IDENTIFICATION HAS CHANGED\n{shown.fingerprint}{where}"


def fingerprint_of(key_file: str) -> str:
    """Return the fingerprint of a key file, "" when it cannot be read."""
    done = subprocess.run(
        ["ssh-keygen", "-l", "-f", key_file],  # noqa: S607 - the user's own OpenSSH
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"SHA256:[A-Za-z0-9+/]+", done.stdout)
    return found[0] if found else ""


def was_accepted(err: str, fingerprint: str) -> bool:
    """Return whether the key of this fingerprint is the one that got us in.

    Ansible's own arguments may offer further keys. An ssh that names no fingerprint is believed.
    """
    accepted = accepted_key(err)
    return not accepted or fingerprint in accepted


def accepted_key(err: str) -> str:
    """Return ssh's line about the last key that the machine accepted, "" without a fingerprint."""
    lines = re.findall(r"Server accepts key: (.*SHA256:.*)", err)
    return str(lines[-1]) if lines else ""


def _without_debug(err: str) -> str:
    """Return what ssh said without its debugging lines."""
    noise = re.compile(r"debug\d: |OpenSSH_|Authenticated to |Transferred: |Bytes per second: ")
    return "\n".join(line for line in err.splitlines() if not noise.match(line))


def new_host_key(route: Route, known_before: tuple[HostKey, ...]) -> Optional[HostKey]:
    """Return the key that was recorded for a machine of which none was known before."""
    if known_before:
        return None
    found = look_up(route.known_hosts_name, route.known_hosts)
    return found[0] if found else None
