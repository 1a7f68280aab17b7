"""Claims about the selinux_mode module, with a file in place of SELinux's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import selinux_mode
from ansible_collections.rackforge.gpu_cluster.plugins.modules.selinux_mode import main

from tests.unit.plugins.modules.conftest import Node

ENFORCING = "# the owner's words\nSELINUX=enforcing\nSELINUXTYPE=targeted\n"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node that enforces."""
    path = tmp_path / "config"
    path.write_text(ENFORCING)
    monkeypatch.setattr(selinux_mode, "CONFIG", str(path))
    return path


def test_enforcing_node_becomes_permissive_now_and_later(node: Node, config: Path) -> None:
    node.answers("getenforce", (0, "Enforcing\n", ""), (0, "Permissive\n", ""))
    node.answers("setenforce 0", (0, "", ""))
    result = node.run(main, mode="permissive")
    assert (result["changed"], result["mode"]) == (True, "enforcing")
    assert result["reboot_required"] is False
    assert node.calls == ["getenforce", "setenforce 0"]
    assert config.read_text() == ENFORCING.replace("=enforcing", "=permissive")
    assert node.run(main, mode="permissive")["changed"] is False


def test_disabled_is_permissive_until_the_boot_that_is_asked_for(node: Node, config: Path) -> None:
    node.answers("getenforce", (0, "Enforcing\n", ""))
    node.answers("setenforce 0", (0, "", ""))
    result = node.run(main, mode="disabled")
    assert (result["changed"], result["reboot_required"]) == (True, True)
    assert "SELINUX=disabled\n" in config.read_text()


def test_check_mode_predicts_and_changes_nothing(node: Node, config: Path) -> None:
    node.answers("getenforce", (0, "Enforcing\n", ""))
    result = node.run(main, check=True, mode="permissive")
    assert result["changed"] is True
    assert result["diff"]["after"].endswith("SELINUXTYPE=targeted\n(kernel) Permissive\n")
    assert config.read_text() == ENFORCING
    assert node.calls == ["getenforce"]


def test_a_node_without_selinux_is_left_alone(node: Node, config: Path) -> None:
    config.unlink()
    result = node.run(main, mode="permissive")
    assert (result["changed"], result["skipped"]) == (False, "this node has no SELinux")
    assert node.calls == []


def test_a_kernel_that_refuses_is_explained_and_the_file_stays(node: Node, config: Path) -> None:
    node.answers("getenforce", (0, "Enforcing\n", ""))
    node.answers("setenforce 0", (1, "", "setenforce: security_setenforce() failed\n"))
    result = node.run(main, mode="permissive")
    assert result["msg"] == (
        "Could not set SELinux's mode: 'setenforce 0' exited 1: setenforce: security_setenforce()"
        " failed"
    )
    assert config.read_text() == ENFORCING
