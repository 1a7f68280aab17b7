# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The single wrapper around ``run_command``: the seam at which tests put a fake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional, Protocol

# One locale and no prompts, so that what the programs print can be parsed.
QUIET = {
    "LC_ALL": "C.UTF-8",
    "LANGUAGE": "C",
    "DEBIAN_FRONTEND": "noninteractive",
    "APT_LISTCHANGES_FRONTEND": "none",
    "NEEDRESTART_SUSPEND": "1",
    "SYSTEMD_PAGER": "",
    "SYSTEMD_COLORS": "0",
}


class CommandError(Exception):
    """A program did not end the way that its caller needs."""


class Host(Protocol):
    """What this wrapper needs of an AnsibleModule."""

    def run_command(
        self, args: list[str], data: Optional[str], environ_update: dict[str, str]
    ) -> tuple[int, str, str]:
        """Run ``args`` and return exit status, standard output and standard error."""

    def get_bin_path(self, arg: str, required: bool, opt_dirs: list[str]) -> Optional[str]:
        """Return where the program ``arg`` lies, or None."""


@dataclass(frozen=True)
class Result:
    """How a program ended."""

    argv: tuple[str, ...]
    rc: int
    out: str
    err: str

    def explain(self) -> str:
        """Return the command, its exit status and the last line it complained with."""
        said = (self.err.strip() or self.out.strip()).splitlines()
        return f"'{' '.join(self.argv)}' exited {self.rc}: {said[-1] if said else 'no output'}"


class Command:
    """Runs programs on the node."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def find(self, program: str) -> Optional[str]:
        """Return the path of ``program``, or None when the node does not have it."""
        return self._host.get_bin_path(program, False, ["/usr/sbin", "/sbin"])

    def run(
        self,
        argv: Sequence[str],
        text: Optional[str] = None,
        env: Optional[Mapping[str, str]] = None,
    ) -> Result:
        """Return how ``argv`` ended, whatever its exit status."""
        rc, out, err = self._host.run_command(
            list(argv), data=text, environ_update={**QUIET, **(env or {})}
        )
        return Result(tuple(argv), rc, out, err)

    def need(self, argv: Sequence[str], text: Optional[str] = None) -> str:
        """Return the output of ``argv``; raise CommandError when it did not exit 0."""
        result = self.run(argv, text)
        if result.rc != 0:
            raise CommandError(result.explain())
        return result.out
