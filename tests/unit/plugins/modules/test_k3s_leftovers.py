# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the k3s_leftovers module, with a folder in place of the node."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    k3s_leftovers_node,
    ledger_store,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import (
    Declaration,
    Ledger,
    NodeState,
    RoleRecord,
    UnitState,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_store import Store
from ansible_collections.rackforge.gpu_cluster.plugins.modules import k3s_leftovers
from ansible_collections.rackforge.gpu_cluster.plugins.modules.k3s_leftovers import main

from tests.unit.plugins.modules.conftest import Node

BOUND = "timeout --kill-after=5 30"
RUNS = "Id=k3s.service\nActiveState=active\nUnitFileState=enabled\n"
IDLE = "Id=k3s.service\nActiveState=inactive\nUnitFileState=disabled\n"
RULES = "*filter\n:FORWARD ACCEPT\n:KUBE-X -\n-A FORWARD -j KUBE-X\n-A FORWARD -j MINE\nCOMMIT\n"
CLEAN = "*filter\n:FORWARD ACCEPT\n-A FORWARD -j MINE\nCOMMIT\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, node: Node) -> Path:
    """A node on which k3s runs, with one of its interfaces and one of its rules."""
    root = tmp_path / "root"
    (root / "sys/class/net/flannel.1").mkdir(parents=True)
    (root / "proc").mkdir()
    made = k3s_leftovers_node.Node
    monkeypatch.setattr(
        k3s_leftovers, "Node", lambda command, before: made(command, before, str(root))
    )
    monkeypatch.setattr(k3s_leftovers, "alone_on_node", nullcontext)
    monkeypatch.setattr(ledger_store, "DIRECTORY", str(tmp_path / "ledger"))
    node.answers("systemctl show --property=Id", (0, RUNS, ""))
    node.answers("systemctl show --property=ControlGroup", (0, "/system.slice\n", ""))
    node.answers("ip", (0, "", ""))
    node.answers(f"{BOUND} ip", (0, "[]", ""))
    node.answers("iptables-nft-save", (0, "", ""))
    node.answers(f"{BOUND} iptables-nft-save", (0, RULES, ""))
    return root


def recorded(**before: object) -> None:
    """Write down how the node stood before k3s came."""
    record = RoleRecord("k3s", Declaration(), NodeState(interfaces=("lo",), **before))  # type: ignore[arg-type]
    Store().save(Ledger((record,)))


def changes(node: Node) -> list[str]:
    """Return the commands that change something."""
    reads = (" show", "-save", "list -name")
    return [call for call in node.calls if not any(word in call for word in reads)]


@pytest.mark.usefixtures("root")
def test_without_a_record_nothing_is_looked_at(node: Node) -> None:
    result = node.run(main)
    assert (result["changed"], result["ours"], result["actions"]) == (False, False, [])
    assert node.calls == []


@pytest.mark.usefixtures("root")
def test_a_k3s_that_was_there_before_is_left_alone(node: Node) -> None:
    recorded(units={"k3s.service": UnitState("loaded", "active", "enabled")})
    assert node.run(main)["ours"] is False
    assert node.calls == []


@pytest.mark.usefixtures("root")
def test_check_mode_lists_what_would_go_and_does_nothing(node: Node) -> None:
    recorded()
    result = node.run(main, check=True)
    assert result["actions"] == [
        "stop and disable unit k3s.service",
        "delete interface flannel.1",
        "take the rules of k3s out of iptables-nft",
    ]
    assert result["changed"] is True
    assert changes(node) == []


def test_everything_goes_and_the_rules_beside_stay(node: Node, root: Path) -> None:
    recorded()
    node.answers("systemctl show --property=Id", (0, RUNS, ""), (0, IDLE, ""))
    # Before anything goes, when the rules' turn comes, and when it is told what is left empty.
    node.answers(f"{BOUND} iptables-nft-save", *[(0, RULES, "")] * 2, (0, CLEAN, ""))
    node.answers("systemctl disable", (0, "", ""))
    node.answers("timeout --kill-after=5 120 systemctl stop", (0, "", ""))
    node.answers(f"{BOUND} iptables-nft-restore", (0, "", ""))
    (root / "sys/class/net/flannel.1").rmdir()
    result = node.run(main)
    assert result["changed"] is True
    assert f"{BOUND} iptables-nft-restore --noflush" in node.calls
    assert "timeout --kill-after=5 120 systemctl stop -- k3s.service" in node.calls


@pytest.mark.usefixtures("root")
def test_a_unit_that_does_not_stop_is_told(node: Node) -> None:
    recorded()
    node.answers("systemctl disable", (0, "", ""))
    node.answers("timeout --kill-after=5 120 systemctl stop", (124, "", ""))
    result = node.run(main)
    assert result["failed"] is True
    assert "k3s.service does not stop" in result["msg"]
    assert "journalctl --unit k3s.service" in result["msg"]


@pytest.mark.usefixtures("root")
def test_an_interface_that_does_not_go_is_told(node: Node) -> None:
    recorded()
    node.answers("systemctl show --property=Id", (0, IDLE, ""))
    node.answers(f"{BOUND} ip link delete", (2, "", "RTNETLINK answers: Operation not permitted"))
    result = node.run(main)
    assert "interface flannel.1 is left" in result["msg"]
    assert "Operation not permitted" in result["msg"]
