# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The things that can be undone on a node, in the order in which they are, and their words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import ABSENT


class Kind(IntEnum):
    """What is done to a thing, in the order in which it is done."""

    DROP_PACKAGE = 0
    REPAIR_PACKAGE = 1
    STOP_UNIT = 2
    UNMOUNT = 3
    UNMASK_UNIT = 4
    DISABLE_UNIT = 5
    UNDO_FIREWALL = 6
    DELETE_INTERFACE = 7
    REMOVE_IMAGE = 8
    PURGE_PACKAGE = 9
    REMOVE_PACKAGE = 10
    INSTALL_PACKAGE = 11
    MARK_AUTO = 12
    DELETE_FILE = 13
    RESTORE_FILE = 14
    CUT_BLOCK = 15
    REMOVE_TREE = 16
    EMPTY_TREE = 17
    CREATE_DIRECTORY = 18
    SET_DIRECTORY = 19
    REMOVE_POINT = 20
    REMOVE_PARENT = 21
    SET_SYSCTL = 22
    RELOAD_SYSTEMD = 23
    RESET_FAILED = 24
    REFRESH = 25
    ENABLE_UNIT = 26
    MASK_UNIT = 27
    START_UNIT = 28
    RESTART_UNIT = 29
    LEAVE_GROUP = 30
    DELETE_ACCOUNT = 31
    DELETE_USER = 32
    DELETE_GROUP = 33


# These change what else there is to do, so everything is looked at again after them.
FIRST = (Kind.DROP_PACKAGE, Kind.REPAIR_PACKAGE)

_PACKAGES = (
    Kind.DROP_PACKAGE,
    Kind.REPAIR_PACKAGE,
    Kind.PURGE_PACKAGE,
    Kind.REMOVE_PACKAGE,
    Kind.INSTALL_PACKAGE,
    Kind.MARK_AUTO,
)

_ACCOUNTS = {
    Kind.DELETE_ACCOUNT: "user ",
    Kind.DELETE_USER: "user ",
    Kind.DELETE_GROUP: "group ",
}

_SENTENCES = {
    Kind.DROP_PACKAGE: ("drop half-installed package {}", "half installed", ABSENT),
    Kind.REPAIR_PACKAGE: ("finish the interrupted update of {}", "half updated", "updated"),
    Kind.STOP_UNIT: ("stop unit {}", "running", "stopped"),
    Kind.UNMOUNT: ("unmount {}", "mounted", "not mounted"),
    Kind.UNMASK_UNIT: ("unmask unit {}", "masked", "not masked"),
    Kind.DISABLE_UNIT: ("disable unit {}", "enabled", "disabled"),
    Kind.UNDO_FIREWALL: ("remove Docker's rules from {}", "Docker's rules", "none of them"),
    Kind.DELETE_INTERFACE: ("delete interface {}", "present", ABSENT),
    Kind.REMOVE_IMAGE: ("remove container image {}", "present", ABSENT),
    Kind.PURGE_PACKAGE: ("purge package {}", "installed", ABSENT),
    Kind.REMOVE_PACKAGE: ("remove package {}", "installed", "configuration only"),
    Kind.INSTALL_PACKAGE: ("install package {} again", ABSENT, "installed"),
    Kind.MARK_AUTO: ("mark package {} as a dependency again", "manual", "automatic"),
    Kind.DELETE_FILE: ("delete file {}", "present", ABSENT),
    Kind.RESTORE_FILE: ("restore file {}", "changed", "as it was"),
    Kind.CUT_BLOCK: ("cut our block out of {}", "with our block", "without it"),
    Kind.REMOVE_TREE: ("remove directory {} and what is in it", "present", ABSENT),
    Kind.EMPTY_TREE: ("empty directory {}", "with content", "empty"),
    Kind.CREATE_DIRECTORY: ("create directory {} again", ABSENT, "present"),
    Kind.SET_DIRECTORY: ("restore mode and owner of {}", "changed", "as they were"),
    Kind.REMOVE_POINT: ("remove mount point {} if it is empty", "present", "absent if empty"),
    Kind.REMOVE_PARENT: ("remove empty directory {}", "present", ABSENT),
    Kind.SET_SYSCTL: ("set sysctl {} back to '{value}'", "changed", "{value}"),
    Kind.RELOAD_SYSTEMD: ("reload {}", "", ""),
    Kind.RESET_FAILED: ("clear the failed state of {}", "failed", "not failed"),
    Kind.REFRESH: ("run '{}' for what was put back", "due", "done"),
    Kind.ENABLE_UNIT: ("enable unit {} again", "disabled", "enabled"),
    Kind.MASK_UNIT: ("mask unit {} again", "not masked", "masked"),
    Kind.START_UNIT: ("start unit {} again", "stopped", "running"),
    Kind.RESTART_UNIT: ("restart unit {}", "with our settings", "with its own"),
    Kind.LEAVE_GROUP: ("take user {value} out of group {}", "member", "not a member"),
    Kind.DELETE_ACCOUNT: ("delete user {} and the home {value}", "present", ABSENT),
    Kind.DELETE_USER: ("delete user {}", "present", ABSENT),
    Kind.DELETE_GROUP: ("delete group {}", "present", ABSENT),
}


@dataclass(frozen=True, order=True)
class Action:
    """One thing to undo."""

    kind: Kind
    target: str
    value: str = ""

    def sentence(self) -> str:
        """Return what is done, as a user reads it."""
        return _SENTENCES[self.kind][0].format(self.target, value=self.value)

    def thing(self) -> str:
        """Return the target with its kind, where its name alone would not tell."""
        if self.kind is Kind.LEAVE_GROUP:
            return f"user {self.value} in group {self.target}"
        if self.kind is Kind.REFRESH:
            return f"command '{self.target}'"
        package = "package " if self.kind in _PACKAGES else ""
        return _ACCOUNTS.get(self.kind, package) + self.target

    def diff(self) -> tuple[str, str]:
        """Return one line for how the thing stands and one for how it will stand."""
        before, after = _SENTENCES[self.kind][1:]
        return f"{self.thing()}: {before}", f"{self.thing()}: {after.format(value=self.value)}"


@dataclass(frozen=True, order=True)
class Left:
    """Something that could not be undone, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """What to undo, in order, what cannot be undone, and what stays because it is the owner's."""

    actions: tuple[Action, ...] = ()
    left: tuple[Left, ...] = ()
    stays: tuple[Left, ...] = ()

    def due(self, refresh: Mapping[str, str]) -> tuple[str, ...]:
        """Return the paths that this plan puts back and after which a command has to run."""
        return tuple(dict.fromkeys(a.target for a in self.actions if a.target in refresh))
