# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a node's packet filters through their command lines."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    firewall_nft,
    firewall_ufw,
    firewall_zones,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_nft import Chain
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_plan import (
    Parts,
    Saved,
    Seen,
)

#: Where programs keep what filters; tests put their own tree in its place.
ROOT = "/"


def where(path: str) -> str:
    """Return where a path of the node lies."""
    return os.path.join(ROOT, path.lstrip("/"))


def read_file(path: str) -> str:
    """Return the text of a file, empty when there is none."""
    try:
        with open(where(path), encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""


class Filters:
    """The packet filters of this node."""

    def __init__(self, command: Command) -> None:
        self._command = command

    def read(self, idle_too: bool = False) -> Seen:
        """Return how they stand; with ``idle_too`` also our rules in a ufw that is switched off."""
        runtime = permanent = None
        if self._is_running("firewalld"):
            default = self._command.need(["firewall-cmd", "--get-default-zone"]).strip()
            runtime = firewall_zones.parse_zones(self._zones(), default)
            permanent = firewall_zones.parse_zones(self._zones("--permanent"), default)
        chains, ufw_runs = self._chains(), self._ufw_runs()
        ask_ufw = ufw_runs or (idle_too and self._command.find("ufw") is not None)
        added = self._command.need(["ufw", "show", "added"]) if ask_ufw else ""
        return Seen(
            runtime=runtime,
            permanent=permanent or (),
            ufw=tuple(firewall_ufw.our_rules(added)) if ask_ufw else None,
            ufw_runs=ufw_runs,
            ufw_owners=tuple(firewall_ufw.owners_rules(added)),
            chains=chains,
            saved=tuple(self._saved(chains)),
        )

    def _is_running(self, name: str) -> bool:
        found = self._command.find("firewall-cmd") is not None
        return found and self._command.run(["systemctl", "is-active", name]).rc == 0

    def _zones(self, *options: str) -> str:
        return self._command.need(["firewall-cmd", *options, "--list-all-zones"])

    def _ufw_runs(self) -> bool:
        """Return whether ufw filters now."""
        enabled = re.search(r"(?mi)^\s*ENABLED=[\"']?yes", read_file("/etc/ufw/ufw.conf"))
        if not enabled or self._command.find("ufw") is None:
            return False
        return firewall_ufw.is_active(self._command.need(["ufw", "status"]))

    def _chains(self) -> tuple[Chain, ...]:
        if self._command.find("nft") is None:
            return ()
        listing = self._command.need(["nft", "--handle", "--stateless", "list", "ruleset"])
        return firewall_nft.parse_ruleset(listing)

    def _saved(self, chains: Sequence[Chain]) -> list[Saved]:
        """Return the rules of those kinds of iptables that have any.

        A kind without rules is not asked: to ask the old iptables is to load its modules.
        """
        found = []
        for version, name, family in ((4, "iptables", "ip"), (6, "ip6tables", "ip6")):
            loaded = read_file(f"/proc/net/{name.replace('tables', '_tables')}_names").split()
            if "filter" in loaded:
                found.append((self._first(f"{name}-legacy", name), version))
            places = [chain.place for chain in chains]
            without_nft = self._command.find("nft") is None and "filter" not in loaded
            if f"{family} filter INPUT" in places or without_nft:
                found.append((self._first(f"{name}-nft", name), version))
        return [
            Saved(program, version, self._command.run([f"{program}-save", "-t", "filter"]).out)
            for program, version in found
            if program
        ]

    def _first(self, *programs: str) -> str:
        return next((each for each in programs if self._command.find(f"{each}-save")), "")

    def made(self, parts: Parts) -> tuple[tuple[Chain, ...], list[str]]:
        """Return the parts the way that nft and iptables show them, from an empty namespace.

        This finds out as well whether this node's kernel takes them, before anything is changed.
        """
        chains: tuple[Chain, ...] = ()
        text = parts.trial_input()
        if text and self._command.find("nft") is None:
            chains = firewall_nft.parse_ruleset(text)
        elif text:
            script = "nft -f - && nft --handle --stateless list ruleset"
            chains = firewall_nft.parse_ruleset(self._in_namespace(script, text))
        saved = [
            self._in_namespace(f"{part.program} && {each.program}-save -t filter", part.text)
            for each, part in zip(
                parts.saved, [p for p in parts.parts if not p.program.startswith("nft")]
            )
        ]
        return chains, saved

    def _in_namespace(self, script: str, text: str) -> str:
        try:
            return self._command.need(["unshare", "--net", "sh", "-c", script], text)
        except CommandError as error:
            raise CommandError(
                f"this node's kernel does not take the rules, so nothing was changed: {error};"
                " 'lsmod | grep nf_tables' shows whether it has nftables"
            ) from error

    def ssh_ports(self) -> list[int]:
        """Return the ports on which this node answers SSH: sshd's own, and those of its socket."""
        listening = self._command.run(["ss", "-Hltnp"]).out
        socket = self._command.run(["systemctl", "show", "ssh.socket", "--property=Listen"]).out
        return parse_ssh_ports(listening, socket)

    def idle_zones(self) -> list[str]:
        """Return the zones in which our rules are written while firewalld does not run."""
        mark = f'priority="{firewall_zones.PRIORITY}"'
        names = glob.glob(where("/etc/firewalld/zones/*.xml"))
        zones = sorted(os.path.basename(name)[: -len(".xml")] for name in names)
        return [zone for zone in zones if mark in read_file(f"/etc/firewalld/zones/{zone}.xml")]


def parse_ssh_ports(listening: str, socket: str) -> list[int]:
    """Return the ports in the output of ``ss -Hltnp`` and of ``systemctl show ssh.socket``.

    A socket that systemd keeps for sshd counts where systemd or sshd is seen listening there.
    """
    kept = {int(port) for port in re.findall(r"^Listen=.*?:(\d+) ", socket, re.MULTILINE)}
    ports = set()
    for line in listening.splitlines():
        words = line.split()
        port = int(words[3].rpartition(":")[2]) if len(words) > 3 else 0
        if '"sshd"' in line or ('"systemd"' in line and port in kept):
            ports.add(port)
    return sorted(ports)


def ssh_connection() -> tuple[str, int]:
    """Return from where, and to which port, the SSH connection came that runs this process.

    sudo hides the variable from its children and keeps it in its own environment.
    """
    process = "self"
    while process not in ("0", "1", ""):
        found = re.search(r"(?:^|\0)SSH_CONNECTION=(\S+) \d+ \S+ (\d+)", read_environment(process))
        if found:
            return found[1], int(found[2])
        parent = re.search(r"^PPid:\s*(\d+)", read_file(f"/proc/{process}/status"), re.MULTILINE)
        process = parent[1] if parent else ""
    return "", 0


def read_environment(process: str) -> str:
    """Return the environment that a process was started with."""
    return read_file(f"/proc/{process}/environ")
