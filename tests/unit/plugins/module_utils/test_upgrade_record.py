# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about which GPUs of a record are back."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.upgrade_record import (
    Card,
    Record,
    RecordError,
    cards_of,
    missing_cards,
    parse_record,
    record_text,
)

ONE = Card("0000:3b:00.0", "H100", "GPU-1")
TWO = Card("0000:43:00.0", "H100", "GPU-2")


def test_a_record_survives_its_file() -> None:
    record = Record("2026-11-23T06:35:00Z", (ONE, TWO))
    assert parse_record(record_text(record)) == record


def test_no_file_is_no_record() -> None:
    assert parse_record(None) is None


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"began": "x"}', '{"began": "x", "cards": [{"a": 1}]}']
)
def test_a_broken_record_is_named_and_not_guessed(text: str) -> None:
    with pytest.raises(RecordError, match="take the file away"):
        parse_record(text)


def test_cards_are_read_from_the_fact() -> None:
    fact = {"gpus": [{"pci_address": "0000:3b:00.0", "model": "H100", "uuid": None, "index": None}]}
    assert cards_of(fact) == (Card("0000:3b:00.0", "H100", ""),)


@pytest.mark.parametrize(
    ("now", "missing"),
    [
        pytest.param((ONE, TWO), [], id="all-back"),
        pytest.param((TWO, ONE), [], id="in-another-order"),
        pytest.param((ONE, Card("0000:44:00.0", "H100", "GPU-2")), [], id="at-another-address"),
        pytest.param((ONE, TWO, Card("0000:5e:00.0", "H100", "GPU-3")), [], id="one-more"),
        pytest.param(
            (ONE,),
            ["H100 at 0000:43:00.0 (GPU-2) is not on the PCI bus any more"],
            id="off-the-bus",
        ),
        pytest.param(
            (ONE, Card("0000:43:00.0", "H100")),
            ["H100 at 0000:43:00.0 (GPU-2) is on the PCI bus, but the driver does not have it"],
            id="left-out-by-the-driver",
        ),
        pytest.param(
            (ONE, Card("0000:43:00.0", "T4", "GPU-9")),
            [
                "H100 at 0000:43:00.0 (GPU-2) is gone, and T4 at 0000:43:00.0 (GPU-9) is in its "
                "place"
            ],
            id="swapped",
        ),
    ],
)
def test_each_card_that_is_not_back_is_named(now: tuple[Card, ...], missing: list[str]) -> None:
    assert missing_cards((ONE, TWO), now) == missing


def test_before_the_first_driver_a_card_is_known_by_its_address() -> None:
    before = (Card("0000:3b:00.0"), Card("0000:43:00.0"))
    assert missing_cards(before, (ONE,)) == ["GPU at 0000:43:00.0 is not on the PCI bus any more"]
