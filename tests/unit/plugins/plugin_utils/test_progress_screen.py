# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The foot of a terminal goes away before anything else is printed."""

from __future__ import annotations

import os
import threading
from io import StringIO
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.progress_screen import (
    Foot,
    Ticker,
    keep_clear,
    rows_of,
)

from tests.unit.plugins.callback.terminal import Terminal


class Screen(StringIO):
    """A stream that a model of a terminal shows."""

    def __init__(self, columns: int = 40) -> None:
        super().__init__()
        self.terminal = Terminal(columns)

    def write(self, text: str) -> int:
        self.terminal.write(text)
        return super().write(text)


class Display:
    """Prints as Ansible's display does."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def display(self, text: str) -> None:
        self._screen.write(f"{text}\n")


@pytest.fixture
def screen() -> Screen:
    return Screen()


def test_a_block_takes_the_place_of_the_one_before(screen: Screen) -> None:
    foot = Foot(screen, lambda: 40)
    screen.write("kept\n")
    foot.draw(["one", "two", "three"])
    foot.draw(["four"])
    assert screen.terminal.text == "kept\nfour"


def test_a_block_that_says_the_same_is_not_drawn_again(screen: Screen) -> None:
    foot = Foot(screen, lambda: 40)
    foot.draw(["one"])
    drawn = screen.getvalue()
    foot.draw(["one"])
    assert screen.getvalue() == drawn


def test_words_above_the_block_stay_whole(screen: Screen) -> None:
    foot = Foot(screen, lambda: 40)
    display: Any = Display(screen)
    keep_clear(display, ("display", "a_method_of_newer_versions"), threading.RLock(), foot)
    foot.draw(["one", "two"])
    display.display("a warning")
    foot.draw(["three"])
    assert screen.terminal.text == "a warning\nthree"


def test_a_fork_leaves_the_terminal_to_its_parent(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    foot = Foot(screen, lambda: 40)
    display: Any = Display(screen)
    keep_clear(display, ("display",), threading.RLock(), foot)
    foot.draw(["one"])
    monkeypatch.setattr(os, "getpid", lambda: -1)
    display.display("proxied")
    assert os.getpid() == -1
    assert screen.terminal.text == "one\nproxied"


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        pytest.param(80, 2, id="as-it-was-drawn"),
        pytest.param(6, 3, id="narrower-so-that-a-line-wraps"),
        pytest.param(0, 14, id="no-width-at-all"),
    ],
)
def test_a_terminal_that_became_narrower_is_still_cleared(width: int, expected: int) -> None:
    assert rows_of(["12345678", "123456"], width) == expected


def test_a_terminal_that_is_gone_ends_the_ticks() -> None:
    ticks: list[int] = []
    done = threading.Event()

    def tick() -> None:
        ticks.append(1)
        done.set()
        raise OSError("gone")

    Ticker(0.001, tick).start()
    assert done.wait(5)
    assert ticks == [1]
