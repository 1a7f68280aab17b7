# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The package managers, asked for packages of one version in one transaction."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
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
    going_with_dnf,
    is_locked,
    needs_removal,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.pinned_packages import (
    Asked,
    Wrong,
    coming_in_simulation,
    common_version,
    explain_versions,
    going_in_simulation,
    parse_dpkg,
    parse_rpm,
    wrong_packages,
)

POLL_SECONDS = 1.0


class Apt:
    """Debian's family."""

    def __init__(self, command: Command, params: Mapping[str, Any]) -> None:
        self._command = command
        self._params = params

    def versions(self, names: Sequence[str]) -> dict[str, str]:
        """Return the versions of the packages that are installed completely."""
        form = "${Package}\\t${Version}\\t${db:Status-Status}\\n"
        argv = ["dpkg-query", "--show", "--showformat", form, *names]
        return parse_dpkg(self._command.run(argv).out) if names else {}

    def install(self, wrong: Sequence[Wrong], asked: Asked) -> None:
        """Bring the packages to the version that the pin makes the best one.

        Where no repository has that version, apt would take the newest: nothing is installed then.
        """
        names = [each.name for each in wrong]
        said = self._update()
        if self._simulate(names).rc != 0 and self._was_interrupted:
            self._wait(["dpkg", "--configure", "-a"])
        simulated = self._simulate(names)
        if simulated.rc != 0:
            raise CommandError(cause_of_failure(said + simulated.err, names))
        _check_removals(going_in_simulation(simulated.out), self._params)
        together: list[str] = self._params["names"]
        coming = {**self.versions(together), **coming_in_simulation(simulated.out)}
        check_versions(together, coming, asked)
        keep = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]
        done = self._wait(["apt-get", "install", *self._options, *keep, *names])
        if done.rc != 0:
            raise CommandError(cause_of_failure(said + done.err, names))

    def remove(self, names: Sequence[str]) -> None:
        """Take packages away, and nothing besides what may go."""
        argv = ["apt-get", "remove", "--yes"]
        simulated = self._command.run([*argv, "--simulate", *names])
        _check_removals(going_in_simulation(simulated.out), self._params)
        done = self._wait([*argv, *names])
        if done.rc != 0:
            raise CommandError(cause_of_failure(done.err, names))

    @property
    def _options(self) -> list[str]:
        lock = f"DPkg::Lock::Timeout={self._params['lock_timeout']}"
        return ["--yes", "--no-install-recommends", "--allow-downgrades", "-o", lock]

    def _simulate(self, names: Sequence[str]) -> Result:
        result = self._command.run(["apt-get", "install", "--simulate", *self._options, *names])
        self._was_interrupted = INTERRUPTED in result.err
        return result

    def _update(self) -> str:
        """Fetch the index; return what was said about parts that could not be had."""
        first = self._wait(["apt-get", "update", "--error-on=any"])
        if first.rc == 0:
            return ""
        if self._wait(["apt-get", "update"]).rc != 0:
            raise CommandError(cause_of_failure(first.err, []))
        return first.err

    def _wait(self, argv: list[str]) -> Result:
        """Return how a command ended that does not wait for each of apt's locks by itself."""
        deadline = time.monotonic() + self._params["lock_timeout"]
        while True:
            result = self._command.run(argv)
            if result.rc == 0 or not is_locked(result.err) or time.monotonic() >= deadline:
                return result
            time.sleep(POLL_SECONDS)


class Dnf:
    """Red Hat's family."""

    def __init__(self, command: Command, params: Mapping[str, Any]) -> None:
        self._command = command
        self._params = params

    def versions(self, names: Sequence[str]) -> dict[str, str]:
        """Return the versions of the packages that are installed."""
        argv = ["rpm", "--query", "--queryformat", "%{NAME}\\t%{VERSION}\\n", *names]
        return parse_rpm(self._command.run(argv).out) if names else {}

    def install(self, wrong: Sequence[Wrong], asked: Asked) -> None:
        """Bring the packages to the only version that the limited repositories offer."""
        del asked  # The limited repositories have no other version.
        for verb, names in (
            ("install", [each.name for each in wrong if each.seen is None]),
            ("distro-sync", [each.name for each in wrong if each.seen is not None]),
        ):
            if names:
                self._transaction([verb, *names], names)

    def remove(self, names: Sequence[str]) -> None:
        """Take packages away, and nothing besides what may go."""
        table = self._command.run(["dnf", "--assumeno", "remove", *names])
        _check_removals(going_with_dnf(table.out), self._params)
        result = self._command.run(["dnf", "--assumeyes", "remove", *names])
        if result.rc != 0:
            raise CommandError(cause_of_failure(result.err, names))

    def _transaction(self, words: Sequence[str], names: Sequence[str]) -> None:
        result = self._command.run(["dnf", "--assumeyes", *words])
        if result.rc != 0 and needs_removal(result.out + result.err):
            erasing = ["--allowerasing", *words]
            table = self._command.run(["dnf", "--assumeno", *erasing])
            _check_removals(going_with_dnf(table.out), self._params, at_least_one=True)
            result = self._command.run(["dnf", "--assumeyes", *erasing])
        if result.rc != 0:
            raise CommandError(cause_of_failure(result.err, names))


Manager = Union[Apt, Dnf]


def _check_removals(
    going: Sequence[str], params: Mapping[str, Any], at_least_one: bool = False
) -> None:
    allowed = params["replace"]
    if not set(going) <= set(allowed) or (at_least_one and not going):
        raise CommandError(explain_removal(going, allowed, params["replace_input"]))


def check_versions(names: Sequence[str], versions: Mapping[str, str], asked: Asked) -> None:
    """Raise CommandError unless the packages have one version that will do."""
    wrong = wrong_packages(names, versions, asked)
    if names and (wrong or common_version(names, versions) is None):
        raise CommandError(explain_versions(names, versions, asked))
