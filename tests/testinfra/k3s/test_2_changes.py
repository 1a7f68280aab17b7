# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes restart, and what a user reads when k3s does not come up."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.testinfra.playbooks import provision

LABEL = "example.org/kind"


def running(nodes: list[Any]) -> list[str]:
    """Return the processes that run as k3s, by node."""
    return [
        node.check_output(f"systemctl show --property=MainPID --value {unit}")
        for node, unit in zip(nodes, ["k3s", "k3s-agent", "k3s-agent"], strict=True)
    ]


def only_on(host: str, value: dict[str, Any]) -> str:
    """Return a variable's text that holds on one host and is empty on the others."""
    return f"{{{{ {value!r} if inventory_hostname == '{host}' else {{}} }}}}"


@pytest.fixture
def as_before(inventory: Path) -> Iterator[None]:
    """What the test changes is put back by another run."""
    yield
    code, _said = provision(inventory)
    assert code == 0


def kinds(server: Any) -> dict[str, str]:
    """Return the label that the test below gives, by node."""
    rows = json.loads(server.check_output("k3s kubectl get nodes -o json"))["items"]
    labels = {row["metadata"]["name"]: row["metadata"]["labels"] for row in rows}
    return {name: mine[LABEL] for name, mine in labels.items() if LABEL in mine}


@pytest.mark.usefixtures("as_before")
def test_a_changed_setting_restarts_one_node_and_a_label_none(
    inventory: Path, nodes: list[Any]
) -> None:
    before = running(nodes)
    mine = only_on("mol-k3s-n2", {"kubelet-arg": ["max-pods=50"]})
    labels = only_on("mol-k3s-n3", {LABEL: "fast"})
    code, _said = provision(inventory, k3s_extra_config=mine, k3s_labels=labels)
    assert code == 0
    after = running(nodes)
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]
    assert kinds(nodes[0]) == {"mol-k3s-n3": "fast"}


def test_a_label_that_the_inventory_has_no_more_is_gone(nodes: list[Any]) -> None:
    """The fixture of the test above has run provision.yml without it."""
    assert kinds(nodes[0]) == {}


def test_a_key_of_another_variable_is_refused_with_its_name(
    inventory: Path, nodes: list[Any]
) -> None:
    before = running(nodes)
    code, said = provision(inventory, k3s_extra_config={"cluster-cidr": "10.9.0.0/16"})
    assert code != 0
    assert "k3s_cluster_cidr" in said
    assert running(nodes) == before


@pytest.mark.usefixtures("as_before")
def test_a_taken_port_is_named_with_its_holder(inventory: Path, nodes: list[Any]) -> None:
    server = nodes[0]
    server.check_output("systemctl stop k3s")
    listen = "/usr/bin/python3 -m http.server 6443"
    server.check_output(f"systemd-run --unit=taker {listen}")
    try:
        code, said = provision(inventory)
        assert code != 0
        assert "python3 listens on tcp 6443" in said
        assert "taker.service" in said
        assert "Traceback" not in said
    finally:
        server.check_output("systemctl stop taker")


def test_a_new_token_of_servers_restarts_no_agent(inventory: Path, nodes: list[Any]) -> None:
    before = running(nodes)
    kept = inventory.parent / "secrets" / inventory.parent.name / "k3s_server_token"
    new = secrets.token_hex(32)
    kept.write_text(f"{new}\n")
    code, said = provision(inventory)
    assert code == 0
    assert new not in said
    after = running(nodes)
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True, True]
    assert (
        nodes[0].check_output("cat /var/lib/rancher/k3s/server/token").endswith(f"::server:{new}")
    )
    nodes[0].check_output("k3s kubectl wait node --all --for=condition=Ready --timeout=60s")
