# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the upgrade_record module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import upgrade_record
from ansible_collections.rackforge.gpu_cluster.plugins.modules.upgrade_record import main

from tests.unit.plugins.modules.conftest import Node

TWO = {
    "gpus": [
        {"pci_address": "0000:3b:00.0", "model": "H100", "uuid": "GPU-1"},
        {"pci_address": "0000:43:00.0", "model": "H100", "uuid": "GPU-2"},
    ]
}
ONE = {"gpus": TWO["gpus"][:1]}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the record and the collector's settings in a folder of the test's own."""
    monkeypatch.setattr(upgrade_record, "PATH", str(tmp_path / "record.json"))
    monkeypatch.setattr(upgrade_record, "CONFIG", str(tmp_path / "collector.json"))
    return tmp_path


def call(node: Node, state: str, gpu: dict[str, Any] | None = None, check: bool = False) -> Any:
    """Return what the module answers."""
    return node.run(main, check=check, state=state, gpu=gpu or {}, host="n1")


def test_what_began_is_kept_until_it_is_finished(node: Node, folder: Path) -> None:
    assert call(node, "shown")["begun"] is False
    assert call(node, "begun", TWO)["changed"] is True
    assert call(node, "shown")["gpus"] == [
        "H100 at 0000:3b:00.0 (GPU-1)",
        "H100 at 0000:43:00.0 (GPU-2)",
    ]
    assert call(node, "finished")["begun"] is False
    assert not (folder / "record.json").exists()


def test_a_second_run_keeps_the_gpus_of_the_first(node: Node) -> None:
    call(node, "begun", TWO)
    again = call(node, "begun", ONE)
    assert (again["changed"], len(again["gpus"])) == (False, 2)


def test_a_gpu_that_is_not_back_is_an_error_that_names_it(node: Node) -> None:
    call(node, "begun", TWO)
    result = call(node, "proved", ONE)
    assert result["failed"] is True
    assert "n1: expected the 2 GPUs" in result["msg"]
    assert "H100 at 0000:43:00.0 (GPU-2) is not on the PCI bus any more" in result["msg"]


def test_all_gpus_back_is_no_error(node: Node) -> None:
    call(node, "begun", TWO)
    assert call(node, "proved", TWO)["changed"] is False


def test_a_gpu_that_was_lost_before_is_found_before_the_first_change(
    node: Node, folder: Path
) -> None:
    (folder / "collector.json").write_text('{"expected_gpus": 2}')
    result = call(node, "begun", ONE)
    assert result["failed"] is True
    assert "saw 1 GPUs before the upgrade" in result["msg"]
    assert not (folder / "record.json").exists()


def test_check_mode_writes_nothing(node: Node, folder: Path) -> None:
    assert call(node, "begun", TWO, check=True)["changed"] is True
    assert not (folder / "record.json").exists()


def test_a_broken_record_is_an_error(node: Node, folder: Path) -> None:
    (folder / "record.json").write_text("{")
    assert "cannot be read as the record of an upgrade" in call(node, "shown")["msg"]
