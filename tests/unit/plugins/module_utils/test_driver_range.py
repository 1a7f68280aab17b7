"""Claims about versions of drivers and their bounds."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.driver_range import (
    Position,
    bound_problem,
    describe_range,
    is_older,
    parse_version,
    position,
    same_version,
)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param("580.95.05", (580, 95, 5), id="nvidia"),
        pytest.param("3:580.95.05-1ubuntu2", (580, 95, 5), id="epoch-and-revision"),
        pytest.param("580.95.05+dfsg-1", (580, 95, 5), id="repacked"),
        pytest.param("1.18.0~rc.2-1", (1, 18, 0), id="release-candidate"),
        pytest.param("v1.17.8", (1, 17, 8), id="v"),
        pytest.param(" 590\n", (590,), id="branch-alone"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="none"),
        pytest.param("N/A", None, id="no-number"),
        pytest.param("580.", None, id="open-end"),
        pytest.param("580.95.05 590.1", None, id="two-versions"),
        pytest.param("1" * 400, None, id="endless"),
        pytest.param("٥٨٠", None, id="digits-of-another-script"),
    ],
)
def test_a_version_is_read_or_refused(text: str | None, version: tuple[int, ...] | None) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("text", "lowest", "highest", "where"),
    [
        pytest.param("590.48.01", "530", "590", Position.INSIDE, id="a-branch-is-inclusive"),
        pytest.param("590.999.99", "530", "590", Position.INSIDE, id="its-last-release-too"),
        pytest.param("591.1", "530", "590", Position.ABOVE, id="the-next-branch"),
        pytest.param("610.43.02", "530", "590", Position.ABOVE, id="much-newer"),
        pytest.param("530.30.02", "530", "590", Position.INSIDE, id="the-first-of-the-lowest"),
        pytest.param("529.99", "530", "590", Position.BELOW, id="one-branch-below"),
        pytest.param("525.147.05", "530", "590", Position.BELOW, id="older"),
        pytest.param("535.104.05", "535.104.05", None, Position.INSIDE, id="exact-bound"),
        pytest.param("535.104.04", "535.104.05", None, Position.BELOW, id="just-below-it"),
        pytest.param("535.54.03", "535.104.05", None, Position.BELOW, id="numbers-not-letters"),
        pytest.param("590.48.02", None, "590.48.01", Position.ABOVE, id="exact-upper-bound"),
        pytest.param("590.48.02", None, "590.48", Position.INSIDE, id="part-of-an-upper-bound"),
        pytest.param("590", None, "590.48.01", Position.INSIDE, id="a-short-version"),
        pytest.param("100", None, None, Position.INSIDE, id="no-bounds"),
        pytest.param("100", "x", "y", Position.INSIDE, id="bounds-that-are-none"),
    ],
)
def test_bounds_belong_to_the_range(
    text: str, lowest: str | None, highest: str | None, where: Position
) -> None:
    version = parse_version(text)
    assert version is not None
    assert position(version, lowest, highest) is where


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("580.95.05", "580.95.05-1", True),
        ("580.95.05", "580.95.5", True),
        ("580.95.05", "580.105.08", False),
        ("580.95.05", None, None),
        ("garbage", "580.95.05", None),
    ],
    ids=["revision", "leading-zero", "another", "unknown", "garbage"],
)
def test_unknown_versions_are_neither_same_nor_other(
    one: str, other: str | None, same: bool | None
) -> None:
    assert same_version(one, other) is same


@pytest.mark.parametrize(
    ("seen", "older"),
    [("1.16.2", True), ("1.17", True), ("1.17.8", False), ("1.17.8-1", False), ("1.20.0", False)],
    ids=str,
)
def test_a_toolkit_is_older_or_not(seen: str, older: bool) -> None:
    assert is_older(seen, "1.17.8") is older
    assert is_older("?", "1.17.8") is None


@pytest.mark.parametrize(
    ("lowest", "highest", "problem"),
    [
        ("530", "590", None),
        ("590.48.01", "590", None),
        (None, None, None),
        ("600", "590", "the lowest version 600 lies above the highest, 590"),
        ("five", "590", "'five' is no version"),
        ("530", "", "'' is no version"),
    ],
    ids=["fine", "within-the-branch", "none", "crossed", "no-lowest", "no-highest"],
)
def test_impossible_bounds_are_named(
    lowest: str | None, highest: str | None, problem: str | None
) -> None:
    assert bound_problem(lowest, highest) == problem


@pytest.mark.parametrize(
    ("lowest", "highest", "text"),
    [
        ("530", "590", "530 to 590, all of 590 included"),
        ("535.104.05", "590.48.01", "535.104.05 to 590.48.01"),
        ("530", None, "530 or newer"),
        (None, "590", "at most 590, all of 590 included"),
        (None, None, "any version"),
    ],
    ids=["branches", "exact", "lowest", "highest", "none"],
)
def test_a_range_reads_as_a_sentence(lowest: str | None, highest: str | None, text: str) -> None:
    assert describe_range(lowest, highest) == text
