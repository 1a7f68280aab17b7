# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The things that can be undone on a node, in the order in which they are, and their words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import ABSENT


class Kind(IntEnum):
    """What is done to a thing, in the order in which it is done."""

    DROP_PACKAGE = -1
    REPAIR_PACKAGE = 0
    STOP_UNIT = 1
    UNMASK_UNIT = 2
    DISABLE_UNIT = 3
    UNDO_FIREWALL = 4
    DELETE_INTERFACE = 5
    REMOVE_IMAGE = 6
    PURGE_PACKAGE = 7
    REMOVE_PACKAGE = 8
    MARK_AUTO = 9
    DELETE_FILE = 10
    RESTORE_FILE = 11
    CUT_BLOCK = 12
    REMOVE_TREE = 13
    EMPTY_TREE = 14
    CREATE_DIRECTORY = 15
    SET_DIRECTORY = 16
    REMOVE_PARENT = 17
    SET_SYSCTL = 18
    DELETE_USER = 19
    DELETE_GROUP = 20
    RELOAD_SYSTEMD = 21
    RESET_FAILED = 22
    ENABLE_UNIT = 23
    MASK_UNIT = 24
    START_UNIT = 25
    RESTART_UNIT = 26


# These change what else there is to do, so everything is looked at again after them.
FIRST = (Kind.DROP_PACKAGE, Kind.REPAIR_PACKAGE)

_PACKAGES = (
    Kind.DROP_PACKAGE,
    Kind.REPAIR_PACKAGE,
    Kind.PURGE_PACKAGE,
    Kind.REMOVE_PACKAGE,
    Kind.MARK_AUTO,
)

_SENTENCES = {
    Kind.DROP_PACKAGE: ("drop half-installed package {}", "half installed", ABSENT),
    Kind.REPAIR_PACKAGE: ("finish the interrupted update of {}", "half updated", "updated"),
    Kind.STOP_UNIT: ("stop unit {}", "running", "stopped"),
    Kind.UNMASK_UNIT: ("unmask unit {}", "masked", "not masked"),
    Kind.DISABLE_UNIT: ("disable unit {}", "enabled", "disabled"),
    Kind.UNDO_FIREWALL: ("remove Docker's rules from {}", "Docker's rules", "none of them"),
    Kind.DELETE_INTERFACE: ("delete interface {}", "present", ABSENT),
    Kind.REMOVE_IMAGE: ("remove container image {}", "present", ABSENT),
    Kind.PURGE_PACKAGE: ("purge package {}", "installed", ABSENT),
    Kind.REMOVE_PACKAGE: ("remove package {}", "installed", "configuration only"),
    Kind.MARK_AUTO: ("mark package {} as a dependency again", "manual", "automatic"),
    Kind.DELETE_FILE: ("delete file {}", "present", ABSENT),
    Kind.RESTORE_FILE: ("restore file {}", "changed", "as it was"),
    Kind.CUT_BLOCK: ("cut our block out of {}", "with our block", "without it"),
    Kind.REMOVE_TREE: ("remove directory {} and what is in it", "present", ABSENT),
    Kind.EMPTY_TREE: ("empty directory {}", "with content", "empty"),
    Kind.CREATE_DIRECTORY: ("create directory {} again", ABSENT, "present"),
    Kind.SET_DIRECTORY: ("restore mode and owner of {}", "changed", "as they were"),
    Kind.REMOVE_PARENT: ("remove empty directory {}", "present", ABSENT),
    Kind.SET_SYSCTL: ("set sysctl {} back to '{value}'", "changed", "{value}"),
    Kind.DELETE_USER: ("delete user {}", "present", ABSENT),
    Kind.DELETE_GROUP: ("delete group {}", "present", ABSENT),
    Kind.RELOAD_SYSTEMD: ("reload {}", "", ""),
    Kind.RESET_FAILED: ("clear the failed state of {}", "failed", "not failed"),
    Kind.ENABLE_UNIT: ("enable unit {} again", "disabled", "enabled"),
    Kind.MASK_UNIT: ("mask unit {} again", "not masked", "masked"),
    Kind.START_UNIT: ("start unit {} again", "stopped", "running"),
    Kind.RESTART_UNIT: ("restart unit {}", "with our settings", "with its own"),
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
        accounts = {Kind.DELETE_USER: "user ", Kind.DELETE_GROUP: "group "}
        package = "package " if self.kind in _PACKAGES else ""
        return accounts.get(self.kind, package) + self.target

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
    """What to undo, in order, and what will stay."""

    actions: tuple[Action, ...] = ()
    left: tuple[Left, ...] = ()
