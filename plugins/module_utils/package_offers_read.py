# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks a node's package manager what it has on offer, without installing anything."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.package_offers import (
    Offer,
    parse_dnf_list,
    parse_kept,
    parse_madison,
    parse_policy,
    parse_upgrades,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.pinned_packages import (
    parse_dpkg,
    parse_rpm,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import read_text

#: Debian's maintainer scripts leave it where something holds from the next boot on only.
REBOOT_MARK = "/run/reboot-required"


class AptOffers:
    """Debian's family."""

    def __init__(self, command: Command) -> None:
        self._command = command

    def versions(self, names: Sequence[str]) -> dict[str, str]:
        """Return the versions of the packages that are installed completely."""
        form = "${Package}\\t${Version}\\t${db:Status-Status}\\n"
        argv = ["dpkg-query", "--show", "--showformat", form, *names]
        return parse_dpkg(self._command.run(argv).out) if names else {}

    def offered(self, names: Sequence[str]) -> dict[str, set[str]]:
        """Return all versions on offer, whatever a pin says."""
        return parse_madison(self._command.run(["apt-cache", "madison", *names]).out)

    def newer(self, names: Sequence[str]) -> list[Offer]:
        """Return the packages that are there, with what apt would take."""
        if not names:
            return []
        policy = parse_policy(self._command.need(["apt-cache", "policy", *names]))
        there = self.versions(names)
        return [Offer(name, *policy[name]) for name in names if name in there and name in policy]

    def upgrades(self, security: bool) -> list[Offer]:
        """Return what would change on the whole node, what is kept back included."""
        said = self._command.need(["apt-get", "--simulate", "--with-new-pkgs", "upgrade"])
        coming = parse_upgrades(said, security)
        kept = [] if security else self.newer(parse_kept(said))
        return coming + kept

    def marked(self) -> set[str]:
        """Return the packages that the owner holds."""
        return set(self._command.need(["apt-mark", "showhold"]).split())

    def boot_reasons(self) -> list[str]:
        """Return the packages that wait for a boot."""
        if not os.path.exists(REBOOT_MARK):
            return []
        names = (read_text(f"{REBOOT_MARK}.pkgs") or "").split()
        return [f"packages: {', '.join(sorted(set(names)))}" if names else "packages"]


class DnfOffers:
    """Red Hat's family."""

    def __init__(self, command: Command) -> None:
        self._command = command

    def versions(self, names: Sequence[str]) -> dict[str, str]:
        """Return the versions of the packages that are installed."""
        argv = ["rpm", "--query", "--queryformat", "%{NAME}\\t%{VERSION}\\n", *names]
        return parse_rpm(self._command.run(argv).out) if names else {}

    def offered(self, names: Sequence[str]) -> dict[str, set[str]]:
        """Return all versions on offer, whatever includepkgs says."""
        listing = ["dnf", "--quiet", "--disableexcludes=all", "list", "--showduplicates"]
        return parse_dnf_list(self._command.run([*listing, *names]).out)

    def newer(self, names: Sequence[str]) -> list[Offer]:
        """Return the packages that are there and have a newer version."""
        return self._updates(names) if names else []

    def upgrades(self, security: bool) -> list[Offer]:
        """Return what would change on the whole node; dnf leaves out what is excluded."""
        return self._updates(["--security"] if security else [])

    def marked(self) -> set[str]:
        """Return the packages that the owner holds: dnf does not list them at all."""
        return set()

    def boot_reasons(self) -> list[str]:
        """Return why the node waits for a boot; without dnf's plugin for it nothing is known."""
        result = self._command.run(["dnf", "--quiet", "needs-restarting", "--reboothint"])
        needs = result.rc == 1 and "reboot" in result.out.lower()
        return ["packages that run in an older version ('dnf needs-restarting')"] if needs else []

    def _updates(self, words: Sequence[str]) -> list[Offer]:
        result = self._command.run(["dnf", "--quiet", "check-update", *words])
        if result.rc not in (0, 100):
            raise CommandError(result.explain())
        newer = parse_dnf_list(result.out.partition("\nObsoleting Packages")[0])
        there = self._releases(sorted(newer))
        return [
            Offer(name, there.get(name, ""), max(versions))
            for name, versions in sorted(newer.items())
        ]

    def _releases(self, names: Sequence[str]) -> dict[str, str]:
        form = "%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\n"
        argv = ["rpm", "--query", "--queryformat", form, *names]
        return parse_rpm(self._command.run(argv).out) if names else {}
