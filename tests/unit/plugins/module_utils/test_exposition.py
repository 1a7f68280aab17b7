"""Claims about the text that Prometheus reads."""

from __future__ import annotations

import re

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.exposition import (
    Family,
    Kind,
    Sample,
    exposition,
)
from hypothesis import given
from hypothesis import strategies as st

# What the format allows (Prometheus, "Exposition formats"), written anew for these tests.
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_SAMPLE = re.compile(
    rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{{{_LABEL}(?:,{_LABEL})*\}})? "
    r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|NaN|[+-]Inf)"
)
_COMMENT = re.compile(
    r"# (?:HELP [a-zA-Z_:][a-zA-Z0-9_:]* (?:[^\\\n]|\\[\\n])*|TYPE \S+ (?:gauge|counter))"
)


def read(text: str) -> dict[str, float]:
    """Return the values by name and labels; fail at a line that the format does not have."""
    assert text == "" or text.endswith("\n")
    found: dict[str, float] = {}
    for line in text.split("\n")[:-1]:
        if line.startswith("#"):
            assert _COMMENT.fullmatch(line), line
            continue
        match = _SAMPLE.fullmatch(line)
        assert match, line
        key = match.group(1) + (match.group(2) or "")
        assert key not in found, line
        found[key] = float(match.group(3))
    return found


def test_a_family_has_its_meaning_its_kind_and_its_values() -> None:
    family = Family(
        "gpu_temp", "Heat.", (Sample(33, {"gpu": "0"}), Sample(41.5, {"gpu": "1"})), Kind.COUNTER
    )
    assert exposition([family]) == (
        "# HELP gpu_temp Heat.\n"
        "# TYPE gpu_temp counter\n"
        'gpu_temp{gpu="0"} 33\n'
        'gpu_temp{gpu="1"} 41.5\n'
    )


def test_a_name_without_a_value_is_left_out() -> None:
    assert exposition([Family("a", "A."), Family("b", "B.", (Sample(1),))]) == (
        "# HELP b B.\n# TYPE b gauge\nb 1\n"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('a"b', r"a\"b", id="quote"),
        pytest.param("a\\b", r"a\\b", id="backslash"),
        pytest.param("a\nb", r"a\nb", id="line"),
        pytest.param("a\udc80b", "a?b", id="no-utf-8"),
    ],
)
def test_labels_are_written_so_that_they_can_be_read(text: str, expected: str) -> None:
    line = exposition([Family("m", "M.", (Sample(1, {"l": text}),))]).splitlines()[-1]
    assert line == f'm{{l="{expected}"}} 1'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(1795399041.858, "1795399041.858", id="fraction"),
        pytest.param(116.0, "116", id="whole"),
        pytest.param(True, "1", id="yes"),
        pytest.param(float("nan"), "NaN", id="nan"),
        pytest.param(float("-inf"), "-Inf", id="infinite"),
        pytest.param(1 << 63, "9223372036854775808", id="large"),
    ],
)
def test_numbers_keep_all_their_digits(value: float, expected: str) -> None:
    assert exposition([Family("m", "M.", (Sample(value),))]).split()[-1] == expected


def test_of_two_values_with_equal_labels_the_first_is_told() -> None:
    samples = (Sample(1, {"a": "x"}), Sample(3, {"a": "y"}), Sample(2, {"a": "x"}))
    rows = exposition([Family("m", "M.", samples)]).splitlines()[2:]
    assert sorted(rows) == ['m{a="x"} 1', 'm{a="y"} 3']


@given(
    st.lists(
        st.builds(
            Sample,
            st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.booleans()),
            st.dictionaries(st.sampled_from(["gpu", "UUID", "path"]), st.text(), max_size=3),
        ),
        max_size=6,
    ),
    st.text(),
)
def test_whatever_is_told_can_be_read(samples: list[Sample], told: str) -> None:
    read(exposition([Family("m", told, tuple(samples))]))
