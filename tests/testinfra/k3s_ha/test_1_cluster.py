# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three servers and an agent, as provision.yml leaves them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.testinfra.ray_cluster import listeners, node_address

SERVERS = {f"mol-k3s-ha-n{number}" for number in (1, 2, 3)}
AGENT = "mol-k3s-ha-n4"
MEMBERS = "get nodes --selector node-role.kubernetes.io/etcd=true -o json"


def kubectl(node: Any, arguments: str) -> dict[str, Any]:
    return dict(json.loads(node.check_output(f"k3s kubectl {arguments}")))


def ready(answer: dict[str, Any]) -> set[str]:
    return {
        row["metadata"]["name"]
        for row in answer["items"]
        for condition in row["status"]["conditions"]
        if condition["type"] == "Ready" and condition["status"] == "True"
    }


@pytest.mark.parametrize("number", [0, 1, 2], ids=["first", "second", "third"])
def test_every_server_answers_for_the_whole_cluster(nodes: list[Any], number: int) -> None:
    assert ready(kubectl(nodes[number], "get nodes -o json")) == {*SERVERS, AGENT}
    assert nodes[number].check_output("k3s kubectl get --raw /readyz") == "ok"


def test_all_servers_are_members_and_the_agent_is_none(nodes: list[Any]) -> None:
    assert ready(kubectl(nodes[0], MEMBERS)) == SERVERS


@pytest.mark.parametrize("number", [0, 1, 2], ids=["first", "second", "third"])
def test_servers_talk_to_each_other_at_the_node_address(nodes: list[Any], number: int) -> None:
    assert listeners(nodes[number]).get(2380) == {node_address(nodes[number])}


@pytest.mark.parametrize("number", [1, 2], ids=["second", "third"])
def test_joined_servers_hold_the_secure_token(nodes: list[Any], number: int) -> None:
    token = nodes[number].check_output("cat /etc/rancher/k3s/token")
    assert token.startswith("K10")
    assert "::server:" in token


def test_the_agent_holds_no_server_token(nodes: list[Any]) -> None:
    first = nodes[0].check_output("cat /etc/rancher/k3s/token").rpartition(":")[2]
    found = nodes[3].run(f"grep --recursive --files-with-matches --fixed-strings '{first}' /etc")
    assert (found.rc, found.stdout) == (1, "")
