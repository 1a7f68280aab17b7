"""Claims about keeping nouveau away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.early_image import (
    images_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.modules import nouveau_off
from ansible_collections.rackforge.gpu_cluster.plugins.modules.nouveau_off import main

from tests.unit.plugins.modules.conftest import Node

OK = (0, "", "")
TEXT = "# Managed by rackforge.gpu_cluster\nblacklist nouveau\noptions nouveau modeset=0\n"


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The initramfs of the running kernel, made long ago."""
    path = tmp_path / "initrd.img-6.12"
    path.write_text("")
    os.utime(path, (1, 1))
    monkeypatch.setattr(nouveau_off, "images_of", lambda _kernel: [str(path)])
    return path


@pytest.mark.parametrize(
    ("program", "call"),
    [
        pytest.param("update-initramfs", "update-initramfs -u -k all", id="debian"),
        pytest.param("dracut", "dracut --force --regenerate-all", id="el"),
    ],
)
def test_the_initramfs_of_all_kernels_is_made_anew(
    node: Node, tmp_path: Path, image: Path, program: str, call: str
) -> None:
    node.answers(program, OK)
    path = tmp_path / "nouveau.conf"
    result = node.run(main, path=str(path))
    assert (result["changed"], result["rebuilt"], path.read_text()) == (True, True, TEXT)
    assert node.calls == [call]
    assert image.exists()


def test_a_younger_initramfs_is_left_alone(node: Node, tmp_path: Path, image: Path) -> None:
    path = tmp_path / "nouveau.conf"
    path.write_text(TEXT)
    os.utime(image)
    os.utime(path, (1, 1))
    assert node.run(main, path=str(path))["changed"] is False
    assert node.calls == []


@pytest.mark.usefixtures("image")
def test_a_run_that_was_killed_before_the_initramfs_is_made_good(
    node: Node, tmp_path: Path
) -> None:
    node.answers("update-initramfs", OK)
    path = tmp_path / "nouveau.conf"
    path.write_text(TEXT)
    assert node.run(main, path=str(path))["rebuilt"] is True


def test_a_node_without_initramfs_gets_the_file_only(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nouveau_off, "images_of", lambda _kernel: [])
    result = node.run(main, path=str(tmp_path / "nouveau.conf"))
    assert (result["changed"], result["rebuilt"]) == (True, False)


@pytest.mark.usefixtures("image")
def test_check_mode_writes_nothing(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "nouveau.conf"
    result = node.run(main, check=True, path=str(path))
    assert (result["changed"], path.exists(), result["diff"]["after"]) == (True, False, TEXT)


@pytest.mark.usefixtures("image")
def test_a_full_disk_is_told_in_the_programs_words(node: Node, tmp_path: Path) -> None:
    said = "cp: error writing '/boot/x': No space left on device\n"
    node.answers("update-initramfs", (1, "", said))
    result = node.run(main, path=str(tmp_path / "nouveau.conf"))
    assert "Could not keep nouveau away: 'update-initramfs -u -k all' exited 1" in result["msg"]
    assert "No space left on device" in result["msg"]


@pytest.mark.usefixtures("image")
def test_a_node_without_a_program_for_it_is_told(node: Node, tmp_path: Path) -> None:
    result = node.run(main, path=str(tmp_path / "nouveau.conf"))
    assert "has neither update-initramfs nor dracut" in result["msg"]


@pytest.mark.parametrize(
    "name",
    [pytest.param("initrd.img-6.1", id="debian"), pytest.param("initramfs-6.1.img", id="el")],
)
def test_the_image_of_the_running_kernel_counts(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")
    assert images_of("6.1", str(tmp_path)) == [str(tmp_path / name)]
    assert images_of("6.9", str(tmp_path)) == []
