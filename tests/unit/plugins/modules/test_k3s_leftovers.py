# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the k3s_leftovers module, with a folder in place of the node."""

from __future__ import annotations

import os
import stat
from contextlib import nullcontext
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    k3s_leftovers_node,
    ledger_store,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_leftovers import (
    LEAVING,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import (
    Declaration,
    DirectoryState,
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
    # reset.yml or remove_node.yml: the module cannot know.
    assert "run the same command again, which goes on" in result["msg"]
    assert "reset.yml" not in result["msg"]


@pytest.mark.usefixtures("root")
def test_an_interface_that_does_not_go_is_told(node: Node) -> None:
    recorded()
    node.answers("systemctl show --property=Id", (0, IDLE, ""))
    node.answers(f"{BOUND} ip link delete", (2, "", "RTNETLINK answers: Operation not permitted"))
    result = node.run(main)
    assert "interface flannel.1 is left" in result["msg"]
    assert "Operation not permitted" in result["msg"]


RESTART = "systemctl show --property=Restart"


def test_a_server_that_leaves_is_not_started_again(node: Node, root: Path) -> None:
    recorded()
    node.answers(RESTART, (0, "always\n", ""), (0, "no\n", ""))
    node.answers("systemctl daemon-reload", (0, "", ""))
    first = node.run(main, state="leaving")
    assert (root / LEAVING.lstrip("/")).read_text().endswith("\n[Service]\nRestart=no\n")
    assert (first["changed"], len(first["actions"])) == (True, 1)
    assert changes(node) == ["systemctl daemon-reload"]


@pytest.mark.usefixtures("root")
def test_the_second_call_for_a_server_that_leaves_changes_nothing(node: Node) -> None:
    recorded()
    node.answers(RESTART, (0, "no\n", ""))
    node.answers("systemctl daemon-reload", (0, "", ""))
    node.run(main, state="leaving")
    node.calls.clear()
    assert node.run(main, state="leaving")["changed"] is False
    assert changes(node) == []


@pytest.mark.usefixtures("root")
def test_what_a_killed_call_wrote_still_gets_its_reload(node: Node) -> None:
    recorded()
    node.answers(RESTART, (0, "always\n", ""))
    node.answers("systemctl daemon-reload", (0, "", ""))
    node.run(main, state="leaving")
    node.calls.clear()
    assert node.run(main, state="leaving")["changed"] is True
    assert changes(node) == ["systemctl daemon-reload"]


def test_check_mode_writes_nothing_for_a_server_that_leaves(node: Node, root: Path) -> None:
    recorded()
    result = node.run(main, check=True, state="leaving")
    assert result["changed"] is True
    assert not (root / LEAVING.lstrip("/")).exists()
    assert changes(node) == []


@pytest.mark.usefixtures("root")
def test_a_k3s_of_the_owners_may_start_again(node: Node) -> None:
    recorded(units={"k3s.service": UnitState("loaded", "active", "enabled")})
    assert node.run(main, state="leaving")["changed"] is False
    assert node.calls == []


@pytest.mark.parametrize("owners", [False, True])
def test_what_kept_the_server_from_starting_goes_with_the_rest(
    node: Node, root: Path, owners: bool
) -> None:
    recorded()
    drop_in = root / LEAVING.lstrip("/")
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("[Service]\nRestart=no\n")
    if owners:
        (drop_in.parent / "owner.conf").write_text("[Service]\nNice=5\n")
    node.answers("systemctl show --property=Id", (0, IDLE, ""))
    node.answers(f"{BOUND} iptables-nft-save", (0, CLEAN, ""))
    node.answers("systemctl daemon-reload", (0, "", ""))
    (root / "sys/class/net/flannel.1").rmdir()
    assert node.run(main)["actions"] == [f"delete {LEAVING}"]
    assert not drop_in.exists()
    assert drop_in.parent.exists() is owners
    assert "systemctl daemon-reload" in node.calls


@pytest.mark.parametrize(
    ("kind", "stay"),
    [
        pytest.param("absent", ["notes", "used"], id="folder-came-with-k3s"),
        pytest.param("directory", ["ended", "notes", "used"], id="folder-was-there-before"),
    ],
)
def test_sockets_of_ended_shims_go_and_those_in_use_stay(
    node: Node, root: Path, kind: str, stay: list[str]
) -> None:
    folder = root / "run/containerd/s"
    folder.mkdir(parents=True)
    for name in ("ended", "used"):
        os.mknod(folder / name, stat.S_IFSOCK | 0o600)
    (folder / "notes").write_text("the owner's")
    (root / "proc/net").mkdir()
    (root / "proc/net/unix").write_text(
        "Num RefCount Protocol Flags Type St Inode Path\n"
        "0000: 00000002 00000000 00010000 0001 01 41 /run/containerd/s/used\n"
    )
    recorded(data={"/run/containerd/s": DirectoryState(kind)})
    node.answers("systemctl show --property=Id", (0, RUNS, ""), (0, IDLE, ""))
    node.answers(f"{BOUND} iptables-nft-save", (0, CLEAN, ""))
    node.answers("systemctl disable", (0, "", ""))
    node.answers("timeout --kill-after=5 120 systemctl stop", (0, "", ""))
    (root / "sys/class/net/flannel.1").rmdir()
    assert node.run(main)["changed"] is True
    assert sorted(path.name for path in folder.iterdir()) == stay
