# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""sshd on the node: reads how it stands, and brings texts into force or everything back."""

from __future__ import annotations

import glob
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import sshd_config as config
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import sshd_units as units
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.sshd_config import Own, Setting
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.sshd_ports import (
    Ports,
    parse_labels,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.sshd_units import (
    Listener,
    Streams,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.write_file import (
    Mover,
    write_text,
)

SHOW = ["systemctl", "show", *units.UNITS, "--property", units.PROPERTIES]
BOUND = ["ss", "-Hltnp"]
#: Our part while it is being taken out: it says nothing, and is deleted once sshd runs with it.
STUB = f"{config.HEADER}\n# Being taken out\n"
WAIT_SECONDS = 20.0

Texts = Mapping[str, Optional[str]]


class SshdError(Exception):
    """sshd cannot be brought to where it should be; what was changed has been put back."""


@dataclass(frozen=True)
class Seen:
    """How sshd stands.

    ``own`` is the text of our part, empty without one; ``streams`` is None where the ports are
    those of sshd's configuration.
    """

    main: str
    own: str
    in_block: bool
    others: tuple[Setting, ...]
    effective: config.Effective
    listener: Listener
    streams: Optional[Streams]
    socket_text: str

    @property
    def open(self) -> frozenset[int]:
        """Return the ports that hold by the configuration."""
        return self.listener.socket.ports if self.listener.socket else self.effective.ports

    @property
    def explicit(self) -> tuple[tuple[int, str], ...]:
        """Return the owner's own ports, each with the place that names it."""
        if self.streams is not None:
            return self.streams.explicit
        named = config.port_settings(each for each in self.others if not each.conditional)
        return tuple((port, each.place) for port, each in named)

    @property
    def ports(self) -> Ports:
        """Return how the ports stand."""
        default = self.streams.default if self.streams else ()
        return Ports(
            own=config.parse_own(self.own),
            explicit=tuple(dict.fromkeys(port for port, _place in self.explicit)),
            default=default or (config.DEFAULT_PORT,),
            open=self.open,
        )

    @property
    def socket_path(self) -> str:
        """Return where our drop-in of the socket lies, empty where none is needed."""
        socket = self.listener.socket
        return units.drop_in_path(socket.name) if socket and self.streams is not None else ""

    def texts(self, own: str, ports: tuple[int, ...]) -> dict[str, Optional[str]]:
        """Return the files that have our part say ``own``; None is a file that must not be."""
        found: dict[str, Optional[str]] = {}
        if self.in_block:
            found[config.MAIN] = config.with_block(self.main, own)
        else:
            found[config.DROP_IN] = own or None
        if self.streams is not None and self.socket_path:
            made = units.made_folder(self.socket_text) or not os.path.isdir(
                os.path.dirname(self.socket_path)
            )
            found[self.socket_path] = units.socket_text(self.streams, ports, made) or None
        return found


def read(path: str) -> str:
    """Return a file's text, empty when there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""


class Sshd:
    """sshd of this node."""

    def __init__(self, mover: Mover, command: Command) -> None:
        self._mover = mover
        self._command = command

    def read(self) -> Optional[Seen]:
        """Return how sshd stands, None when systemd does not run it; raise SshdError if broken."""
        listener = self._listener()
        if listener is None or self._command.find("sshd") is None:
            return None
        main = read(config.MAIN)
        block, rest = config.without_block(main)
        in_block = not config.takes_drop_in(rest)
        streams = self._streams(listener)
        path = units.drop_in_path(listener.socket.name) if listener.socket else ""
        return Seen(
            main=main,
            own=block if in_block else read(config.DROP_IN),
            in_block=in_block,
            others=self._others(rest),
            effective=self._present(),
            listener=listener,
            streams=streams,
            socket_text=read(path) if path else "",
        )

    def _listener(self) -> Optional[Listener]:
        return units.find_listener(units.parse_units(self._command.run(SHOW).out))

    def _streams(self, listener: Listener) -> Optional[Streams]:
        generator = any(os.path.exists(path) for path in units.GENERATORS)
        if listener.socket is None or generator:
            return None
        name = listener.socket.name
        text = self._command.need(["systemctl", "cat", name])
        return units.parse_streams(text, units.drop_in_path(name))

    def _others(self, main: str) -> tuple[Setting, ...]:
        """Return the owner's settings."""
        included: dict[str, list[tuple[str, str]]] = {}
        waiting = list(config.include_patterns(main))
        while waiting:
            pattern = waiting.pop()
            if pattern in included:
                continue
            paths = sorted(glob.glob(config.absolute(pattern)))
            included[pattern] = [(path, read(path)) for path in paths if path != config.DROP_IN]
            for _path, text in included[pattern]:
                waiting += config.include_patterns(text)
        return config.parse_settings(config.MAIN, main, included)

    def _present(self) -> config.Effective:
        try:
            return self._effective()
        except SshdError as error:
            raise SshdError(
                f"{error}. Nothing was changed; mend that, then try 'sshd -t'"
            ) from error

    def _effective(self) -> config.Effective:
        """Return what ``sshd -T`` says, which also is sshd's own check of the configuration."""
        program = self._command.find("sshd") or "sshd"
        result = self._command.run([program, "-T"])
        if "not in connection test specification" in result.err:
            # An old sshd that wants to know for whom it shall look at the owner's Match.
            connection = "user=root,host=localhost,addr=127.0.0.1"
            result = self._command.run([program, "-T", "-C", connection])
        # A socket that starts one sshd for each connection has no service that makes this folder.
        missing = re.search(r"Missing privilege separation directory: (\S+)", result.err)
        if missing:
            os.makedirs(missing.group(1), 0o755, exist_ok=True)
            result = self._command.run([program, "-T"])
        if result.rc != 0:
            raise SshdError(f"sshd does not accept its configuration: {result.explain()}")
        return config.parse_effective(result.out)

    def stands(self, seen: Seen) -> bool:
        """Return whether the running sshd has taken up the files of our part."""
        files = [config.MAIN if seen.in_block else config.DROP_IN, seen.socket_path]
        times = [os.stat(path).st_mtime for path in files if path and os.path.exists(path)]
        boot = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
        if not seen.own or max(times, default=0.0) > boot + seen.listener.main.started / 1e6:
            return not seen.own
        if not config.parse_own(seen.own).ports:
            return True
        bound, ours = self.bound(seen), frozenset(config.parse_own(seen.own).ports)
        # An address of the owner's may be absent for now, so what is missing must be ours.
        return not (seen.listener.main.needs_reload or ours - bound or bound - seen.open)

    def bound(self, seen: Seen) -> frozenset[int]:
        """Return the ports that are bound for SSH; systemd holds ports for others too."""
        if self._command.find("ss") is None:
            raise SshdError("ss is missing; install iproute2, on Enterprise Linux iproute")
        bound = units.parse_bound(self._command.need(BOUND), seen.listener.pids)
        if seen.listener.socket is None:
            return bound
        own = config.parse_own(seen.own)
        return bound & {*seen.open, *own.before, *seen.ports.default, config.DEFAULT_PORT}

    def taker(self, port: int) -> str:
        """Return who else listens on ``port``, empty when nobody does."""
        if self._command.find("ss") is None:
            return ""
        names = units.port_takers(self._command.need(BOUND), port)
        return ", ".join(name for name in names if name not in ("sshd", "systemd"))

    def unlabelled(self, own: Own, dry: bool = False) -> tuple[int, ...]:
        """Return the ports that SELinux does not give to sshd; raise SshdError if nothing could.

        When ``dry``, a missing semanage is taken to come with the packages that were only foreseen.
        """
        found = self._command.find("getenforce")
        state = self._command.run(["getenforce"]).out.strip() if found and own.ports else ""
        if state not in ("Enforcing", "Permissive"):
            return ()
        if self._command.find("semanage") is None:
            if dry:
                return ()
            raise SshdError(
                f"SELinux is {state.lower()} and does not know port {own.ports[-1]} as sshd's, and "
                "semanage is missing; run 'dnf install policycoreutils-python-utils'"
            )
        known = parse_labels(self._command.need(["semanage", "port", "-l"]))
        return tuple(port for port in own.ports if port not in known)

    def bring(
        self, seen: Seen, texts: Texts, labels: tuple[int, ...], ports: frozenset[int]
    ) -> None:
        """Have sshd run with ``texts`` and listen on ``ports``; put everything back otherwise."""
        before: Texts = {path: read(path) or None for path in texts}
        restarted = False
        try:
            self._write(texts)
            for port in labels:
                self._command.need(
                    ["semanage", "port", "-a", "-t", "ssh_port_t", "-p", "tcp", str(port)]
                )
            self._check(seen, ports)
            restarted = True
            self._restart(seen.listener)
            self._wait(ports)
        except (SshdError, CommandError, OSError) as error:
            self._put_back(seen.listener, before, labels, restarted)
            raise SshdError(f"{error}; everything was put back") from error

    def _check(self, seen: Seen, ports: frozenset[int]) -> None:
        """Raise SshdError unless the written configuration is sound and opens ``ports``."""
        effective = self._effective()
        if seen.listener.socket is not None:
            self._command.need(["systemctl", "daemon-reload"])
        listener = self._listener() or seen.listener
        opened = replace(seen, effective=effective, listener=listener).open
        if ports - opened:
            wanted = ", ".join(str(port) for port in sorted(ports - opened))
            places = [each.place for each in seen.others if each.keyword == "listenaddress"]
            hint = (
                f"ListenAddress at {', '.join(places)}" if places else "see 'sshd -T' on this node"
            )
            raise SshdError(f"sshd would not listen on {wanted}, whatever Port says: {hint}")

    def _write(self, texts: Texts) -> None:
        for path, text in texts.items():
            if text is None:
                self._delete(path)
            elif read(path) != text:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                write_text(self._mover, path, text)

    def _delete(self, path: str) -> None:
        if not os.path.lexists(path):
            return
        empty_folder = units.made_folder(read(path))
        os.unlink(path)
        if empty_folder and not os.listdir(os.path.dirname(path)):
            os.rmdir(os.path.dirname(path))

    def _restart(self, listener: Listener) -> None:
        """Restart what listens; sessions go on, since only the listening process ends."""
        self._command.need(listener.restart)

    def _wait(self, ports: frozenset[int]) -> None:
        """Return when sshd listens on ``ports``; raise SshdError when it does not in time."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            listener = self._listener()
            pids = listener.pids if listener else frozenset()
            missing = ports - units.parse_bound(self._command.need(BOUND), pids)
            if listener and not missing:
                return
            if time.monotonic() > deadline:
                wanted = ", ".join(str(port) for port in sorted(missing))
                raise SshdError(
                    f"sshd was restarted and did not listen on {wanted or 'any port'} within "
                    f"{WAIT_SECONDS:.0f} s; see 'journalctl --unit ssh.service --unit sshd.service'"
                    ", and SSHD_OPTS in /etc/default/ssh or OPTIONS in /etc/sysconfig/sshd for -p"
                )
            time.sleep(0.2)

    def _put_back(
        self, listener: Listener, before: Texts, labels: tuple[int, ...], restarted: bool
    ) -> None:
        self._write(before)
        for port in labels:
            self._unlabel(port)
        if listener.socket is not None:
            self._command.run(["systemctl", "daemon-reload"])
        if restarted:
            self._command.run(listener.restart)

    def _unlabel(self, port: int) -> None:
        self._command.run(["semanage", "port", "-d", "-p", "tcp", str(port)])

    def finish(self, seen: Seen, texts: Texts, labels: tuple[int, ...]) -> None:
        """Do what may only be done once sshd runs without our part."""
        self._write(texts)
        for port in labels:
            self._unlabel(port)
        if seen.listener.socket is not None:
            self._command.run(["systemctl", "daemon-reload"])
