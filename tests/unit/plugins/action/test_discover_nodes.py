"""Claims about where discover_nodes writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.action.discover_nodes import (
    free_path,
    is_named,
    write_new,
)


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    mine = tmp_path / "inv.ini"
    mine.write_text("mine")
    path, is_there = free_path(str(mine), "found")
    assert (path, is_there) == (str(tmp_path / "inv-2.ini"), False)
    write_new(path, "found")
    assert mine.read_text() == "mine"
    assert Path(path).read_text() == "found"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["inv-2.ini", "inv.ini"]


def test_the_same_text_is_not_written_twice(tmp_path: Path) -> None:
    (tmp_path / "inv.ini").write_text("mine")
    (tmp_path / "inv-2.ini").write_text("found")
    assert free_path(str(tmp_path / "inv.ini"), "found") == (str(tmp_path / "inv-2.ini"), True)


def test_a_file_that_came_in_the_meantime_survives(tmp_path: Path) -> None:
    mine = tmp_path / "inv.ini"
    mine.write_text("mine")
    with pytest.raises(FileExistsError):
        write_new(str(mine), "found")
    assert mine.read_text() == "mine"


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (["203.0.113.5"], True),
        (["203.0.113.0/24,203.0.113.5/32"], True),
        (["203.0.113.0/24"], False),
    ],
)
def test_addresses_that_were_named_by_themselves(targets: list[str], expected: bool) -> None:
    assert is_named("203.0.113.5", targets) is expected
