"""Claims about the netplan_optional module, with folders in place of netplan's."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import netplan_optional
from ansible_collections.rackforge.gpu_cluster.plugins.modules.netplan_optional import main

from tests.unit.plugins.modules.conftest import Node

GET = "network:\n  version: 2\n  ethernets:\n    eno1:\n      dhcp4: true\n    eno2: {}\n"
DROPIN = (
    "# Managed by rackforge.gpu_cluster\nnetwork:\n  version: 2\n  ethernets:\n"
    "    eno1:\n      optional: true\n"
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The drop-in's place, beside a file of the owner's."""
    folder = tmp_path / "netplan"
    folder.mkdir()
    (folder / "00-installer-config.yaml").write_text("network: {}\n")
    monkeypatch.setattr(netplan_optional, "FOLDERS", (str(folder),))
    return folder / "90-rackforge-optional.yaml"


def test_dropin_is_checked_in_a_copy_and_then_put_in_place(node: Node, path: Path) -> None:
    node.answers("netplan get", (0, GET, ""))
    node.answers("netplan generate", (0, "", ""))
    result = node.run(main, cluster_interface="eno2", path=str(path))
    assert (result["changed"], result["optional"]) == (True, ["eno1"])
    assert path.read_text() == DROPIN
    assert path.stat().st_mode & 0o777 == 0o600
    assert node.calls[1].startswith(f"netplan generate --root-dir={node.folder}/")
    assert node.calls[2] == "netplan generate"
    assert node.run(main, cluster_interface="eno2", path=str(path))["changed"] is False
    assert list(node.folder.iterdir()) == []


def test_a_configuration_that_netplan_refuses_leaves_everything(node: Node, path: Path) -> None:
    node.answers("netplan get", (0, GET, ""))
    node.answers("netplan generate --root-dir", (1, "", "Error in network definition\n"))
    result = node.run(main, cluster_interface="eno2", path=str(path))
    assert "exited 1: Error in network definition" in result["msg"]
    assert not path.exists()
    assert list(node.folder.iterdir()) == []


def test_check_mode_has_it_checked_and_writes_nothing(node: Node, path: Path) -> None:
    node.answers("netplan get", (0, GET, ""))
    node.answers("netplan generate --root-dir", (0, "", ""))
    result = node.run(main, check=True, cluster_interface="eno2", path=str(path))
    assert (result["changed"], result["diff"]["after"]) == (True, DROPIN)
    assert not path.exists()


def test_a_node_without_netplan_is_told_what_to_set(node: Node, path: Path) -> None:
    result = node.run(main, cluster_interface="eno2", path=str(path))
    assert result["msg"] == (
        "os_base_wait_online is optional, but this node has no netplan; expected Ubuntu's way to"
        " configure a network. Set os_base_wait_online to disable or keep"
    )
