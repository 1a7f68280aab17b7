# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports that the inputs of one host give to two services, by the rows of the port catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import number_of
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    ANY,
    CATALOGUE,
    ITSELF,
    K3S,
    LAN,
    MANAGEMENT,
    Port,
    groups_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_list import LAST_PORT
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_shared import (
    K3S_OWN_ROWS,
    default_number,
)

#: Where sshd is told to listen; the port at which Ansible comes is that of the login's row.
SSH_INPUT = "os_base_ssh_port"


@dataclass(frozen=True)
class Claim:
    """The ports that a service of a host takes, and the inputs that say so.

    ``chosen`` are those that the inventory sets; the others are defaults.
    """

    row: Port
    first: int
    last: int
    variables: tuple[str, ...]
    chosen: tuple[str, ...]
    #: Where it begins on this host when nothing moves it.
    default: int = 0

    @property
    def words(self) -> str:
        """The inputs with their values."""
        numbers = (self.first, self.last)
        said = (f"{name}={number}" for name, number in zip(self.variables, numbers))
        return " to ".join(said) or f"{self.row.name} at {_span(self.first, self.last)}"

    def meets(self, other: Claim) -> bool:
        """Return whether both want one port."""
        return (
            self.row.protocol == other.row.protocol
            and self.first <= other.last
            and other.first <= self.last
        )


def _span(first: int, last: int) -> str:
    return f"{first}" if first == last else f"{first}-{last}"


def check_ports(inventory: Inventory) -> list[Finding]:
    """Return a finding for each pair of services of a node that the inputs give one port."""
    return [finding for host in inventory.nodes for finding in _check_host(host, inventory)]


def _check_host(host: Host, inventory: Inventory) -> Iterator[Finding]:
    claims = [claim for claim in (_claim(host, row) for row in _rows(host, inventory)) if claim]
    # The rows of both protocols may share their inputs.
    turned = {claim.variables: claim for claim in claims if claim.first > claim.last}
    yield from (_turned(host, claim) for claim in turned.values())
    straight = [claim for claim in claims if claim.first <= claim.last]
    told: set[tuple[str, str]] = set()
    for one, other in combinations(straight, 2):
        if one.meets(other) and (one.chosen or other.chosen):
            found = _doubled(host, one, other, straight)
            # A range may lie over several ports of others: one line to type, one finding.
            if (found.variable, found.fix) not in told:
                yield found
            told.add((found.variable, found.fix))


def _rows(host: Host, inventory: Inventory) -> Iterator[Port]:
    """Yield the rows of the services that this host gets; not those that name whole networks.

    Every k3s has NodePorts, whether the profile that names them is chosen or not.
    """
    wanted = (inventory.profiles | {ANY}) - {LAN}
    if K3S in wanted:
        wanted |= {MANAGEMENT}
    for row in CATALOGUE:
        here = row.profile in wanted and host.is_in(groups_of(row.role))
        if here and row.clients != (ITSELF,) and row.counts(host.values):
            yield row
    for row in K3S_OWN_ROWS:
        if row.profile in wanted and host.is_in(groups_of(row.role)):
            yield row


def _claim(host: Host, row: Port) -> Optional[Claim]:
    """Return what a row takes on the host, None where its inputs are no ports or not known."""
    if row.is_login:
        return _login(host, row)
    first_name = next((each for each in (row.variable, row.alias) if each in host.values), None)
    first = _port(host, first_name or row.variable, default_number(row, host.groups))
    last = _port(host, row.last_variable, row.end)
    if row.variable and not row.last_variable:
        last = first
    if first is None or last is None:
        return None
    names = tuple(each for each in (first_name or row.variable, row.last_variable) if each)
    chosen = tuple(name for name in names if host.values.get(name) is not None)
    return Claim(row, first, last, names, chosen, default_number(row, host.groups))


def _login(host: Host, row: Port) -> Optional[Claim]:
    """Return sshd's port where the inventory moves it or leaves it where it is by default."""
    name = SSH_INPUT if host.values.get(SSH_INPUT) is not None else row.variable
    if name == row.variable and name in host.variable_names and name not in host.values:
        return None  # It is set, and its value was not read.
    number = _port(host, name, row.number)
    chosen = (name,) if host.values.get(name) is not None else ()
    if number is None:
        return None
    return Claim(row, number, number, (name,), chosen, row.number)


def _port(host: Host, name: str, default: int) -> Optional[int]:
    value = host.values.get(name)
    number = default if value is None else number_of(value)
    return int(number) if number is not None and 1 <= number <= LAST_PORT else None


def _turned(host: Host, claim: Claim) -> Finding:
    low, high = claim.variables
    return Finding(
        Severity.ERROR,
        "value-invalid",
        host.name,
        f"The range of {claim.row.name} begins above its end.",
        seen=f"{low}={claim.first}, {high}={claim.last}",
        expected=f"{low} at most {high}",
        fix=f"{low}={claim.last} {high}={claim.first}",
        variable=claim.chosen[0] if claim.chosen else low,
    )


def _doubled(host: Host, one: Claim, other: Claim, claims: Sequence[Claim]) -> Finding:
    """Return the finding; the input that gives way is one that the inventory sets, no range."""
    mover, stays = (one, other) if _gives_way(one) >= _gives_way(other) else (other, one)
    first = max(one.first, other.first)
    name = (mover.chosen or mover.variables)[0]
    return Finding(
        Severity.ERROR,
        "port-doubled",
        host.name,
        f"{mover.words} and {stays.words} give one {one.row.protocol} port to two services of "
        "this node.",
        seen=f"{first} for {mover.row.name} and for {stays.row.name}",
        expected="another port for each",
        fix=f"{name}={_free(mover, claims)}",
        variable=name,
    )


def _gives_way(claim: Claim) -> tuple[bool, bool]:
    return (bool(claim.chosen), claim.first == claim.last)


def _free(mover: Claim, claims: Sequence[Claim]) -> int:
    """Return the service's own port, or the next above that no other service takes."""
    others = [each for each in claims if each is not mover]
    protocol = mover.row.protocol
    width = mover.last - mover.first
    starts: list[int] = [mover.default, *range(mover.first + 1, LAST_PORT - width)]
    for start in starts:
        wanted = Claim(mover.row, start, start + width, (), ())
        if not any(each.row.protocol == protocol and each.meets(wanted) for each in others):
            return start
    return mover.default
