# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inputs accept, and which input a misspelt name is meant to be."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_network import (
    parse_subnet,
)

# What people write who have not looked the name up.
SYNONYMS = {
    "my_interface": "my_iface",
    "my_nic": "my_iface",
    "node_iface": "my_iface",
    "gpu": "has_gpu",
    "cluster_cidr": "cluster_subnet",
    "cluster_network": "cluster_subnet",
}

# Names that Ansible itself gives every host.
MAGIC_NAMES = frozenset(
    {
        "environment",
        "gpu_cluster",
        "group_names",
        "groups",
        "hostvars",
        "inventory_dir",
        "inventory_file",
        "inventory_hostname",
        "inventory_hostname_short",
        "module_setup",
        "namespace",
        "omit",
        "play_hosts",
        "playbook_dir",
        "role_name",
        "role_names",
        "role_path",
        "vars",
    }
)


class Kind(str, enum.Enum):
    """What an input accepts."""

    TEXT = "text"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    SUBNET = "subnet"


@dataclass(frozen=True)
class Input:
    """A variable that the playbooks or roles read; ``meaning`` is for docs/variables.md."""

    name: str
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()
    meaning: str = field(default="", compare=False)


@dataclass(frozen=True)
class Refusal:
    """Why a value is not accepted: a finding's code, what was seen, expected, and a good line."""

    code: str
    seen: str
    expected: str
    fix: str


def judge_value(known: Input, value: Any) -> Optional[Refusal]:
    """Return why ``known`` does not accept ``value``, or None when it does (or is not set)."""
    if value is None:
        return None
    seen = f"{known.name}={value}"
    if known.kind is Kind.BOOLEAN and not is_boolean(value):
        return Refusal("boolean-as-word", seen, "true or false", f"{known.name}=true")
    if known.kind is Kind.INTEGER and not is_integer(value):
        return Refusal("value-invalid", seen, "a whole number", f"{known.name}=NUMBER")
    if known.kind is Kind.SUBNET and value != "" and parse_subnet(str(value)) is None:
        expected = "an IPv4 network with its prefix length"
        return Refusal("value-invalid", seen, expected, f"{known.name}=198.18.0.0/24")
    if known.choices and str(value) not in known.choices:
        meant = closest_name(str(value), known.choices) or known.choices[0]
        expected = f"one of {', '.join(known.choices)}"
        return Refusal("value-invalid", seen, expected, f"{known.name}={meant}")
    return None


def is_boolean(value: Any) -> bool:
    """Return whether ``value`` is a boolean, or the text true or false as INI files give it."""
    if isinstance(value, str):
        return value.strip().lower() in ("true", "false")
    return isinstance(value, bool)


def is_integer(value: Any) -> bool:
    """Return whether ``value`` is a whole number, or a text that writes one."""
    if isinstance(value, str):
        return value.strip().lstrip("-").isdigit()
    return isinstance(value, int) and not isinstance(value, bool)


def meant_input(
    name: str, inputs: Mapping[str, Input], own_names: Collection[str] = ()
) -> Optional[str]:
    """Return the input that the variable ``name`` is a misspelling of, or None."""
    if name in inputs or name in own_names or name in MAGIC_NAMES:
        return None
    if name.startswith(("ansible_", "_", "discovered_")):
        return None
    synonym = SYNONYMS.get(name.lower())
    return synonym if synonym in inputs else closest_name(name, inputs)


def closest_name(name: str, known: Iterable[str]) -> Optional[str]:
    """Return the known name that ``name`` most likely is meant to be, or None.

    Case, hyphens and underscores do not count; beyond that one slip is forgiven, and two in
    names from ten letters on.
    """
    plain = _plain(name)
    allowed = 2 if len(plain) >= 10 else 1
    if len(plain) < 4:
        return None
    distances = sorted((edit_distance(plain, _plain(each)), each) for each in known)
    return distances[0][1] if distances and distances[0][0] <= allowed else None


def _plain(name: str) -> str:
    """Return the letters and digits of a name in lower case."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def edit_distance(left: str, right: str) -> int:
    """Return how many slips (one letter more, less, other, or two swapped) lie between two."""
    if abs(len(left) - len(right)) > 2:
        return 3
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        before, last = row, before
        row = [i]
        for j, b in enumerate(right, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
