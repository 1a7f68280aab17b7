# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the ray_release module, with folders in place of a node's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import (
    Declaration,
    Ledger,
    NodeState,
    RoleRecord,
)
from ansible_collections.rackforge.gpu_cluster.plugins.modules import ray_release
from ansible_collections.rackforge.gpu_cluster.plugins.modules.ray_release import main

from tests.unit.plugins.modules.conftest import Node
from tests.unit.plugins.modules.test_ray_node_info import run_raylet

ADDRESS = "198.18.1.11"


class Home:
    """A node with environments of Ray, a unit and a record."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "etc").mkdir()

    def environment(self, version: str) -> str:
        """Lay down a finished environment and return where it lies."""
        place = self.folder / "opt" / version
        place.mkdir(parents=True)
        (place / ".rackforge.json").write_text('{"digest": "abc"}')
        return str(place)

    def starts(self, place: str) -> None:
        """Have the unit start a release."""
        (self.folder / "ray.service").write_text(f"ExecStart={place}/bin/ray start \\\n")

    @property
    def record(self) -> Path:
        """The file that says what is kept."""
        return self.folder / "etc" / "releases.json"

    def arguments(self, version: str, **more: Any) -> dict[str, Any]:
        """Return the module's arguments."""
        return {
            "name": "n1",
            "version": version,
            "runtime": "venv",
            "place": str(self.folder / "opt" / version),
            "address": ADDRESS,
            "record": str(self.record),
            "unit_file": str(self.folder / "ray.service"),
            **more,
        }


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A node on which no Ray runs."""
    monkeypatch.setattr(ray_release, "PROC", str(tmp_path / "proc"))
    monkeypatch.setattr(ray_release, "Store", lambda: Books(Ledger()))
    return Home(tmp_path)


class Books:
    """A ledger that only can be read."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def load(self) -> Ledger:
        """Return it."""
        return self.ledger


def test_a_node_without_ray_has_nothing(node: Node, home: Home) -> None:
    result = node.run(main, **home.arguments("2.60.0"))
    assert (result["running"], result["current"], result["previous"]) == ("", None, None)
    assert (result["changed"], result["kept"]) == (False, False)
    assert not home.record.exists()


def test_a_running_version_is_not_replaced_outside_an_upgrade(node: Node, home: Home) -> None:
    home.starts(home.environment("2.59.0"))
    run_raylet(home.folder / "proc" / "7", "2.59.0", ADDRESS)
    result = node.run(main, **home.arguments("2.60.0", state="current"))
    assert result["failed"] is True
    assert result["msg"].startswith("n1 runs Ray 2.59.0 in a cluster")
    assert not home.record.exists()


def test_an_owners_own_ray_is_nobodys_business(node: Node, home: Home) -> None:
    run_raylet(home.folder / "proc" / "7", "2.9.0", ADDRESS)
    result = node.run(main, **home.arguments("2.60.0", state="current"))
    assert (result.get("failed"), result["changed"], result["running"]) == (None, False, "")


def test_the_release_that_is_replaced_is_remembered_once(node: Node, home: Home) -> None:
    home.starts(home.environment("2.59.0"))
    arguments = home.arguments("2.60.0", state="current", replace=True)
    assert node.run(main, check=True, **arguments)["changed"] is True
    assert not home.record.exists()
    first = node.run(main, **arguments)
    assert (first["changed"], first["previous"]["version"]) == (True, "2.59.0")
    assert node.run(main, **arguments)["changed"] is False


def test_a_kept_release_needs_nothing_brought(node: Node, home: Home) -> None:
    old = home.environment("2.59.0")
    home.starts(home.environment("2.60.0"))
    previous = {"version": "2.59.0", "runtime": "venv", "place": old}
    home.record.write_text(json.dumps({"previous": previous, "left": []}))
    assert node.run(main, **home.arguments("2.59.0", back=True))["kept"] is True
    (Path(old) / ".rackforge.json").write_text('{"digest": ""}')
    assert node.run(main, **home.arguments("2.59.0", back=True))["kept"] is False, "begun only"
    (Path(old) / ".rackforge.json").unlink()
    assert node.run(main, **home.arguments("2.59.0", back=True))["kept"] is False


def test_only_what_is_left_and_ours_is_removed(node: Node, home: Home) -> None:
    home.starts(home.environment("2.60.0"))
    rows = [
        {"version": version, "runtime": "venv", "place": home.environment(version)}
        for version in ("2.57.0", "2.58.0", "2.59.0")
    ]
    owners = Path(rows[0]["place"])
    (owners / ".rackforge.json").unlink()
    home.record.write_text(json.dumps({"previous": rows[2], "left": rows[:2]}))
    arguments = home.arguments("2.60.0", state="pruned")
    assert len(node.run(main, check=True, **arguments)["removed"]) == 2
    result = node.run(main, **arguments)
    assert result["left"] == []
    assert sorted(path.name for path in owners.parent.iterdir()) == ["2.57.0", "2.59.0", "2.60.0"]
    assert node.run(main, **arguments)["changed"] is False


@pytest.mark.parametrize(
    ("was_there", "answer", "left", "asked"),
    [
        pytest.param(False, (0, "", ""), 0, True, id="ours"),
        pytest.param(False, (1, "", "conflict: container is using it"), 1, True, id="in-use"),
        pytest.param(False, (1, "", "Error: No such image: x"), 0, True, id="gone"),
        pytest.param(True, (0, "", ""), 0, False, id="was-there-before-us"),
    ],
)
def test_an_image_goes_when_it_was_brought_and_is_not_used(
    node: Node,
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    was_there: bool,
    answer: tuple[int, str, str],
    left: int,
    asked: bool,
) -> None:
    known = RoleRecord("ray", Declaration(images=("x",)), NodeState(images={"x": was_there}))
    monkeypatch.setattr(ray_release, "Store", lambda: Books(Ledger().put(known)))
    node.answers("docker image rm x", answer)
    row = {"version": "2.58.0", "runtime": "container", "place": "x"}
    home.record.write_text(json.dumps({"previous": None, "left": [row]}))
    result = node.run(main, **home.arguments("2.60.0", state="pruned"))
    assert (len(result["left"]), bool(node.calls)) == (left, asked)
