# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as AMD's tools print them: JSON after warnings, numbers with units, "N/A".

Whatever is missing, of another type or said to be unknown is None. Nothing here reads anything.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Optional

_ADDRESS = re.compile(r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([01][0-9a-f])\.([0-7])", re.IGNORECASE)
_HEX = re.compile(r"(?:0x)?([0-9a-f]{1,16})", re.IGNORECASE)
_NUMBER = re.compile(r"\s*(-?[0-9]{1,20}(?:\.[0-9]{1,9})?)\s*(?:[A-Za-z%/].*)?", re.DOTALL)
# The greatest numbers of 16, 32 and 64 bits: what the library says where it knows nothing.
_UNKNOWN = frozenset({0xFFFF, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF})
# More lines than this are never in front of a document; garbage may start thousands.
_STARTS = 50
# Transfers in a second, in billions, of each generation of PCI Express.
_GENERATIONS = {2.5: 1, 5.0: 2, 8.0: 3, 16.0: 4, 32.0: 5, 64.0: 6}


def find_json(text: str) -> Any:
    """Return the first JSON object or list of objects in what a program printed, or None.

    Warnings before it and after it do no harm, not even one that starts with "[WARNING]".
    """
    decoder = json.JSONDecoder()
    for start in _starts(text):
        try:
            found, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) or (isinstance(found, list) and _has_objects(found)):
            return found
    return None


def complaint(text: str, command: str) -> str:
    """Return why a program printed no list of GPUs, in its own words."""
    found = find_json(text)
    said = text_of(found.get("error")) if isinstance(found, dict) else None
    if said:
        return said[:200]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return f"{command} printed nothing"
    errors = [line for line in lines if line.startswith("ERROR")]
    if not errors and lines[0][0] in "[{":
        return f"{command} printed no complete list of GPUs: it starts with {lines[0][:60]!r}"
    return (errors or lines)[0].replace("ERROR:root:", "").strip()[:200] or lines[0]


def table(value: Any, *keys: str) -> Mapping[str, Any]:
    """Return the object under nested keys, an empty one where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def number(value: Any) -> Optional[float]:
    """Return 42 for 42, "42", "42 W" and {"value": 42, "unit": "W"}."""
    if isinstance(value, Mapping):
        value = value.get("value")
    if isinstance(value, str):
        match = _NUMBER.fullmatch(value)
        value = float(match.group(1)) if match else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # Ordered so that an int too great for a float is refused before it is made one.
    if not -(2**63) < value < 2**63 or not math.isfinite(value) or value in _UNKNOWN:
        return None
    return float(value)


def count(value: Any) -> Optional[int]:
    """Return a whole number that is not negative."""
    found = number(value)
    return int(found) if found is not None and found >= 0 else None


def mebibytes(value: Any) -> Optional[int]:
    """Return a size in MiB; AMD's tools write MB and GB and mean MiB and GiB."""
    found = number(value)
    if found is None or found <= 0:
        return None
    unit = value.get("unit") if isinstance(value, Mapping) else str(value)
    return int(found * (1024 if "GB" in str(unit) else 1))


def text_of(value: Any) -> Optional[str]:
    """Return a text that says something."""
    if not isinstance(value, str) or value.strip().upper() in ("", "N/A", "NONE", "UNKNOWN"):
        return None
    return value.strip()


def pci_address(value: Any) -> Optional[str]:
    """Return an address as sysfs writes it: 0000:3b:00.0."""
    match = _ADDRESS.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match:
        return None
    domain, bus, device, function = match.groups()
    return f"{int(domain or '0', 16):04x}:{bus}:{device}.{function}".lower()


def serial(value: Any) -> Optional[int]:
    """Return the number that is burnt into the chip, from text such as 0x7E8F7E20764E2714."""
    match = _HEX.fullmatch(value.strip()) if isinstance(value, str) else None
    return int(match.group(1), 16) or None if match else None


def uuid_of(chip: Optional[int]) -> Optional[str]:
    """Return the name of a GPU by its serial number, as ROCR_VISIBLE_DEVICES takes it."""
    return f"GPU-{chip:016x}" if chip else None


def link_generation(speed: Any) -> Optional[int]:
    """Return the PCI Express generation of a speed in GT/s or MT/s, or of a text like Gen 5."""
    if isinstance(speed, str) and speed.strip().lower().startswith("gen"):
        return count(speed.strip()[3:])
    found = number(speed)
    if found is None:
        return None
    return _GENERATIONS.get(found / 1000 if found >= 1000 else found)


def _starts(text: str) -> Iterator[int]:
    """Return where a document may start: at a bracket that begins a line.

    An indented one belongs to a document that was cut: its part would be taken for the whole.
    """
    matches = re.finditer(r"^[\[{]", text, re.MULTILINE)
    for _, match in zip(range(_STARTS), matches):
        yield match.start()


def _has_objects(found: list[Any]) -> bool:
    return any(isinstance(each, dict) for each in found)
