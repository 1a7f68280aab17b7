# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts of sshd's configuration: what they say, where our part goes, and what it holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Optional

MAIN = "/etc/ssh/sshd_config"
DROP_IN = "/etc/ssh/sshd_config.d/00-rackforge.conf"
HEADER = "# Managed by rackforge.gpu_cluster"
BEGIN = "# BEGIN rackforge.gpu_cluster os_base"
END = "# END rackforge.gpu_cluster os_base"
DEFAULT_PORT = 22

_TRIAL = re.compile(r"^# Port (\d+) is on trial; without it: ([\d ]+|none)$", re.MULTILINE)
_LABELS = re.compile(r"^# Labelled for SELinux: ([\d ]+)$", re.MULTILINE)
_PORT = re.compile(r"^Port (\d+)$", re.MULTILINE)

Included = Mapping[str, Sequence[tuple[str, str]]]


@dataclass(frozen=True)
class Setting:
    """One line of a configuration, in the order in which sshd reads them."""

    keyword: str
    value: str
    path: str
    line: int
    conditional: bool = False

    @property
    def place(self) -> str:
        """Return file:line."""
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class KeepAlive:
    """When sshd gives up a silent connection."""

    interval: int
    count: int

    def lines(self) -> tuple[str, ...]:
        """Return the lines of the configuration."""
        return (
            "TCPKeepAlive yes",
            f"ClientAliveInterval {self.interval}",
            f"ClientAliveCountMax {self.count}",
        )


@dataclass(frozen=True)
class Own:
    """Our part of the configuration.

    ``trial`` is a port that has not been proven yet, 0 without one; ``before`` are the ports that
    our part had without it. ``labelled`` are the ports that we told SELinux about.
    """

    ports: tuple[int, ...] = ()
    trial: int = 0
    before: tuple[int, ...] = ()
    labelled: tuple[int, ...] = ()

    def text(self, keep_alive: Optional[KeepAlive]) -> str:
        """Return our part, empty when it would say nothing."""
        lines = [f"Port {port}" for port in self.ports]
        lines += keep_alive.lines() if keep_alive else ()
        if not lines:
            return ""
        marks = [HEADER]
        if self.trial:
            marks.append(f"# Port {self.trial} is on trial; without it: {_words(self.before)}")
        if self.labelled:
            marks.append(f"# Labelled for SELinux: {_words(self.labelled)}")
        return "".join(f"{line}\n" for line in [*marks, *lines])


def _words(ports: Iterable[int]) -> str:
    return " ".join(str(port) for port in ports) or "none"


def parse_own(text: str) -> Own:
    """Return what our part says."""
    trial, labels = _TRIAL.search(text), _LABELS.search(text)
    return Own(
        ports=tuple(int(port) for port in _PORT.findall(text)),
        trial=int(trial.group(1)) if trial else 0,
        before=_numbers(trial.group(2)) if trial else (),
        labelled=_numbers(labels.group(1)) if labels else (),
    )


def parse_keep_alive(text: str) -> Optional[KeepAlive]:
    """Return the keep-alive values of our part, None when it has none."""
    interval = re.search(r"^ClientAliveInterval (\d+)$", text, re.MULTILINE)
    count = re.search(r"^ClientAliveCountMax (\d+)$", text, re.MULTILINE)
    return KeepAlive(int(interval.group(1)), int(count.group(1))) if interval and count else None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split() if word.isdigit())


def parse_settings(path: str, text: str, included: Included) -> tuple[Setting, ...]:
    """Return all settings in the order in which sshd reads them, those of included files too.

    ``included`` has the files of each Include pattern. A Match goes to the end of its file.
    """
    found: list[Setting] = []
    conditional = False
    for number, line in enumerate(text.split("\n"), start=1):
        keyword, value = split_line(line)
        conditional = conditional or keyword == "match"
        if keyword == "include":
            for pattern in value.split():
                for inner_path, inner in included.get(pattern, ()):
                    others = {key: files for key, files in included.items() if key != pattern}
                    found += _within(parse_settings(inner_path, inner, others), conditional)
        elif keyword:
            found.append(Setting(keyword, value, path, number, conditional))
    return tuple(found)


def _within(settings: Iterable[Setting], conditional: bool) -> list[Setting]:
    return [
        Setting(each.keyword, each.value, each.path, each.line, conditional or each.conditional)
        for each in settings
    ]


def split_line(line: str) -> tuple[str, str]:
    """Return keyword in small letters and value, both empty for a comment."""
    match = re.match(r"^\s*([A-Za-z]\w*)(?:\s*=\s*|\s+)(.*?)\s*$", line)
    if not match:
        return "", ""
    value = re.sub(r"\s+#.*$", "", match.group(2))
    return match.group(1).lower(), value.strip('"')


def include_patterns(text: str) -> tuple[str, ...]:
    """Return the patterns of a file's Include lines."""
    pairs = [split_line(line) for line in text.split("\n")]
    return tuple(word for key, value in pairs if key == "include" for word in value.split())


def absolute(pattern: str) -> str:
    """Return an Include pattern as a path; sshd looks for the others below /etc/ssh."""
    return pattern if pattern.startswith("/") else f"/etc/ssh/{pattern}"


def takes_drop_in(text: str) -> bool:
    """Return whether the main file includes our drop-in before it sets anything."""
    for line in text.split("\n"):
        keyword, value = split_line(line)
        if keyword == "include":
            if any(fnmatchcase(DROP_IN, absolute(word)) for word in value.split()):
                return True
        elif keyword:
            return False
    return False


def without_block(text: str) -> tuple[str, str]:
    """Return our block's content and the text without it."""
    lines = text.split("\n")
    if BEGIN not in lines or END not in lines[lines.index(BEGIN) :]:
        return "", text
    first = lines.index(BEGIN)
    last = lines.index(END, first)
    block = "".join(f"{line}\n" for line in lines[first + 1 : last])
    return block, "\n".join(lines[:first] + lines[last + 1 :])


def with_block(text: str, block: str) -> str:
    """Return the text with our block at its top: sshd takes the first value that it reads."""
    rest = without_block(text)[1]
    return f"{BEGIN}\n{block}{END}\n{rest}" if block else rest


def port_settings(settings: Iterable[Setting]) -> tuple[tuple[int, Setting], ...]:
    """Return the ports that the settings name, each with its line, as Port or in ListenAddress."""
    found = []
    for each in settings:
        if each.keyword == "port" and each.value.isdigit():
            found.append((int(each.value), each))
        elif each.keyword == "listenaddress":
            port = re.search(r"(?:^[^:]+|\]):(\d+)(?:\s|$)", each.value)
            found += [(int(port.group(1)), each)] if port else []
    return tuple(found)


@dataclass(frozen=True)
class Effective:
    """What ``sshd -T`` says that sshd will do."""

    ports: frozenset[int]
    values: Mapping[str, str]


def parse_effective(text: str) -> Effective:
    """Return the listening ports and all values of ``sshd -T``."""
    pairs = [
        (key, value) for key, _blank, value in (line.partition(" ") for line in text.splitlines())
    ]
    addresses = [value for key, value in pairs if key == "listenaddress"]
    ports = [value.rpartition(":")[2] for value in addresses]
    return Effective(
        ports=frozenset(int(port) for port in ports if port.isdigit()),
        values=dict(reversed(pairs)),
    )


def overruled(
    keep_alive: Optional[KeepAlive], effective: Effective, others: Sequence[Setting]
) -> tuple[str, ...]:
    """Return a remark for every keep-alive value of ours that something of the owner's beats."""
    if keep_alive is None:
        return ()
    found = []
    for line in keep_alive.lines():
        keyword, value = line.split()
        lines = [each for each in others if each.keyword == keyword.lower()]
        seen = effective.values.get(keyword.lower(), value)
        first = next((each for each in lines if not each.conditional), None)
        if seen != value:
            where = f" by {first.place}, which sshd reads before our line" if first else ""
            found.append(f"{keyword} is {seen}{where}; {value} does not apply")
        found += [
            f"{keyword} is {each.value} by {each.place} for the logins of that Match"
            for each in lines
            if each.conditional and each.value != value
        ]
    return tuple(found)
