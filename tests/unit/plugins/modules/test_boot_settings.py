"""Claims about the boot_settings module."""

from __future__ import annotations

from ansible_collections.rackforge.gpu_cluster.plugins.modules.boot_settings import main

from tests.unit.plugins.modules.conftest import Node

SHOW = """\
Id=network-online.target
Wants=NetworkManager-wait-online.service
LoadState=loaded

Id=NetworkManager-wait-online.service
LoadState=loaded
UnitFileState=enabled
FragmentPath=/usr/lib/systemd/system/NetworkManager-wait-online.service

Id=systemd-networkd-wait-online.service
LoadState=not-found
"""


def desktop(node: Node) -> None:
    """Let the node boot to a desktop and wait for NetworkManager."""
    node.answers("systemctl get-default", (0, "graphical.target\n", ""))
    node.answers("systemctl show", (0, SHOW, ""))


def test_target_and_services_are_changed(node: Node) -> None:
    desktop(node)
    node.answers("systemctl set-default", (0, "", ""))
    node.answers("systemctl mask", (0, "", ""))
    result = node.run(main)
    assert (result["changed"], result["done"]) == (
        True,
        ["default target multi-user.target", "NetworkManager-wait-online.service masked"],
    )
    assert node.calls[2:] == [
        "systemctl set-default multi-user.target",
        "systemctl mask NetworkManager-wait-online.service",
    ]


def test_check_mode_only_looks(node: Node) -> None:
    desktop(node)
    result = node.run(main, check=True)
    assert result["diff"] == {
        "before": "default target graphical.target\nNetworkManager-wait-online.service enabled\n",
        "after": "default target multi-user.target\nNetworkManager-wait-online.service masked\n",
    }
    assert [call.split()[1] for call in node.calls] == ["get-default", "show"]


def test_nothing_is_asked_about_what_is_off(node: Node) -> None:
    assert node.run(main, multi_user_target=False, wait_online_off=False)["changed"] is False
    assert node.calls == []


def test_a_failure_is_explained(node: Node) -> None:
    node.answers("systemctl get-default", (1, "", "Failed to connect to bus\n"))
    result = node.run(main)
    assert result["msg"] == (
        "Could not change how this node boots: 'systemctl get-default' exited 1: Failed to connect"
        " to bus"
    )
