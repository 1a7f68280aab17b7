"""Claims about the data_directory module on real directories."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.modules import data_directory

ME = {"owner": str(os.getuid()), "group": str(os.getgid())}


def test_a_directory_is_made_with_its_parents(node: Any, tmp_path: Path) -> None:
    path = tmp_path / "srv" / "models"
    result = node.run(data_directory.main, path=str(path), mode="2770", free_gib=0, **ME)
    assert (result["changed"], result["place"]) == (True, str(tmp_path))
    assert oct(path.stat().st_mode & 0o7777) == "0o2770"
    assert oct(path.parent.stat().st_mode & 0o7777) == "0o755"
    assert node.run(data_directory.main, path=str(path), mode="2770", **ME)["changed"] is False


def test_check_mode_makes_nothing_and_still_finds_a_full_disk(node: Any, tmp_path: Path) -> None:
    path = tmp_path / "models"
    assert node.run(data_directory.main, check=True, path=str(path), **ME)["changed"] is True
    result = node.run(data_directory.main, check=True, path=str(path), free_gib=1 << 30, **ME)
    assert f"expected {1 << 30} GiB" in result["msg"]
    assert not path.exists()


def test_without_room_nothing_is_made(node: Any, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "models"
    result = node.run(data_directory.main, path=str(path), free_gib=1 << 30, **ME)
    assert result["failed"] is True
    assert list(tmp_path.iterdir()) == []


def test_models_are_not_touched_when_the_mode_changes(node: Any, tmp_path: Path) -> None:
    path = tmp_path / "models"
    path.mkdir()
    (path / "llama").write_text("weights")
    (path / "llama").chmod(0o600)
    node.run(data_directory.main, path=str(path), mode="0750", free_gib=1 << 30, **ME)
    assert oct(path.stat().st_mode & 0o7777) == "0o750"
    assert oct((path / "llama").stat().st_mode & 0o7777) == "0o600"


def test_an_owner_who_is_not_there_is_named(node: Any, tmp_path: Path) -> None:
    path = tmp_path / "models"
    result = node.run(data_directory.main, path=str(path), owner="nobody-there")
    assert result["msg"] == (
        f"Could not have the directory {path}: this node has no user nobody-there; create it "
        "first, or give a number"
    )
    assert not path.exists()


def test_check_mode_expects_an_owner_that_is_still_to_come(node: Any, tmp_path: Path) -> None:
    path = tmp_path / "models"
    result = node.run(data_directory.main, check=True, path=str(path), group="nobody-there")
    assert result["changed"] is True
    assert not path.exists()
