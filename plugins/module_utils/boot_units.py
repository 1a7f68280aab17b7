# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a node's boot must change: its target, and the services that wait for every port."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

#: What boot waits in. Each is pulled in by network-online.target.
WAITERS = ("NetworkManager-wait-online.service", "systemd-networkd-wait-online.service")
ONLINE = "network-online.target"
DESKTOP = "graphical.target"
SERVER = "multi-user.target"
PROPERTIES = "Id,LoadState,UnitFileState,FragmentPath,Wants,Requires"


class BootError(ValueError):
    """The boot cannot be changed as asked."""


@dataclass(frozen=True)
class Waiter:
    """A service that waits for the network."""

    name: str
    load: str
    file_state: str
    fragment: str
    pulled_in: bool

    @property
    def holds_boot(self) -> bool:
        """Return whether the next boot waits in it."""
        masked = self.load == "masked" or self.file_state.startswith("masked")
        enabled = self.file_state.startswith("enabled")
        return self.load == "loaded" and not masked and (enabled or self.pulled_in)


@dataclass(frozen=True)
class Step:
    """One change: the words for a diff, and the command that makes it."""

    before: str
    after: str
    argv: tuple[str, ...]


def parse_show(text: str) -> dict[str, dict[str, str]]:
    """Return the properties of each unit in the output of one ``systemctl show``, by name."""
    found = {}
    for stanza in text.strip().split("\n\n"):
        lines = dict(line.split("=", 1) for line in stanza.splitlines() if "=" in line)
        found[lines.get("Id", "")] = lines
    return found


def waiters(units: Mapping[str, Mapping[str, str]]) -> list[Waiter]:
    """Return the waiting services as ``parse_show`` found them."""
    online = units.get(ONLINE, {})
    pulled = f"{online.get('Wants', '')} {online.get('Requires', '')}".split()
    return [
        Waiter(
            name=name,
            load=units.get(name, {}).get("LoadState", "not-found"),
            file_state=units.get(name, {}).get("UnitFileState", ""),
            fragment=units.get(name, {}).get("FragmentPath", ""),
            pulled_in=name in pulled,
        )
        for name in WAITERS
    ]


def plan_boot(
    default_target: str, services: Iterable[Waiter], to_server: bool, wait_for_none: bool
) -> list[Step]:
    """Return the changes to make.

    Only a desktop's target is replaced: rescue.target or a target of the owner's own was chosen.
    """
    steps = []
    if to_server and default_target == DESKTOP:
        argv = ("systemctl", "set-default", SERVER)
        steps.append(Step(f"default target {DESKTOP}", f"default target {SERVER}", argv))
    if wait_for_none:
        steps += [_mask(service) for service in services if service.holds_boot]
    return steps


def _mask(service: Waiter) -> Step:
    own = f"/etc/systemd/system/{service.name}"
    if service.fragment == own:
        raise BootError(
            f"os_base_wait_online is disable, but {own} is a unit of the owner's own; expected the "
            f"distribution's unit, which can be masked. Remove that file, or set "
            f"os_base_wait_online: keep"
        )
    state = service.file_state or "pulled in"
    return Step(
        f"{service.name} {state}", f"{service.name} masked", ("systemctl", "mask", service.name)
    )


def words(steps: Sequence[Step]) -> tuple[str, str]:
    """Return both sides of the diff."""
    return (
        "".join(f"{step.before}\n" for step in steps),
        "".join(f"{step.after}\n" for step in steps),
    )
