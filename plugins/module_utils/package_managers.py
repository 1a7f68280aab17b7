# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the distributions' package managers have in common, through their command lines."""

from __future__ import annotations

import glob
import os
import time
from typing import Any, Union

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
    Result,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.packages import (
    INTERRUPTED,
    cause_of_failure,
    explain_removal,
    going_with_apt,
    going_with_dnf,
    installed_dpkg,
    is_locked,
    lacking,
    needs_removal,
    outdated_apt,
    outdated_dnf,
)

POLL_SECONDS = 1.0
#: Lets apt see no repository, and leave its record of what repositories have alone.
NO_SOURCES = (
    *("-o", "Dir::Etc::SourceList=/dev/null", "-o", "Dir::Etc::SourceParts=/dev/null"),
    *("-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="),
)


def cause_with_files(said: str, paths: list[str]) -> str:
    """Return why packages that lie on the node could not be installed."""
    needed = lacking(said)
    if needed:
        return f"the folder and the node lack what they need: {', '.join(needed)}; add these to it"
    return cause_of_failure(said, [os.path.basename(path) for path in paths])


class Apt:
    """Debian's family."""

    ending = ".deb"

    def __init__(self, command: Command, params: dict[str, Any]) -> None:
        self._command = command
        self._params = params
        self._lock = f"DPkg::Lock::Timeout={params['lock_timeout']}"
        self._deadline = time.monotonic() + params["lock_timeout"]

    def missing(self, names: list[str]) -> list[str]:
        """Return the packages that are not installed completely."""
        form = "${Package}\\t${db:Status-Status}\\n"
        out = self._command.run(["dpkg-query", "--show", "--showformat", form, *names]).out
        present = installed_dpkg(out)
        return [name for name in names if name not in present]

    def refresh(self) -> None:
        """Fetch the index."""
        self._update()

    def outdated(self, names: list[str], check: bool) -> list[str]:
        """Return the packages of which there is a newer version; check mode fetches no index."""
        if not check:
            self._update()
        simulate = ["apt-get", "install", "--simulate", "--only-upgrade", *names]
        return outdated_apt(self._command.need(simulate), names)

    def install(self, names: list[str], stale: bool) -> None:
        """Install the packages, with a new index when the present one is old or not enough."""
        fresh = not stale and self._index_is_fresh()
        incomplete = "" if fresh else self._update()
        result = self._get(names)
        if result.rc != 0 and fresh and not needs_removal(result.err):
            incomplete = self._update()  # The index is young, yet what it names may be gone.
            result = self._get(names)
        if result.rc != 0:
            raise CommandError(cause_of_failure(incomplete + result.err, names))

    def install_files(self, paths: list[str]) -> None:
        """Install packages that lie on the node, without asking a repository."""
        result = self._get(paths, *NO_SOURCES)
        if result.rc != 0:
            raise CommandError(cause_with_files(f"{result.out}\n{result.err}", paths))

    def _get(self, names: list[str], *more: str) -> Result:
        """Return how the installation ended; one that would take packages away is not made."""
        result = self._try(names, "--no-remove", *more)
        if result.rc != 0 and INTERRUPTED in result.err:
            self._wait_for_lock(["dpkg", "--configure", "-a"])
            result = self._try(names, "--no-remove", *more)
        if result.rc == 0 or not needs_removal(result.err):
            return result
        going, allowed = going_with_apt(result.out), self._params["replace"]
        if not set(going) <= set(allowed):
            raise CommandError(explain_removal(going, allowed, self._params["replace_input"]))
        return self._try(names, *more)

    def _try(self, names: list[str], *more: str) -> Result:
        keep = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]
        options = ["--yes", "--no-install-recommends", *more, "-o", self._lock, *keep]
        return self._wait_for_lock(["apt-get", "install", *options, *names])

    def _update(self) -> str:
        """Fetch the index; return what was said about parts that could not be had."""
        first = self._wait_for_lock(["apt-get", "update", "--error-on=any"])
        if first.rc == 0:
            return ""
        result = self._wait_for_lock(["apt-get", "update"])
        if result.rc != 0:
            raise CommandError(cause_of_failure(result.err, []))
        return first.err

    def _wait_for_lock(self, argv: list[str]) -> Result:
        """Return how a command ended that does not wait for each of apt's locks by itself."""
        while True:
            result = self._command.run(argv)
            late = time.monotonic() >= self._deadline
            if result.rc == 0 or late or not is_locked(result.err):
                return result
            time.sleep(POLL_SECONDS)

    def _index_is_fresh(self) -> bool:
        lists = glob.glob("/var/lib/apt/lists/*_Packages*") + glob.glob(
            "/var/lib/apt/lists/*Release"
        )
        stamp = [os.path.getmtime("/var/lib/apt/lists")] if lists else []
        return bool(stamp) and time.time() - max(stamp) < self._params["index_age"]


class Dnf:
    """Red Hat's family."""

    ending = ".rpm"

    def __init__(self, command: Command, params: dict[str, Any]) -> None:
        self._command = command
        self._params = params

    def missing(self, names: list[str]) -> list[str]:
        """Return the packages that are not installed, under this or another package's name."""
        query = ["rpm", "--query", "--whatprovides"]
        return [name for name in names if self._command.run([*query, name]).rc != 0]

    def refresh(self) -> None:
        """Fetch the index."""
        self._command.need(["dnf", "--quiet", "--refresh", "makecache"])

    def outdated(self, names: list[str], check: bool) -> list[str]:
        """Return the packages of which there is a newer version."""
        cached = ["--cacheonly"] if check else ["--refresh"]
        result = self._command.run(["dnf", "--quiet", *cached, "check-update", *names])
        if result.rc not in (0, 100):
            raise CommandError(result.explain())
        return outdated_dnf(result.out, names)

    def install(self, names: list[str], stale: bool) -> None:
        """Install the packages; dnf sees for itself that a repository is new (``stale``)."""
        del stale
        result = self._try(names)
        if result.rc != 0:
            raise CommandError(cause_of_failure(result.err, names))

    def install_files(self, paths: list[str]) -> None:
        """Install packages that lie on the node, without asking a repository."""
        result = self._try(paths, "--disablerepo=*")
        if result.rc != 0:
            raise CommandError(cause_with_files(f"{result.out}\n{result.err}", paths))

    def _try(self, names: list[str], *more: str) -> Result:
        # Where newer versions are wanted, dnf's install brings them too.
        result = self._command.run(["dnf", "--assumeyes", *more, "install", *names])
        if result.rc != 0 and needs_removal(result.out + result.err):
            erasing = [*more, "--allowerasing", "install", *names]
            table = self._command.run(["dnf", "--assumeno", *erasing])
            going, allowed = going_with_dnf(table.out), self._params["replace"]
            if not set(going) <= set(allowed):
                raise CommandError(explain_removal(going, allowed, self._params["replace_input"]))
            if going:
                result = self._command.run(["dnf", "--assumeyes", *erasing])
        return result


Manager = Union[Apt, Dnf]
