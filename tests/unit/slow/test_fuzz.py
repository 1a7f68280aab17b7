# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the parsers of GPU data under broken input, and about what breaks it.

`python3 -m tests.slow.fuzz` tries far more inputs than these.
"""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverGpu,
    DriverView,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.slow.fuzz import fuzz, main, make_input
from tests.slow.fuzz_targets import TARGETS, check_view, samples

SAMPLES = samples()


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_no_broken_fixture_makes_a_parser_raise(name: str, seed: int) -> None:
    TARGETS[name](make_input(SAMPLES[name], seed))


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=25)
@example("")
@example("\x00")
@example("\ud800")
@example("{" * 5000)
@example("[" * 100_000)
@example("<nvidia_smi_log>" + "<gpu>" * 5000 + "</nvidia_smi_log>")
@given(text=st.text(max_size=200))
def test_no_text_makes_a_parser_raise(name: str, text: str) -> None:
    TARGETS[name](text)


@pytest.mark.parametrize("name", TARGETS)
def test_each_parser_has_fixtures_to_break_and_reads_them(name: str) -> None:
    assert len(SAMPLES[name]) > 1
    for text in SAMPLES[name]:
        TARGETS[name](text)


def test_the_same_seed_makes_the_same_input() -> None:
    texts = ["one", "two"]
    assert make_input(texts, 7) == make_input(texts, 7)
    assert len({make_input(texts, seed) for seed in range(50)}) > 10


def test_an_exception_is_named_once_with_its_first_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_it(_text: str) -> None:
        raise ValueError("here")

    monkeypatch.setattr("tests.slow.fuzz.TARGETS", {"it": raise_it})
    found = fuzz("it", ["text"], range(5, 8))
    assert (found.inputs, list(found.crashes.values())) == (3, [5])
    assert next(iter(found.crashes)).startswith("ValueError: here at ")


def test_a_crash_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def raise_it(_text: str) -> None:
        raise KeyError("gone")

    monkeypatch.setattr("tests.slow.fuzz.TARGETS", {**TARGETS, "kfd": raise_it})
    assert main(["--inputs", "2", "--target", "kfd", "--seed", "3"]) == 1
    assert "again: --target kfd --seed 3 --inputs 1" in capsys.readouterr().out


def test_a_quiet_run_counts_its_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--inputs", "4", "--target", "system", "--target", "device-ids"]) == 0
    assert (
        capsys.readouterr().out.splitlines()[-1].startswith("all                 4 inputs    0 c")
    )


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(DriverView("x", gpus=(DriverGpu(0), DriverGpu(0))), id="two-with-one-number"),
        pytest.param(DriverView("x", gpus=(DriverGpu(-1),)), id="negative-number"),
        pytest.param(DriverView("x", gpus=(DriverGpu(0),), error="y"), id="gpus-beside-an-error"),
        pytest.param(DriverView("x", error=""), id="error-without-words"),
        pytest.param(DriverView("x", error="y" * 5000), id="endless-error"),
        pytest.param(DriverView("x", gpus=(DriverGpu(0, memory_mib=-1),)), id="negative-memory"),
    ],
)
def test_a_view_that_no_reader_may_give_is_found(view: DriverView) -> None:
    with pytest.raises(AssertionError):
        check_view(view)


def test_a_number_that_is_no_json_is_found() -> None:
    with pytest.raises(ValueError, match="JSON"):
        check_view(DriverView("x", gpus=(DriverGpu(0, power_w=float("nan")),)))
