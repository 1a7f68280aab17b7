"""Claims about a k3s on a node that this collection did not install."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
    Probe,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check import (
    check_system,
)


def codes(group: str, installed: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return what is said of the k3s on one host of a group."""
    probe = Probe(reachable=True, sudo=True, facts={"system": {"installed": installed}})
    inventory = Inventory((Host("n1", frozenset({group}), probe=probe),), {})
    found = [each for each in check_system(inventory) if each.code == "k3s-foreign"]
    return [(each.severity.value, each.seen, each.fix.rpartition("-a ")[2]) for each in found]


@pytest.mark.parametrize(
    ("unit", "script"),
    [
        pytest.param("k3s", "k3s-uninstall.sh", id="server"),
        pytest.param("k3s-agent", "k3s-agent-uninstall.sh", id="agent"),
    ],
)
def test_a_k3s_of_the_owner_is_not_taken_over(unit: str, script: str) -> None:
    path = f"/etc/systemd/system/{unit}.service"
    assert codes("k3s_agent", {"k3s": True, "k3s_foreign": [path]}) == [
        ("error", path, f"/usr/local/bin/{script} n1")
    ]


@pytest.mark.parametrize(
    ("group", "installed"),
    [
        pytest.param("k3s_server", {"k3s": True, "k3s_foreign": []}, id="ours"),
        pytest.param("ray_head", {"k3s": True, "k3s_foreign": ["k3s.service"]}, id="gets-no-k3s"),
        pytest.param("k3s_server", {"k3s": True}, id="an-older-probe"),
        pytest.param("k3s_server", {}, id="not-known"),
    ],
)
def test_any_other_k3s_is_no_finding(group: str, installed: dict[str, Any]) -> None:
    assert codes(group, installed) == []
