"""Claims about the node's half of web_config."""

from __future__ import annotations

import grp
import os
import stat
from pathlib import Path

from ansible_collections.rackforge.gpu_cluster.plugins.modules.web_config import main

from tests.unit.plugins.modules.conftest import Node

HASH = "$2b$10$abcdefghijklmnopqrstuuF1yP1Q2S3T4U5V6W7X8Y9Z0a1b2c3d4"
GROUP = grp.getgrgid(os.getgid()).gr_name


def test_the_file_is_written_once_and_only_its_group_may_read_it(
    node: Node, tmp_path: Path
) -> None:
    dest = tmp_path / "new" / "web.yml"
    first = node.run(main, user="admin", hash=HASH, dest=str(dest), group=GROUP)
    assert (first["changed"], HASH in dest.read_text()) == (True, True)
    assert stat.S_IMODE(dest.stat().st_mode) == 0o640
    assert node.run(main, user="admin", hash=HASH, dest=str(dest), group=GROUP)["changed"] is False


def test_neither_result_nor_diff_holds_the_hash(node: Node, tmp_path: Path) -> None:
    result = node.run(main, user="admin", hash=HASH, dest=str(tmp_path / "w.yml"), group=GROUP)
    assert HASH not in str(result)
    assert "admin" in result["diff"]["after"]


def test_a_file_that_others_can_read_is_closed(node: Node, tmp_path: Path) -> None:
    dest = tmp_path / "web.yml"
    node.run(main, user="admin", hash=HASH, dest=str(dest), group=GROUP)
    dest.chmod(0o644)
    assert node.run(main, user="admin", hash=HASH, dest=str(dest), group=GROUP)["changed"] is True
    assert stat.S_IMODE(dest.stat().st_mode) == 0o640


def test_check_mode_needs_no_group_and_writes_nothing(node: Node, tmp_path: Path) -> None:
    dest = tmp_path / "web.yml"
    result = node.run(main, check=True, user="a", hash=HASH, dest=str(dest), group="none-such")
    assert (result["changed"], dest.exists()) == (True, False)


def test_a_missing_group_is_named(node: Node, tmp_path: Path) -> None:
    result = node.run(main, user="a", hash=HASH, dest=str(tmp_path / "w"), group="none-such")
    assert result["failed"] is True
    assert "no group 'none-such'" in result["msg"]
