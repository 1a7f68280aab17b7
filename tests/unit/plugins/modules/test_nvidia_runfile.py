"""Claims about the driver of a .run file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import nvidia_runfile
from ansible_collections.rackforge.gpu_cluster.plugins.modules.nvidia_runfile import main

from tests.unit.plugins.modules.conftest import Node

OK = (0, "", "")
PRESENT = (0, "nvidia-installer:  version 580.95.05\n", "")
SUM = hashlib.sha256(b"driver").hexdigest()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file on the node."""
    monkeypatch.setattr(nvidia_runfile, "LOG", str(tmp_path / "nvidia-installer.log"))
    path = tmp_path / "NVIDIA-Linux-x86_64-580.95.05.run"
    path.write_bytes(b"driver")
    return path


def arguments(folder: Path, **more: Any) -> dict[str, Any]:
    """Return the module's usual arguments."""
    return {
        "runfile": "x.run",
        "version": "580.95.05",
        "sha256": SUM,
        "marker": str(folder / "marker"),
        **more,
    }


def test_the_file_is_asked_for_only_where_its_driver_is_missing(node: Node, tmp_path: Path) -> None:
    result = node.run(main, **arguments(tmp_path))
    assert (result["changed"], result["needs_source"], node.calls) == (True, True, [])
    node.answers("nvidia-uninstall --silent", OK)
    node.answers("nvidia-installer --version", PRESENT)
    again = node.run(main, **arguments(tmp_path))
    assert (again["changed"], again["needs_source"]) == (False, False)


def test_the_file_runs_without_questions(node: Node, file: Path, tmp_path: Path) -> None:
    node.answers("sh", OK)
    node.answers("dkms", OK)
    result = node.run(main, **arguments(tmp_path, source_file=str(file)))
    assert result["changed"] is True
    assert node.calls == [
        f"sh {file} --silent --no-questions --no-x-check --no-nouveau-check --skip-module-load "
        "--no-opengl-files --kernel-module-type=open --dkms"
    ]
    assert (tmp_path / "marker").read_text() == "# Managed by rackforge.gpu_cluster\n580.95.05\n"


def test_a_file_that_changed_on_its_way_is_not_run(node: Node, file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"something else")
    result = node.run(main, **arguments(tmp_path, source_file=str(file)))
    assert "expected " + SUM + "; it was not run" in result["msg"]
    assert (node.calls, (tmp_path / "marker").exists()) == ([], False)


def test_the_installers_own_error_is_told(node: Node, file: Path, tmp_path: Path) -> None:
    node.answers("sh", (1, "", ""))
    log = tmp_path / "nvidia-installer.log"
    log.write_text("-> Building\n   ERROR: Unable to find the kernel source tree.\n")
    result = node.run(main, **arguments(tmp_path, source_file=str(file)))
    assert result["msg"] == (
        "The driver of the .run file: the installer gave up: Unable to find the kernel source "
        f"tree.; {log} on this node tells more"
    )


def test_check_mode_runs_nothing(node: Node, tmp_path: Path) -> None:
    result = node.run(main, check=True, **arguments(tmp_path))
    assert (result["changed"], result["diff"]["after"]) == (True, "580.95.05\n")


def test_such_a_driver_is_taken_away_by_its_own_program(node: Node, tmp_path: Path) -> None:
    node.answers("nvidia-uninstall --silent", OK)
    node.answers("nvidia-installer --version", PRESENT)
    marker = tmp_path / "marker"
    marker.write_text("x")
    result = node.run(main, state="absent", marker=str(marker))
    assert (result["changed"], marker.exists()) == (True, False)


def test_without_the_installers_word_the_marker_tells_the_version(
    node: Node, tmp_path: Path
) -> None:
    node.answers("nvidia-uninstall --silent", OK)
    (tmp_path / "marker").write_text("# Managed by rackforge.gpu_cluster\n580.95.05\n")
    assert node.run(main, **arguments(tmp_path))["changed"] is False


def test_where_there_is_none_nothing_is_taken_away(node: Node) -> None:
    assert node.run(main, state="absent")["changed"] is False
