# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the lab keeps its files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.lab.shell import LabError

ROOT = Path(__file__).resolve().parents[2]
FILES = Path(__file__).resolve().parent / "files"
STATE = ROOT / ".lab"
CACHE = ROOT / ".cache" / "lab"
DEFAULT_NAME = "lab"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,23}")


@dataclass(frozen=True)
class State:
    """The files of one lab on the machine that runs it."""

    name: str

    @property
    def directory(self) -> Path:
        """The lab's own directory: .lab/ for `lab`, .lab/NAME/ for the others."""
        return STATE if self.name == DEFAULT_NAME else STATE / self.name

    @property
    def inventory(self) -> Path:
        """The inventory to hand to Ansible."""
        return self.directory / "inventory.ini"

    @property
    def key(self) -> Path:
        """The private SSH key that opens root, ops and alice."""
        return self.directory / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The nodes' real host keys."""
        return self.directory / "known_hosts"

    @property
    def sudo_password(self) -> Path:
        """The file with alice's password."""
        return self.directory / "sudo_password"

    @property
    def identity(self) -> Path:
        """The file that tells this lab's nodes from another checkout's."""
        return self.directory / "lab_id"

    @property
    def secrets(self) -> Path:
        """Where the collection keeps the secrets of a cluster on these nodes."""
        return self.directory / "secrets" / self.name

    @property
    def variables(self) -> Path:
        """Where variables for all nodes may be laid beside the inventory."""
        return self.directory / "group_vars"

    @property
    def lock(self) -> Path:
        """The lock that keeps two runs off one lab."""
        return CACHE / f"lab-{self.name}.lock"

    def files(self) -> tuple[Path, ...]:
        """Every file that `up` writes and `down` removes."""
        public = self.key.with_name(self.key.name + ".pub")
        return (
            self.inventory, self.key, public, self.known_hosts, self.sudo_password, self.identity
        )  # fmt: skip


def state_of(name: str) -> State:
    """Return the files of the lab called ``name``, or raise LabError if that is no usable name."""
    if not _NAME.fullmatch(name):
        raise LabError(
            f"a lab cannot be called {name!r}; use up to 24 lower-case letters, digits and dashes, "
            "a letter first"
        )
    return State(name)


def known_labs() -> list[str]:
    """Return the names of all labs that have state files, also half-made ones."""
    names = [path.parent.name for path in STATE.glob("*/lab_id")]
    if (STATE / "lab_id").exists():
        names.append(DEFAULT_NAME)
    return sorted(names)
