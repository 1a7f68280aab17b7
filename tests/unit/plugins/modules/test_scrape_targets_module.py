"""Claims about the scrape_targets module."""

from __future__ import annotations

import grp
import os
import stat
from pathlib import Path
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.modules.scrape_targets import main

from tests.unit.plugins.modules.conftest import Node

GROUP = grp.getgrgid(os.getgid()).gr_name
TARGETS = {"a": {"node": [{"targets": ["192.0.2.1:9100"], "labels": {"node": "a"}}]}}


def have(node: Node, folder: Path, check: bool = False, **more: Any) -> Any:
    """Return the module's answer."""
    return node.run(main, check=check, directory=str(folder), group=GROUP, **more)


def test_the_second_run_changes_nothing(node: Node, tmp_path: Path) -> None:
    first = have(node, tmp_path, targets=TARGETS)
    path = tmp_path / "node" / "a.json"
    assert (first["changed"], first["written"]) == (True, [str(path)])
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert have(node, tmp_path, targets=TARGETS)["changed"] is False


def test_every_job_has_a_directory_that_can_be_watched(node: Node, tmp_path: Path) -> None:
    have(node, tmp_path)
    assert (tmp_path / "kubelet").is_dir()
    assert stat.S_IMODE((tmp_path / "kubelet").stat().st_mode) == 0o750


def test_a_host_that_left_is_scraped_no_more(node: Node, tmp_path: Path) -> None:
    have(node, tmp_path, targets=TARGETS)
    assert have(node, tmp_path, keep=["a"])["changed"] is False
    result = have(node, tmp_path)
    assert result["removed"] == [str(tmp_path / "node" / "a.json")]
    assert not (tmp_path / "node" / "a.json").exists()


def test_check_mode_shows_and_writes_nothing(node: Node, tmp_path: Path) -> None:
    result = have(node, tmp_path / "none", check=True, targets=TARGETS)
    assert result["changed"] is True
    assert "192.0.2.1:9100" in result["diff"][-1]["after"]
    assert not (tmp_path / "none").exists()
