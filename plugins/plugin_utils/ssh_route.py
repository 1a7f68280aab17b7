# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How ssh would reach a machine: ssh's own configuration, Ansible's options and defaults in one."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class RouteError(ValueError):
    """A configuration of ssh that ssh itself does not accept."""


@dataclass(frozen=True)
class Route:
    """The way to one machine."""

    #: What is written on ssh's command line, and the words that Ansible puts before it.
    destination: str
    words: tuple[str, ...]
    #: What ssh makes of it.
    host: str
    user: str
    port: int
    known_hosts: tuple[str, ...] = ()
    #: Files that are only read: the system's.
    more_known_hosts: tuple[str, ...] = ()
    host_key_alias: str = ""
    hash_known_hosts: bool = False
    #: ssh's StrictHostKeyChecking: ask, true, false or accept-new.
    strict: str = "ask"
    #: The command that carries the connection, "" for a plain one.
    proxy: str = ""
    executable: str = "ssh"

    @property
    def known_hosts_name(self) -> str:
        """Return the machine's name in a known_hosts file."""
        if self.host_key_alias:
            return self.host_key_alias
        return self.host if self.port == 22 else f"[{self.host}]:{self.port}"

    @property
    def login(self) -> str:
        """Return user@host for people."""
        return f"{self.user}@{self.host}" + (f":{self.port}" if self.port != 22 else "")


def ssh_words(user: str, port: int, arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the words of ssh's command line for a user, a port and Ansible's texts, if any."""
    words = [word for text in arguments for word in _split(text)]
    words += ["-p", str(port)] if port else []
    words += ["-l", user] if user else []
    return tuple(words)


def _split(text: str) -> list[str]:
    """Return the words of a command line, or the line whole when its quotes do not match."""
    try:
        return shlex.split(text)
    except ValueError:
        return [text]


def read_route(destination: str, words: Sequence[str], executable: str = "ssh") -> Route:
    """Return what ``ssh -G`` says about a destination; RouteError when it refuses."""
    if destination.startswith("-"):
        raise RouteError(f"'{destination}' is no address of a machine")
    if shutil.which(executable) is None:
        raise RouteError(f"{executable} is not on this machine: install an OpenSSH client")
    done = subprocess.run(
        [executable, *words, "-G", destination],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise RouteError(f"ssh does not accept the options for {destination}: {said[-1]}")
    return route_of(destination, words, executable, parse_configuration(done.stdout))


def parse_configuration(text: str) -> dict[str, str]:
    """Return the settings that ``ssh -G`` prints; of a repeated one the first."""
    settings: dict[str, str] = {}
    for line in text.splitlines():
        name, _blank, value = line.partition(" ")
        settings.setdefault(name.lower(), value.strip())
    return settings


def route_of(
    destination: str, words: Sequence[str], executable: str, settings: Mapping[str, str]
) -> Route:
    """Return the route that ssh's settings describe."""

    def files(name: str) -> tuple[str, ...]:
        given = [os.path.expanduser(each) for each in settings.get(name, "").split()]
        return tuple(each for each in given if each not in ("none", os.devnull))

    def text(name: str) -> str:
        value = settings.get(name, "")
        return "" if value == "none" else value

    host, port, user = settings["hostname"], int(settings["port"]), settings["user"]
    return Route(
        destination=destination,
        words=tuple(words),
        host=host,
        user=user,
        port=port,
        known_hosts=files("userknownhostsfile"),
        more_known_hosts=files("globalknownhostsfile"),
        host_key_alias=text("hostkeyalias"),
        hash_known_hosts=text("hashknownhosts") == "yes",
        strict={"yes": "true", "no": "false", "off": "false"}.get(
            settings.get("stricthostkeychecking", "ask"),
            settings.get("stricthostkeychecking", "ask"),
        ),
        proxy=_proxy(text("proxycommand"), text("proxyjump"), host, port, user, executable),
        executable=executable,
    )


def _proxy(command: str, jump: str, host: str, port: int, user: str, executable: str) -> str:
    """Return the command line that carries the connection, "" for none."""
    if jump:
        *before, last = jump.split(",")
        words = [executable, "-o", "BatchMode=yes"]
        words += ["-J", ",".join(before)] if before else []
        bare = f"[{host}]" if ":" in host else host
        return shlex.join([*words, "-W", f"{bare}:{port}", _uri(last)])
    for mark, value in (("%h", host), ("%p", str(port)), ("%r", user), ("%%", "%")):
        command = command.replace(mark, value)
    return command.removeprefix("exec ")


def _uri(jump: str) -> str:
    """Return a jump host as ssh takes it for a destination: with a port it must be a URI."""
    return jump if "://" in jump or ":" not in jump else f"ssh://{jump}"
