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


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the files of the node in a folder of the test; no driver runs."""
    monkeypatch.setattr(nvidia_runfile, "LOG", str(tmp_path / "nvidia-installer.log"))
    monkeypatch.setattr(nvidia_runfile, "LOADED", str(tmp_path / "version"))
    monkeypatch.setattr(nvidia_runfile, "PROC", str(tmp_path / "proc"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file on the node."""
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
        f"sh {file} --silent --no-questions --no-x-check --no-nouveau-check --no-opengl-files "
        "--skip-module-load --allow-installation-with-running-driver --kernel-module-type=open "
        "--dkms"
    ]
    assert (tmp_path / "marker").read_text() == "# Managed by rackforge.gpu_cluster\n580.95.05\n"


BESIDE = ["--skip-module-load", "--allow-installation-with-running-driver"]


@pytest.mark.parametrize(
    ("branch", "kernel_module", "expected"),
    [
        pytest.param(535, "open", ["-m=kernel-open"], id="535-open"),
        pytest.param(535, "proprietary", [], id="535-proprietary"),
        pytest.param(549, "open", ["-m=kernel-open"], id="last-without-running-driver"),
        pytest.param(550, "open", [*BESIDE, "-m=kernel-open"], id="550-open"),
        pytest.param(550, "proprietary", BESIDE, id="550-proprietary"),
        pytest.param(555, "open", [*BESIDE, "--kernel-module-type=open"], id="555-open"),
        pytest.param(
            580, "proprietary", [*BESIDE, "--kernel-module-type=proprietary"], id="580-proprietary"
        ),
    ],
)
def test_an_installer_is_told_only_what_its_branch_knows(
    branch: int, kernel_module: str, expected: list[str]
) -> None:
    always = ["--silent", "--no-questions", "--no-x-check", "--no-nouveau-check"]
    options = nvidia_runfile.installer_options(branch, kernel_module)
    assert options == [*always, "--no-opengl-files", *expected]


def use_running_driver(folder: Path, command: str) -> None:
    """Have a driver that runs, and a program that uses it."""
    (folder / "version").write_text("525.147.05\n")
    process = folder / "proc" / "4711"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text(f"{command[:15]}\n")
    (process / "cmdline").write_text(f"{command}\0")
    (process / "fd" / "3").symlink_to("/dev/nvidia0")


@pytest.mark.parametrize("check", [False, True])
def test_an_older_file_is_refused_beside_a_driver_in_use(
    node: Node, tmp_path: Path, check: bool
) -> None:
    use_running_driver(tmp_path, "nvidia-persistenced")
    result = node.run(main, check=check, **arguments(tmp_path, version="535.288.01"))
    assert result["msg"] == (
        "The driver of the .run file: driver 525.147.05 runs and is in use (4711 "
        "nvidia-persistenced), and an installer below branch 550 installs nothing beside it; the "
        "running driver must be unloaded first: end these programs and 'modprobe --remove "
        "nvidia_uvm nvidia_drm nvidia_modeset nvidia', or boot with it removed or blacklisted "
        "(modprobe.blacklist=nvidia), or choose a file of branch 550 or newer. Nothing was changed"
    )
    assert node.calls == []


def test_a_newer_file_comes_beside_a_driver_in_use(node: Node, file: Path, tmp_path: Path) -> None:
    use_running_driver(tmp_path, "python")
    node.answers("sh", OK)
    assert node.run(main, **arguments(tmp_path, source_file=str(file)))["changed"] is True
    assert "--allow-installation-with-running-driver" in node.calls[0]


def test_an_older_file_comes_beside_a_driver_that_nothing_uses(
    node: Node, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "version").write_text("525.147.05\n")
    node.answers("sh", OK)
    wanted = arguments(tmp_path, version="535.288.01", source_file=str(file))
    assert node.run(main, **wanted)["changed"] is True
    assert node.calls[0].endswith("--no-opengl-files -m=kernel-open")


def test_a_version_that_is_none_is_told_before_anything_is_written(
    node: Node, file: Path, tmp_path: Path
) -> None:
    result = node.run(main, **arguments(tmp_path, version="newest", source_file=str(file)))
    assert "saw version 'newest', expected one such as 580.95.05" in result["msg"]
    assert (node.calls, (tmp_path / "marker").exists()) == ([], False)


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
