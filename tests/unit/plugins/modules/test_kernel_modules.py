"""Claims about the kernel_modules module, with a folder in place of /sys/module."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import kernel_modules
from ansible_collections.rackforge.gpu_cluster.plugins.modules.kernel_modules import main

from tests.unit.plugins.modules.conftest import Node


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The file's place, on a node with ib_core loaded and fuse in the kernel."""
    (tmp_path / "sys" / "ib_core").mkdir(parents=True)
    (tmp_path / "modules.builtin").write_text("kernel/fs/fuse/fuse.ko\n")
    monkeypatch.setattr(kernel_modules, "LOADED", str(tmp_path / "sys"))
    monkeypatch.setattr(kernel_modules, "BUILTIN", str(tmp_path / "modules.builtin"))
    return str(tmp_path / "modules-load.d" / "60-rackforge.conf")


def test_only_what_is_not_there_is_loaded(node: Node, path: str, tmp_path: Path) -> None:
    node.answers("modprobe", (0, "", ""))
    result = node.run(main, names=["ib_core", "fuse", "rdma_ucm"], path=path)
    assert (result["changed"], result["loaded"]) == (True, ["rdma_ucm"])
    assert node.calls == ["modprobe --dry-run --quiet rdma_ucm", "modprobe rdma_ucm"]
    assert Path(path).read_text() == (
        "# Managed by rackforge.gpu_cluster\nib_core\nfuse\nrdma_ucm\n"
    )
    (tmp_path / "sys" / "rdma_ucm").mkdir()
    assert node.run(main, names=["ib_core", "fuse", "rdma_ucm"], path=path)["changed"] is False


def test_a_module_that_was_unloaded_comes_back(node: Node, path: str) -> None:
    node.answers("modprobe", (0, "", ""))
    node.run(main, names=["rdma_ucm"], path=path)
    assert node.run(main, names=["rdma_ucm"], path=path)["loaded"] == ["rdma_ucm"]


def test_a_module_that_the_kernel_lacks_leaves_no_file(
    node: Node, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "uname", lambda: type("U", (), {"release": "6.8.0-45"}))
    node.answers("modprobe --dry-run --quiet rdma_ucm", (0, "", ""))
    node.answers("modprobe --dry-run --quiet no_such", (1, "", ""))
    result = node.run(main, names=["rdma_ucm", "no_such"], path=path)
    assert result["msg"] == (
        "Could not have the kernel's modules: os_base_kernel_modules has no_such, which kernel"
        " 6.8.0-45 of this node does not have; expected modules that 'modprobe --dry-run' finds (on"
        " Ubuntu, is linux-modules-extra-6.8.0-45 missing? after a new kernel, is a boot?). Nothing"
        " was changed"
    )
    assert not Path(path).exists()


def test_a_module_that_does_not_load_leaves_no_file(node: Node, path: str) -> None:
    node.answers("modprobe --dry-run", (0, "", ""))
    node.answers("modprobe rdma_ucm", (1, "", "modprobe: ERROR: could not insert 'rdma_ucm'\n"))
    result = node.run(main, names=["rdma_ucm"], path=path)
    assert "could not insert 'rdma_ucm'; see 'dmesg' on the node" in result["msg"]
    assert not Path(path).exists()


def test_a_node_without_modprobe_is_told_the_package(node: Node, path: str) -> None:
    result = node.run(main, names=["rdma_ucm"], path=path)
    assert "this node has no modprobe; expected the package kmod" in result["msg"]


def test_check_mode_predicts_and_loads_nothing(node: Node, path: str) -> None:
    node.answers("modprobe --dry-run", (0, "", ""))
    result = node.run(main, check=True, names=["rdma_ucm"], path=path)
    assert (result["changed"], result["loaded"]) == (True, ["rdma_ucm"])
    assert result["diff"]["after"].endswith("rdma_ucm\n(kernel) rdma_ucm loaded\n")
    assert not Path(path).exists()
