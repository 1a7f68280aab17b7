"""Claims about the nfs_exports module on real files, with faked systemctl and exportfs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import nfs_exports

RUNNING = (0, "ActiveState=active\nUnitFileState=enabled\n", "")
STOPPED = (0, "ActiveState=inactive\nUnitFileState=disabled\n", "")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node with a directory to export and a table of the server."""
    (tmp_path / "data").mkdir()
    (tmp_path / "etab").write_text("")
    monkeypatch.setattr(nfs_exports, "TABLE", str(tmp_path / "etab"))
    monkeypatch.setattr(nfs_exports, "FILESYSTEMS", str(tmp_path / "filesystems"))
    return tmp_path


def have(node: Any, server: Path, check: bool = False, path: str = "data") -> Any:
    exports = [{"path": str(server / path), "clients": ["10.1.0.0/24"]}]
    target = str(server / "exports.d" / "rackforge.exports")
    return node.run(nfs_exports.main, check=check, path=target, exports=exports)


def fresh_table(server: Path) -> None:
    """Say that the server read its files just now."""
    os.utime(server / "etab", ns=(1 << 62, 1 << 62))


def test_a_new_server_is_started_for_boot_too(node: Any, server: Path) -> None:
    node.answers("systemctl show", STOPPED)
    node.answers("systemctl enable", (0, "", ""))
    assert have(node, server)["actions"] == [
        f"write {server}/exports.d/rackforge.exports",
        "enable nfs-server.service",
        "start nfs-server.service",
    ]
    assert node.calls[-1] == "systemctl enable --now -- nfs-server.service"
    assert (server / "exports.d" / "rackforge.exports").read_text() == (
        f"# Managed by rackforge.gpu_cluster\n{server}/data 10.1.0.0/24(rw,sync,no_subtree_check)\n"
    )


def test_a_running_server_reads_what_is_new_and_then_nothing(node: Any, server: Path) -> None:
    node.answers("systemctl show", RUNNING)
    node.answers("exportfs -ra", (0, "", ""))
    assert have(node, server)["actions"][-1] == "export"
    fresh_table(server)
    node.calls.clear()
    assert have(node, server)["changed"] is False
    assert len(node.calls) == 1


def test_a_run_that_was_killed_before_the_export_is_made_good(node: Any, server: Path) -> None:
    node.answers("systemctl show", RUNNING)
    node.answers("exportfs -ra", (0, "", ""))
    have(node, server)
    os.utime(server / "etab", ns=(1, 1))
    assert have(node, server)["actions"] == ["export"]


def test_check_mode_writes_nothing(node: Any, server: Path) -> None:
    node.answers("systemctl show", STOPPED)
    assert have(node, server, check=True)["changed"] is True
    assert not (server / "exports.d" / "rackforge.exports").exists()
    assert len(node.calls) == 1


def test_a_kernel_without_nfs_leaves_the_node_as_it_was(node: Any, server: Path) -> None:
    node.answers("systemctl show", STOPPED)
    node.answers("systemctl", (0, "", ""))
    node.answers("systemctl enable", (1, "", "A dependency job for nfs-server.service failed."))
    result = have(node, server)
    assert result["msg"] == (
        "Could not offer what os_base_nfs_exports lists: 'systemctl enable --now -- "
        "nfs-server.service' exited 1: A dependency job for nfs-server.service failed.; this "
        "node's kernel has no NFS server, see 'modprobe nfsd'"
    )
    assert not (server / "exports.d" / "rackforge.exports").exists()
    assert "systemctl disable -- nfs-server.service" in node.calls
    assert "systemctl reset-failed -- nfs-server.service" in node.calls


def test_a_directory_that_is_missing_is_named(node: Any, server: Path) -> None:
    assert have(node, server, path="no")["msg"] == (
        f"Nothing was exported: {server}/no: is no directory on this node"
    )
    assert node.calls == []
