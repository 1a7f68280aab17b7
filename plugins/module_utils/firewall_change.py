# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes a node's packet filters: opens, closes on trial, makes lasting, takes out again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any, Protocol
from xml.etree import ElementTree

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    firewall_nft,
    firewall_script,
    firewall_zones,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_plan import Difference
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_read import (
    read_file,
    where,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_script import (
    SCRIPT,
    UNIT,
    UNIT_NAME,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_lock import PATH as LOCK
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.write_file import write_text

#: What the timer loads when nobody confirms; it is there as long as a trial runs.
BEFORE_TRIAL = "/run/rackforge-firewall.nft"
TIMER = "rackforge-firewall-rollback"
#: How files of firewalld's stood before we wrote a rule.
MEMORY = "/etc/rackforge/firewalld.json"
#: The members' addresses by name, for a run that cannot ask one of them.
MEMBERS = "/etc/rackforge/members.json"
ZONES = "/etc/firewalld/zones"
#: Options that one call of firewall-cmd gets.
BATCH = 100


class Mover(Protocol):
    """What this needs of an AnsibleModule."""

    tmpdir: str

    def atomic_move(self, src: str, dest: str, unsafe_writes: bool) -> None:
        """Put the file at ``src`` in the place of ``dest``, keeping owner and mode."""


class Changer:
    """Carries out what the plan says."""

    def __init__(self, command: Command, module: Mover) -> None:
        self._command = command
        self._module = module

    def open(self, difference: Difference) -> None:
        """Have our rules in firewalld and ufw, now and after the next boot."""
        self._remember(zone for zone, _options in difference.permanent)
        for kind, zones in (((), difference.runtime), (("--permanent",), difference.permanent)):
            for zone, options in zones:
                for start in range(0, len(options), BATCH):
                    batch = options[start : start + BATCH]
                    self._command.need(["firewall-cmd", *kind, f"--zone={zone}", *batch])
        for arguments in difference.ufw:
            self._command.need(["ufw", *arguments])

    def _remember(self, zones: Iterable[str]) -> None:
        """Keep what firewalld is going to replace: a zone's file that is not there, its backup."""
        known = _memory()
        for zone in zones:
            path = f"{ZONES}/{zone}.xml"
            is_new = not os.path.exists(where(path))
            known.setdefault(zone, {"new": is_new, "old": read_file(f"{path}.old")})
        if known != _memory():
            self._write(MEMORY, json.dumps(known, sort_keys=True) + "\n")

    def knows(self, members: Mapping[str, str]) -> bool:
        """Return whether these are the members that the node remembers."""
        return remembered_members() == dict(members)

    def remember(self, members: Mapping[str, str]) -> None:
        """Remember these members, and no others."""
        if not members:
            self._delete(MEMBERS)
        elif not self.knows(members):
            self._write(MEMBERS, json.dumps(members, sort_keys=True) + "\n")

    def take_out(self, commands: Iterable[str]) -> None:
        """Run the commands that take out what is ours and not wanted."""
        for command in commands:
            self._command.need(["/bin/sh", "-c", command])

    def load(self, script: str) -> None:
        """Load our rules now."""
        self._command.need(["/bin/sh", "-s"], script)

    def try_out(self, script: str, seconds: int) -> None:
        """Load our rules, and have them taken back unless they are confirmed in time."""
        if self.on_trial():
            self._stop_timer()
        else:
            listing = self._command.run(["nft", "list", "table", "inet", firewall_nft.NAME])
            before = listing.out if listing.rc == 0 else ""
            self._write(BEFORE_TRIAL, firewall_nft.remove_table() + before)
        back = f"nft -f {BEFORE_TRIAL} && rm {BEFORE_TRIAL}"
        options = [f"--unit={TIMER}", f"--on-active={seconds}", "--collect", "--quiet"]
        options.append("--timer-property=AccuracySec=1s")
        self._command.need(["systemd-run", *options, "flock", LOCK, "/bin/sh", "-c", back])
        self.load(script)

    def on_trial(self) -> bool:
        """Return whether rules are loaded that nobody has confirmed."""
        return os.path.exists(where(BEFORE_TRIAL))

    def confirm(self) -> None:
        """Stop the timer."""
        self._stop_timer()

    def end_trial(self) -> None:
        """Forget what was before the trial."""
        self._delete(BEFORE_TRIAL)

    def _stop_timer(self) -> None:
        self._command.run(["systemctl", "stop", f"{TIMER}.timer", f"{TIMER}.service"])

    def lasting(self, script: str) -> list[str]:
        """Return what is missing so that the rules outlast a boot."""
        missing = []
        if read_file(SCRIPT) != script:
            missing.append(SCRIPT)
        if read_file(UNIT) != (firewall_script.unit() if script else ""):
            missing.append(UNIT)
        if script and not missing and not self._is_up():
            missing.append(UNIT_NAME)
        return missing

    def differs(self, script: str) -> bool:
        """Return whether something is missing for the next boot, or still on trial."""
        return bool(self.lasting(script)) or self.on_trial()

    def _is_up(self) -> bool:
        show = ["systemctl", "show", UNIT_NAME, "--property=ActiveState,UnitFileState"]
        said = self._command.run(show).out.split()
        return "ActiveState=active" in said and "UnitFileState=enabled" in said

    def make_lasting(self, script: str) -> None:
        """Have the rules outlast a boot, or nothing of ours there when there are none."""
        if not script:
            self._remove_unit()
            return
        self._write(SCRIPT, script)
        if read_file(UNIT) != firewall_script.unit():
            self._write(UNIT, firewall_script.unit())
            self._command.need(["systemctl", "daemon-reload"])
        self._command.need(["systemctl", "enable", "--now", UNIT_NAME])

    def _remove_unit(self) -> None:
        if read_file(UNIT):
            self._command.need(["systemctl", "disable", "--now", UNIT_NAME])
            self._delete(UNIT)
            self._command.need(["systemctl", "daemon-reload"])
        self._delete(SCRIPT)

    def forget(self, idle_zones: Iterable[str]) -> None:
        """Take out the rest: rules of a firewalld that does not run, files that it wrote for us."""
        for zone in idle_zones:
            text = read_file(f"{ZONES}/{zone}.xml")
            self._write(f"{ZONES}/{zone}.xml", without_our_rules(text))
        for zone, before in _memory().items():
            path = f"{ZONES}/{zone}.xml"
            if before["new"] and is_default_zone(zone):
                self._delete(path)
            if before["old"]:
                self._write(f"{path}.old", before["old"])
            else:
                self._delete(f"{path}.old")
        self._delete(MEMORY, MEMBERS)
        folder = where(os.path.dirname(SCRIPT))
        if os.path.isdir(folder) and not os.listdir(folder):
            os.rmdir(folder)

    def _write(self, path: str, text: str) -> None:
        os.makedirs(os.path.dirname(where(path)), exist_ok=True)
        write_text(self._module, where(path), text)

    def _delete(self, *paths: str) -> None:
        for path in paths:
            if os.path.exists(where(path)):
                os.unlink(where(path))

    def switch_off(self, firewalld: bool, ufw: bool) -> None:
        """Stop the node's own firewall, now and after the next boot."""
        if firewalld:
            self._command.need(["systemctl", "disable", "--now", "firewalld.service"])
        if ufw:
            self._command.need(["ufw", "disable"])


def _memory() -> dict[str, dict[str, Any]]:
    return dict(json.loads(read_file(MEMORY) or "{}"))


def remembered_members() -> dict[str, str]:
    """Return the members' addresses of the last run that knew them."""
    return dict(json.loads(read_file(MEMBERS) or "{}"))


def is_default_zone(zone: str) -> bool:
    """Return whether a zone's file says what the one that firewalld ships says."""
    here = read_file(f"{ZONES}/{zone}.xml")
    shipped = read_file(f"/usr/lib/firewalld/zones/{zone}.xml")
    return bool(here) and bool(shipped) and _elements(here) == _elements(shipped)


def _elements(text: str) -> list[str]:
    """Return a zone's elements in one order, without layout."""
    root = ElementTree.fromstring(text)  # noqa: S314 - a file of root's own on this node
    return sorted(
        " ".join(
            [each.tag, (each.text or "").strip(), *sorted(f"{k}={v}" for k, v in each.items())]
        )
        for each in root.iter()
    )


def without_our_rules(text: str) -> str:
    """Return the text of a zone's file without the rules of our priority."""
    begin, end = f'<rule priority="{firewall_zones.PRIORITY}"', "</rule>"
    while begin in text:
        start = text.index(begin)
        stop = text.index(end, start) + len(end)
        text = text[:start].rstrip(" \t") + text[stop:].lstrip("\n")
    return text
