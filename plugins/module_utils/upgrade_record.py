# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node keeps of an upgrade that has begun: which GPUs it had, so that all come back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Optional

#: Not in a folder of the ledger: its own files are all that it looks for there.
PATH = "/var/lib/rackforge-upgrade.json"


class RecordError(Exception):
    """A record cannot be read, and what to do."""


@dataclass(frozen=True)
class Card:
    """A GPU by what stays the same over a boot. ``uuid`` is empty where no driver told it."""

    pci_address: str
    model: str = ""
    uuid: str = ""

    def __str__(self) -> str:
        """Return it as messages have it."""
        words = [self.model or "GPU", f"at {self.pci_address}"]
        return " ".join([*words, f"({self.uuid})"] if self.uuid else words)


@dataclass(frozen=True)
class Record:
    """An upgrade that has begun, when, and the GPUs that the node had then."""

    began: str
    cards: tuple[Card, ...] = ()


def cards_of(gpu: Mapping[str, Any]) -> tuple[Card, ...]:
    """Return the cards in the fact ``gpu``."""
    return tuple(
        Card(str(each.get("pci_address") or ""), each.get("model") or "", each.get("uuid") or "")
        for each in gpu.get("gpus") or ()
    )


def record_text(record: Record) -> str:
    """Return the file that keeps a record."""
    return json.dumps(asdict(record), indent=2, sort_keys=True) + "\n"


def parse_record(text: Optional[str]) -> Optional[Record]:
    """Return the record in a file, None without one; RecordError says what is wrong with it."""
    if text is None:
        return None
    try:
        found = json.loads(text)
        cards = tuple(Card(**{key: str(row[key]) for key in row}) for row in found["cards"])
        return Record(str(found["began"]), cards)
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"{PATH} cannot be read as the record of an upgrade ({error}). See that the node has "
            "all its GPUs, take the file away and run this again"
        ) from error


def missing_cards(before: Sequence[Card], now: Sequence[Card]) -> list[str]:
    """Return a sentence for each card that is not back; other cards may have come.

    A card is known by its UUID. Where no driver told it, by its address: before the first driver
    there is nothing else.
    """
    uuids = {card.uuid for card in now if card.uuid}
    places = {card.pci_address: card for card in now}
    return [
        _sentence(card, places.get(card.pci_address))
        for card in before
        if (card.uuid and card.uuid not in uuids)
        or (not card.uuid and card.pci_address not in places)
    ]


def _sentence(card: Card, there: Optional[Card]) -> str:
    """Return what became of a card, by what is at its address now."""
    if there is None:
        return f"{card} is not on the PCI bus any more"
    if not there.uuid:
        return f"{card} is on the PCI bus, but the driver does not have it"
    return f"{card} is gone, and {there} is in its place"
