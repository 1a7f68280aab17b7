# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small XML document as a tree. Documents that declare or use entities are refused.

Nothing outside the text is ever fetched: the parser knows no external entities here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Optional
from xml.parsers import expat

#: Deeper than any report of a program that is read here.
MOST_LEVELS = 32
_FORBIDDEN = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ufffe\\uffff]")


class XmlError(Exception):
    """A text is not the XML that it should be."""


@dataclass
class Element:
    """An element with its attributes, its own text and the elements in it."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the element's own text, without that of the elements in it."""
        return "".join(self.parts).strip()

    def find(self, path: str) -> Optional[Element]:
        """Return the first element at a path such as pci/pci_bus_id."""
        here = self
        for name in path.split("/"):
            found = next((each for each in here.children if each.name == name), None)
            if found is None:
                return None
            here = found
        return here

    def text_of(self, path: str) -> str:
        """Return the text at a path, "" where there is no such element."""
        found = self.find(path)
        return found.text if found else ""

    def texts(self) -> Iterator[str]:
        """Yield the text of this element and of all in it."""
        waiting = [self]
        while waiting:
            here = waiting.pop()
            yield here.text
            waiting += here.children


class _Builder:
    """Builds the tree from what the parser reports."""

    def __init__(self) -> None:
        self.root: Optional[Element] = None
        self._open: list[Element] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= MOST_LEVELS:
            raise XmlError(f"more than {MOST_LEVELS} elements lie in one another")
        made = Element(name, attributes)
        if self._open:
            self._open[-1].children.append(made)
        else:
            self.root = made
        self._open.append(made)

    def end(self, _name: str) -> None:
        self._open.pop()

    def text(self, text: str) -> None:
        self._open[-1].parts.append(text)

    def refuse(self, name: str, *_rest: object) -> None:
        raise XmlError(f"it declares the entity {name}")


def parse_xml(text: str) -> Element:
    """Return the root element; raise XmlError with the place where the text stops to be XML."""
    builder = _Builder()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.EntityDeclHandler = builder.refuse
    try:
        parser.Parse(_clean(text).encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        raise XmlError(str(error)) from error
    if builder.root is None:
        raise XmlError("it holds no element")
    return builder.root


def _clean(text: str) -> str:
    """Return the text without the characters that XML does not allow."""
    return _FORBIDDEN.sub("\ufffd", text)
