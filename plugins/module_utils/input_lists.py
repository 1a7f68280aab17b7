# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists and maps among the inputs, and what an inventory in INI form made of them instead.

A host's line gives Python literals after its quotes were taken away, so ``x=['a']`` becomes the
text ``[a]``. A line below ``[group:vars]`` keeps its quotes, so ``x="['a']"`` stays a text there.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

#: How much of a wrong text a finding shows.
SHOWN = 100
_BRACKETS = "[]{}"
_USERINFO = re.compile(r"//[^/@\s'\"]*@")


@dataclass(frozen=True)
class Item:
    """A key of the maps in a list, and what it holds: str, int, bool, list, path."""

    name: str
    type: str = "str"
    required: bool = False


@dataclass(frozen=True)
class Slip:
    """Why a value is no list or map: what was seen and expected, and how it is written well.

    ``is_quoted``: it would be one without the quotes around it. ``is_text``: it is a text.
    """

    seen: str
    expected: str
    good: str
    is_text: bool = False
    is_quoted: bool = False


def list_slip(
    value: Any,
    takes_text: bool = False,
    items: Sequence[Item] = (),
    choices: Sequence[str] = (),
    of_maps: bool = False,
) -> Optional[Slip]:
    """Return what is wrong with the value of a list, None where it serves as one.

    With ``takes_text`` one word and words with commas between them serve, as Ansible's modules
    split them. ``of_maps`` says that its elements are maps, of any keys where ``items`` has none.
    """
    if of_maps and not items:
        return _maps_slip(value)
    if isinstance(value, (list, tuple)):
        return _element_slip(value, items, choices)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return Slip(_shown(value), f"a list{_like(items)}", _good_list([], items))
    text = str(value)
    if takes_text and not items and _splits_well(text):
        return _element_slip(text.split(","), items, choices)
    parsed = _literal(text)
    is_quoted = isinstance(parsed, list) and _element_slip(parsed, items, choices) is None
    words = parsed if is_quoted else _words(text)
    return Slip(
        _shown(value),
        f"a list{_like(items)}, not a text",
        _good_list(words, items),
        True,
        is_quoted,
    )


def _maps_slip(value: Any) -> Optional[Slip]:
    """Return what is wrong with a list of maps whose keys are judged elsewhere.

    They may hold secrets, so they are counted instead of shown.
    """
    if isinstance(value, (list, tuple)):
        strange = next((each for each in value if not isinstance(each, Mapping)), _NO_ELEMENT)
        if strange is _NO_ELEMENT:
            return None
        seen = f": of {len(value)}, one is {_kind_of(strange)}"
        return Slip(seen, "a list of maps", _GOOD_MAPS)
    is_text = isinstance(value, str)
    parsed = _literal(value) if is_text else None
    is_quoted = isinstance(parsed, list) and _maps_slip(parsed) is None
    expected = "a list of maps, not a text" if is_text else "a list of maps"
    return Slip(f": {_kind_of(value)}", expected, _GOOD_MAPS, is_text, is_quoted)


_NO_ELEMENT = object()
_GOOD_MAPS = "[{'KEY': 'VALUE'}]"


def dict_slip(value: Any, takes_text: bool = False) -> Optional[Slip]:
    """Return what is wrong with the value of a map, None where it serves as one.

    With ``takes_text`` a text of JSON serves.
    """
    if isinstance(value, Mapping):
        return None
    parsed = _literal(value) if isinstance(value, str) else None
    if takes_text and isinstance(parsed, dict):
        return None
    good = parsed if isinstance(parsed, dict) and parsed else {"KEY": "VALUE"}
    # What stands in a map may be nobody's business, so it is counted instead of shown.
    is_text = isinstance(value, str)
    seen = f": a text of {len(value)} characters" if is_text else f": {_kind_of(value)}"
    line = "{'KEY': 'VALUE'}" if not isinstance(parsed, dict) else repr(good)
    expected = "a map of keys to values, not a text" if is_text else "a map of keys to values"
    return Slip(seen, expected, line, is_text, _is_python_map(value))


def _is_python_map(value: Any) -> bool:
    """Return whether an INI file would read a map here, were it not for quotes around it."""
    try:
        return isinstance(value, str) and isinstance(ast.literal_eval(value), dict)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False


def _splits_well(text: str) -> bool:
    """Return whether splitting at commas gives words without brackets, blanks and holes."""
    words = text.split(",")
    return all(word and word == word.strip() for word in words) and not any(
        text.lstrip().startswith(bracket) for bracket in "[{"
    )


def _element_slip(
    values: Sequence[Any], items: Sequence[Item], choices: Sequence[str]
) -> Optional[Slip]:
    for value in values:
        problem = _map_problem(value, items) if items else _word_problem(value, choices)
        if problem:
            words = [] if items else [each for each in values if isinstance(each, str)]
            if choices:
                words = [each for each in words if each in choices] or [choices[0]]
            return Slip(_shown_list(values), problem, _good_list(words, items))
    return None


def _word_problem(value: Any, choices: Sequence[str]) -> Optional[str]:
    if value is None or isinstance(value, (list, tuple, Mapping)):
        return f"a list of texts; one element is {_kind_of(value)}"
    if choices and str(value) not in choices:
        return f"a list of {', '.join(choices)}"
    return None


def _map_problem(value: Any, items: Sequence[Item]) -> Optional[str]:
    """Return what an element of a list of maps should be, None where it is that."""
    if not isinstance(value, Mapping):
        return f"a list{_like(items)}; one element is {_kind_of(value)}"
    missing = [each.name for each in items if each.required and value.get(each.name) is None]
    if missing:
        return f"{', '.join(missing)} in each map"
    strange = sorted(str(key) for key in value if key not in {each.name for each in items})
    if strange:
        return f"no key but {', '.join(each.name for each in items)}; saw {', '.join(strange)}"
    wrong = [each for each in items if not _fits(value.get(each.name), each.type)]
    return f"{wrong[0].name} of the kind {wrong[0].type} in each map" if wrong else None


def _fits(value: Any, kind: str) -> bool:
    """Return whether Ansible takes ``value`` for a value of this kind."""
    if value is None:
        return True
    if kind == "int":
        text = str(value).strip()
        return not isinstance(value, bool) and text.lstrip("-").isdecimal()
    if kind == "bool":
        return str(value).strip().lower() in _BOOLEANS
    if kind == "list":
        return isinstance(value, (list, tuple, str, int))
    return not isinstance(value, (list, tuple, Mapping))


_BOOLEANS = frozenset(("true", "false", "yes", "no", "on", "off", "y", "n", "t", "f", "1", "0"))


def _literal(text: str) -> Any:
    """Return the list or map that JSON or Python reads in a text, None for another text."""
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(found, (list, dict)):
            return found
    return None


def _words(text: str) -> list[str]:
    words = (word.strip(" '\"") for word in text.strip().strip(_BRACKETS).split(","))
    return [word for word in words if word]


def _good_list(values: Sequence[Any], items: Sequence[Item]) -> str:
    """Return a list as an INI file takes it."""
    if items and not all(isinstance(each, Mapping) for each in values or [None]):
        samples = {"int": 1, "bool": True, "list": ["WORD"]}
        return repr([{each.name: samples.get(each.type, "TEXT") for each in _needed(items)}])
    return _masked(repr([each if items else str(each) for each in values]))


def _needed(items: Sequence[Item]) -> Sequence[Item]:
    return [each for each in items if each.required] or items


def _like(items: Sequence[Item]) -> str:
    return f" of maps with {', '.join(each.name for each in _needed(items))}" if items else ""


def _kind_of(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    return "a list" if isinstance(value, (list, tuple)) else "a text"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ": a map"
    text = _masked(str(value))
    return f"={text[:SHOWN]}..." if len(text) > SHOWN else f"={text}"


def _shown_list(values: Sequence[Any]) -> str:
    return _shown(json.dumps(list(values), default=str))


def _masked(text: str) -> str:
    """Return the text without users and passwords in its addresses."""
    return _USERINFO.sub("//***@", text)
