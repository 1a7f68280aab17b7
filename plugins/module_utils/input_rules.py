# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inputs accept, and which input a misspelt name is meant to be."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_lists import (
    Item,
    Slip,
    dict_slip,
    list_slip,
)
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

# What to write where there is a usual value: k3s's own (k3s server --help).
_GOOD_SUBNETS = {"k3s_cluster_cidr": "10.42.0.0/16", "k3s_service_cidr": "10.43.0.0/16"}

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
    NUMBER = "number"
    SUBNET = "subnet"
    LIST = "list"
    DICT = "dict"
    #: How many hosts at a time, as Ansible's ``serial`` takes it: a number, a percentage, a list.
    BATCH = "batch"
    #: A release of k3s, as v1.33.5+k3s1.
    K3S_RELEASE = "k3s release"
    #: A node's name in Kubernetes.
    NODE_NAME = "node name"
    #: A password. It is judged by its length, and never shown.
    HIDDEN = "text, never shown"
    #: A file on the control node. Whether it is there is looked up elsewhere.
    FILE = "file"


@dataclass(frozen=True)
class Input:
    """A variable that the playbooks or roles read; ``meaning`` is for docs/variables.md.

    ``low`` and ``high`` bound a number; both belong to it. ``choices`` of a list are those of each
    element. ``takes_text`` says that a list may be written as a text with commas, and a map as
    JSON, since whatever reads it splits it. ``items`` are the keys of each map in a list of maps;
    with ``of_maps`` alone, whatever uses the list judges its keys.
    """

    name: str
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()
    meaning: str = field(default="", compare=False)
    low: Optional[float] = None
    high: Optional[float] = None
    takes_text: bool = False
    items: tuple[Item, ...] = ()
    of_maps: bool = False


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
    judge = _JUDGES.get(known.kind)
    refusal = judge(known, value) if judge else None
    if refusal or known.kind is Kind.LIST:
        return refusal
    return _judge_choice(known, value)


def _judge_choice(known: Input, value: Any) -> Optional[Refusal]:
    # YAML takes a bare off for false.
    word = "off" if value is False else str(value)
    if not known.choices or word in known.choices:
        return None
    meant = closest_name(str(value), known.choices) or known.choices[0]
    expected = f"one of {', '.join(known.choices)}"
    return _invalid(known, value, expected, meant)


def _invalid(known: Input, value: Any, expected: str, good: str) -> Refusal:
    return Refusal("value-invalid", f"{known.name}={value}", expected, f"{known.name}={good}")


def _judge_boolean(known: Input, value: Any) -> Optional[Refusal]:
    if is_boolean(value):
        return None
    seen = f"{known.name}={value}"
    return Refusal("boolean-as-word", seen, "true or false", f"{known.name}=true")


def _judge_number(known: Input, value: Any) -> Optional[Refusal]:
    whole = known.kind is Kind.INTEGER
    number = number_of(value, whole)
    if number is not None and _is_within(known, number):
        return None
    noun = "a whole number" if whole else "a number"
    return _invalid(known, value, f"{noun}{_describe_bounds(known)}", _good_number(known))


def _is_within(known: Input, number: float) -> bool:
    return (known.low is None or number >= known.low) and (
        known.high is None or number <= known.high
    )


def _describe_bounds(known: Input) -> str:
    """Return " from 1 to 9", as the end of a sentence; nothing without bounds."""
    if known.low is None and known.high is None:
        return ""
    if known.high is None:
        return f", {known.low:g} or more"
    if known.low is None:
        return f", at most {known.high:g}"
    return f" from {known.low:.12g} to {known.high:.12g}"


def _good_number(known: Input) -> str:
    return f"{known.low:g}" if known.low is not None and known.high is None else "NUMBER"


def number_of(value: Any, whole: bool = True) -> Optional[float]:
    """Return the number that ``value`` is, or that a text writes; None for anything else."""
    if isinstance(value, bool):
        return None
    pattern = r"[+-]?[0-9]{1,15}" if whole else r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?"
    if isinstance(value, str):
        return float(value) if re.fullmatch(pattern, value.strip(), re.ASCII) else None
    if isinstance(value, int):
        return float(value) if abs(value) < 1e15 else None
    return value if isinstance(value, float) and not whole else None


def _judge_subnet(known: Input, value: Any) -> Optional[Refusal]:
    if value == "":
        return None
    network = parse_subnet(str(value))
    if network is None:
        good = _GOOD_SUBNETS.get(known.name, "198.18.0.0/24")
        return _invalid(known, value, "an IPv4 network with its prefix length", good)
    if network.prefixlen == network.max_prefixlen:
        expected = f"a network of several nodes, so a prefix shorter than {network.prefixlen}"
        return _invalid(known, value, expected, f"{network.supernet(new_prefix=24)}")
    return None


def _judge_batch(known: Input, value: Any) -> Optional[Refusal]:
    """Return why ``value`` is no size of a batch: at least one node, as a number or share."""
    parts = value if isinstance(value, (list, tuple)) and value else [value]
    if all(_is_batch(each) for each in parts):
        return None
    return _invalid(known, value, "a number of nodes, 1 or more, or 1% to 100%", "1")


def _is_batch(value: Any) -> bool:
    text = str(value).strip()
    number = number_of(text[:-1] if text.endswith("%") else value)
    if number is None or number < 1:
        return False
    return number <= 100 or not text.endswith("%")


def _judge_list(known: Input, value: Any) -> Optional[Refusal]:
    slip = list_slip(value, known.takes_text, known.items, known.choices, known.of_maps)
    return _slipped(known, slip)


def _judge_dict(known: Input, value: Any) -> Optional[Refusal]:
    return _slipped(known, dict_slip(value, known.takes_text))


def _slipped(known: Input, slip: Optional[Slip]) -> Optional[Refusal]:
    """Return the refusal of a slip, with the line that is right where the value was written."""
    if slip is None:
        return None
    if slip.is_quoted:
        fix = f"{known.name}={slip.good}   (below [all:vars], without quotes around it)"
    else:
        fix = f'{known.name}="{slip.good}"   (below [all:vars] without the outer quotes)'
    code = "list-as-text" if slip.is_text else "value-invalid"
    return Refusal(code, f"{known.name}{slip.seen}", slip.expected, fix)


def _judge_release(known: Input, value: Any) -> Optional[Refusal]:
    """Return why a value is no release of k3s; the v and the +k3s1 are forgotten easily."""
    text = str(value).strip()
    if re.fullmatch(r"v[0-9]+\.[0-9]+\.[0-9]+(-[a-z0-9.]+)?\+k3s[0-9]+", text):
        return None
    found = re.search(r"[0-9]+\.[0-9]+\.[0-9]+", text)
    good = f"v{found[0]}+k3s1" if found else "v1.33.5+k3s1"
    return _invalid(known, value, "a release of k3s as it is tagged, such as v1.33.5+k3s1", good)


def node_name_problem(name: str) -> Optional[str]:
    """Return what Kubernetes expects of the name of a node instead, None where it takes it.

    A name of a DNS subdomain would do for Kubernetes; it is a label's value too, hence 63
    (Kubernetes documentation, Object Names and IDs; Labels and Selectors).
    """
    if len(name) > 63:
        return f"at most 63 characters, not {len(name)}"
    part = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
    if not re.fullmatch(rf"{part}(\.{part})*", name, re.ASCII):
        return "small letters, digits, hyphens and dots, with a letter or digit at both ends"
    return None


def _judge_node_name(known: Input, value: Any) -> Optional[Refusal]:
    expected = node_name_problem(str(value))
    plain = "-".join(re.findall(r"[a-z0-9]+", str(value).lower()))[:63].rstrip("-")
    return _invalid(known, value, expected, plain or "NAME") if expected else None


_JUDGES: Mapping[Kind, Callable[[Input, Any], Optional[Refusal]]] = {
    Kind.BOOLEAN: _judge_boolean,
    Kind.INTEGER: _judge_number,
    Kind.NUMBER: _judge_number,
    Kind.SUBNET: _judge_subnet,
    Kind.BATCH: _judge_batch,
    Kind.LIST: _judge_list,
    Kind.DICT: _judge_dict,
    Kind.K3S_RELEASE: _judge_release,
    Kind.NODE_NAME: _judge_node_name,
}


def is_boolean(value: Any) -> bool:
    """Return whether ``value`` is a boolean, or the text true or false as INI files give it."""
    if isinstance(value, str):
        return value.strip().lower() in ("true", "false")
    return isinstance(value, bool)


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
