# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tokens with which nodes join are replaced."""

from __future__ import annotations

import base64
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.testinfra.k3s_maintenance.support import (
    LAB,
    NODES,
    K3s,
    killed_at,
    play,
    shims,
    unit_started,
)
from tests.testinfra.playbooks import changes
from tests.testinfra.ray_cluster import node_address

Tokens = dict[str, str]
USERS = {"server": "k3s_server_token", "node": "k3s_agent_token"}


def tokens(inventory: Path) -> Tokens:
    """Return the control node's tokens by the name of their user."""
    folder = inventory.parent / "secrets" / LAB
    return {user: (folder / name).read_text().strip() for user, name in USERS.items()}


def previous(inventory: Path) -> list[str]:
    """Return the tokens that lie beside the new ones."""
    return sorted(path.name for path in (inventory.parent / "secrets" / LAB).glob("*.previous"))


def shown(nodes: list[Any]) -> list[str]:
    """Return what each node joins with."""
    return [
        node.check_output("cat /etc/rancher/k3s/token").rpartition("::")[2].rpartition(":")[2]
        for node in nodes
    ]


def answer(server: Any, user: str, password: str) -> int:
    """Return the status with which the server answers somebody who wants to join."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    request = urllib.request.Request(
        f"https://{node_address(server)}:6443/v1-k3s/config",
        headers={"Authorization": f"Basic {login}"},
    )
    try:
        with opener.open(request, timeout=30) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code


def are_there(inventory: Path, k3s: K3s, nodes: list[Any], new: Tokens, old: Tokens) -> None:
    """Have the new tokens open the door, the old ones closed, and every node Ready."""
    assert shown(nodes) == [new["server"], new["node"], new["node"]]
    assert {user: answer(nodes[0], user, new[user]) for user in USERS} == {
        "server": 200,
        "node": 200,
    }
    refused = {user: answer(nodes[0], user, old[user]) for user in USERS}
    assert set(refused.values()) <= {401, 403}, refused
    assert previous(inventory) == []
    assert k3s.ready() == list(NODES)


def test_every_node_gets_the_new_tokens_and_agents_run_on(
    inventory: Path, k3s: K3s, nodes: list[Any]
) -> None:
    old = tokens(inventory)
    assert {user: answer(nodes[0], user, old[user]) for user in USERS} == {
        "server": 200,
        "node": 200,
    }
    began = [unit_started(node, "k3s-agent") for node in nodes[1:]]
    pods = [shims(node) for node in nodes[:1]]
    code, said = play(inventory, "rotate_k3s_tokens.yml")
    assert code == 0
    new = tokens(inventory)
    assert set(new.values()).isdisjoint(old.values())
    assert [token for token in (*old.values(), *new.values()) if token in said] == []
    are_there(inventory, k3s, nodes, new, old)
    assert [unit_started(node, "k3s-agent") for node in nodes[1:]] == began
    assert [shims(node) for node in nodes[:1]] == pods


def test_an_agent_with_the_old_token_does_not_come_in(k3s: K3s, nodes: list[Any]) -> None:
    agent, file = nodes[2], "/etc/rancher/k3s/token"
    agent.check_output(f"cp -p {file} /run/token && systemctl stop k3s-agent")
    try:
        # The hash of the cluster's CA stays, the password is another one.
        agent.check_output(f"sed -i 's/:[^:]*$/:{'0' * 64}/' {file}")
        agent.check_output("systemctl start --no-block k3s-agent && sleep 8")
        assert agent.run("systemctl is-active k3s-agent").stdout.strip() == "activating"
        assert "401 Unauthorized (not authorized)" in agent.check_output(
            "journalctl --unit k3s-agent --no-pager --output=cat --lines=20"
        )
    finally:
        agent.check_output(f"mv /run/token {file} && systemctl restart k3s-agent")
    assert k3s.ready() == list(NODES)


@pytest.mark.parametrize(
    "task",
    [
        pytest.param("tokens | Deliver the token with which this node founds", id="made"),
        pytest.param("service | Run k3s with what was just laid down", id="delivered"),
        pytest.param("kubeconfig | Keep the administrator", id="replaced"),
    ],
)
def test_a_run_that_is_killed_is_finished_by_the_same_command(
    inventory: Path, k3s: K3s, nodes: list[Any], task: str
) -> None:
    old = tokens(inventory)
    assert killed_at(inventory, "rotate_k3s_tokens.yml", task) == -9
    assert previous(inventory) == ["k3s_agent_token.previous", "k3s_server_token.previous"]
    made = tokens(inventory)
    assert play(inventory, "rotate_k3s_tokens.yml")[0] == 0
    assert tokens(inventory) == made
    are_there(inventory, k3s, nodes, made, old)


def test_provision_finds_nothing_to_do_afterwards(inventory: Path) -> None:
    code, said = play(inventory, "provision.yml")
    assert (code, changes(said)) == (0, {})
