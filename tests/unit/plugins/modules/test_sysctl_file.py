"""Claims about the sysctl_file module, with a folder in place of /proc/sys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import sysctl_file
from ansible_collections.rackforge.gpu_cluster.plugins.modules.sysctl_file import main

from tests.unit.plugins.modules.conftest import Node

PORTS = "net.ipv4.ip_local_reserved_ports"


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kernel with three settings."""
    folder = tmp_path / "proc"
    folder.mkdir()
    monkeypatch.setattr(sysctl_file, "kernel_path", lambda key: str(folder / key))
    (folder / PORTS).write_text("22,8080\n")
    (folder / "net.ipv4.tcp_rmem").write_text("4096\t131072\t6291456\n")
    (folder / "net.ipv4.ip_forward").write_text("1\n")
    return folder


def test_port_lists_keep_what_the_owner_has(node: Node, kernel: Path, tmp_path: Path) -> None:
    path = tmp_path / "etc" / "60-rackforge.conf"
    arguments: dict[str, Any] = {"path": str(path), "port_lists": {PORTS: "6379,8076-8079"}}
    result = node.run(main, **arguments)
    assert (result["changed"], result["values"]) == (True, {PORTS: "22,6379,8076-8080"})
    assert (kernel / PORTS).read_text() == "22,6379,8076-8080"
    assert path.read_text() == (
        f"# Managed by rackforge.gpu_cluster\n{PORTS} = 22,6379,8076-8080\n"
    )
    assert node.run(main, **arguments)["changed"] is False


def test_values_are_compared_as_the_kernel_shows_them(
    node: Node, kernel: Path, tmp_path: Path
) -> None:
    values = {"net.ipv4.tcp_rmem": "4096  131072\t6291456", "net.ipv4.ip_forward": True}
    path = str(tmp_path / "x.conf")
    assert node.run(main, path=path, values=values)["values"] == {
        "net.ipv4.tcp_rmem": "4096 131072 6291456",
        "net.ipv4.ip_forward": "1",
    }
    assert (kernel / "net.ipv4.tcp_rmem").read_text() == "4096\t131072\t6291456\n"
    assert node.run(main, path=path, values=values)["changed"] is False


def test_a_kernel_that_lost_a_value_gets_it_back(node: Node, kernel: Path, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {
        "path": str(tmp_path / "x.conf"),
        "values": {"net.ipv4.ip_forward": 1},
    }
    node.run(main, **arguments)
    (kernel / "net.ipv4.ip_forward").write_text("0\n")
    assert node.run(main, **arguments)["changed"] is True
    assert (kernel / "net.ipv4.ip_forward").read_text() == "1"


def test_check_mode_predicts_and_writes_nothing(node: Node, kernel: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    result = node.run(main, check=True, path=str(path), values={"net.ipv4.ip_forward": 0})
    assert result["changed"] is True
    assert result["diff"]["before"] == "(kernel) net.ipv4.ip_forward = 1\n"
    assert not path.exists()
    assert (kernel / "net.ipv4.ip_forward").read_text() == "1\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            {"values": {"net.none/such": "1"}}, "Could not set net.none/such to 1: ", id="key"
        ),
        pytest.param(
            {"port_lists": {PORTS: "http"}},
            "saw 'http', expected a port or a range such as 7000-7010 in port_lists; nothing was"
            " changed",
            id="port",
        ),
    ],
)
def test_a_wrong_setting_is_explained(
    node: Node, kernel: Path, tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    result = node.run(main, path=str(tmp_path / "x.conf"), **arguments)
    assert result["failed"] is True
    assert message in result["msg"]
    assert (kernel / PORTS).read_text() == "22,8080\n"
