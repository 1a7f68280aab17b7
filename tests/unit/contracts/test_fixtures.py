"""Every fixture about GPUs says where it comes from, and none is passed off as another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ORIGINS = frozenset({"recorded", "documentation", "public-dump", "invented"})
FIXTURES = Path(__file__).parents[2] / "fixtures" / "gpu"
FOLDERS = sorted(folder for folder in FIXTURES.glob("*/*") if folder.is_dir())


def test_there_are_at_least_forty() -> None:
    assert len(FOLDERS) >= 40


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f"{f.parent.name}-{f.name}")
def test_its_origin_is_told(folder: Path) -> None:
    origin = json.loads((folder / "origin.json").read_text(encoding="utf-8"))
    assert origin["origin"] in ORIGINS
    # What was written by hand has no source, but says what it shows.
    told = origin["note"] if origin["origin"] == "invented" else origin["source"]
    assert len(told) > 10


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f"{f.parent.name}-{f.name}")
def test_what_was_recorded_stands_in_the_hardware_table(folder: Path) -> None:
    origin = json.loads((folder / "origin.json").read_text(encoding="utf-8"))
    table = (FIXTURES.parents[2] / "docs" / "hardware.md").read_text(encoding="utf-8")
    assert origin["origin"] != "recorded" or folder.name in table
