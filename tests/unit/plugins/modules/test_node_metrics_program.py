"""Claims about the module that has the collector on a node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.program_file import (
    compiled,
    source_digest,
)
from ansible_collections.rackforge.gpu_cluster.plugins.modules.node_metrics_program import main
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.program_archive import program

from tests.unit.plugins.modules.conftest import Node

MADE = program("node_metrics_state")
DIGEST = source_digest(MADE)


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, Any]:
    """What the control node's half asks first."""
    return {
        "path": str(tmp_path / "lib" / "p.pyz"),
        "config_path": str(tmp_path / "etc" / "c.json"),
        "digest": DIGEST,
    }


def brought(tmp_path: Path) -> str:
    source = tmp_path / "brought"
    source.write_bytes(MADE)
    return str(source)


def test_a_node_without_the_program_asks_for_it_and_is_left_as_it_is(
    node: Node, arguments: dict[str, Any]
) -> None:
    assert node.run(main, **arguments)["needs_source"] is True
    assert not Path(arguments["path"]).parent.exists()
    assert not Path(arguments["config_path"]).exists()


def test_what_was_brought_is_placed_and_the_second_run_is_quiet(
    node: Node, arguments: dict[str, Any], tmp_path: Path
) -> None:
    first = node.run(main, **arguments, found_gpus=2, source_file=brought(tmp_path))
    assert (first["changed"], first["expected_gpus"]) == (True, 2)
    assert Path(arguments["path"]).read_bytes() == compiled(MADE, arguments["path"])
    assert Path(arguments["path"]).stat().st_mode & 0o7777 == 0o755
    again = node.run(main, **arguments, found_gpus=2)
    assert (again["changed"], again["diff"], again.get("needs_source")) == (False, [], None)


def test_a_gpu_that_is_lost_stays_expected(
    node: Node, arguments: dict[str, Any], tmp_path: Path
) -> None:
    node.run(main, **arguments, found_gpus=8, source_file=brought(tmp_path))
    later = node.run(main, **arguments, found_gpus=7)
    assert (later["changed"], later["expected_gpus"]) == (False, 8)
    fewer = node.run(main, **arguments, found_gpus=7, expected_gpus=7)
    assert (fewer["changed"], fewer["expected_gpus"]) == (True, 7)


def test_other_settings_are_written_and_shown(
    node: Node, arguments: dict[str, Any], tmp_path: Path
) -> None:
    node.run(main, **arguments, source_file=brought(tmp_path))
    result = node.run(main, **arguments, gpus="own", certificates=["/a.crt"])
    config = json.loads(Path(arguments["config_path"]).read_text())
    assert config == {
        "certificates": ["/a.crt"],
        "directory": "/var/lib/rackforge-node-metrics",
        "expected_gpus": None,
        "gpus": "own",
    }
    assert [each["after_header"] for each in result["diff"]] == [arguments["config_path"]]


def test_check_mode_tells_and_writes_nothing(node: Node, arguments: dict[str, Any]) -> None:
    result = node.run(main, check=True, **arguments)
    assert (result["changed"], result.get("needs_source")) == (True, None)
    assert result["python"]
    assert not Path(arguments["path"]).exists()


def test_something_else_at_its_place_is_replaced(
    node: Node, arguments: dict[str, Any], tmp_path: Path
) -> None:
    place = Path(arguments["path"])
    place.parent.mkdir()
    place.write_text("#!/bin/sh\n")
    result = node.run(main, **arguments, source_file=brought(tmp_path))
    assert result["diff"][-1]["before"] == "(something else)\n"
    assert place.read_bytes() == compiled(MADE, arguments["path"])


def test_a_place_that_cannot_be_written_is_named(
    node: Node, arguments: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "lib").write_text("a file")
    result = node.run(main, **arguments, source_file=brought(tmp_path))
    assert result["failed"] is True
    assert result["msg"].startswith(f"Could not bring the collector to {arguments['path']}: ")
