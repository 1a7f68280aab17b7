# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""netplan's ethernets, and the drop-in that says which of them boot does not wait for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import HEADER


class NetplanError(ValueError):
    """What was asked cannot be said to netplan."""


@dataclass(frozen=True)
class Ethernet:
    """A definition: netplan's name for it, and the interface names that it may stand for."""

    id: str
    names: tuple[str, ...]


def parse_ethernets(text: str) -> list[Ethernet]:
    """Return the ethernets in the output of ``netplan get``.

    netplan prints block style with constant indentation, so no YAML library is needed, which a
    node may not have for the Python that Ansible uses.
    """
    found: list[Ethernet] = []
    section = identifier = ""
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip(" "))
        key, _colon, value = line.strip().partition(":")
        if depth <= 2:
            section = key if depth == 2 else ""
        elif section == "ethernets" and depth == 4:
            identifier = _plain(key)
            found.append(Ethernet(identifier, (identifier,)))
        elif section == "ethernets" and key in ("set-name", "name") and _plain(value):
            last = found.pop()
            found.append(Ethernet(last.id, (*last.names, _plain(value))))
    return found


def _plain(value: str) -> str:
    return value.strip().strip("\"'")


def choose(ethernets: Sequence[Ethernet], wanted: Sequence[str], cluster: str) -> list[str]:
    """Return the definitions to make optional: the wanted ones, or all but the cluster network's.

    An interface that netplan does not know is refused: naming it would make netplan take it over.
    """
    if not wanted:
        return sorted(one.id for one in ethernets if cluster not in one.names)
    unknown = [name for name in wanted if not any(name in one.names for one in ethernets)]
    if unknown:
        known = ", ".join(sorted(name for one in ethernets for name in one.names)) or "none"
        raise NetplanError(
            f"os_base_optional_interfaces has {', '.join(unknown)}, expected ethernets that "
            f"netplan configures: {known}. See 'netplan get ethernets' on the node"
        )
    return sorted({one.id for one in ethernets if set(wanted) & set(one.names)})


def render(identifiers: Iterable[str]) -> str:
    """Return the text of the drop-in, empty when there is nothing to say."""
    lines = [
        f"    {_quoted(identifier)}:\n      optional: true\n" for identifier in sorted(identifiers)
    ]
    if not lines:
        return ""
    return HEADER + "network:\n  version: 2\n  ethernets:\n" + "".join(lines)


def _quoted(identifier: str) -> str:
    return identifier if re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", identifier) else f'"{identifier}"'
