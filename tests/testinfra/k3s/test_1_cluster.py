# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user finds who has run provision.yml."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.testinfra.ray_cluster import listeners, node_address

KINDS = ["server", "agent", "another-agent"]
SECRETS = "/etc/rancher/k3s/token /etc/rancher/k3s/config.yaml /etc/rancher/k3s/registries.yaml"
UNITS = ["k3s", "k3s-agent", "k3s-agent"]


@pytest.fixture(scope="module")
def server(nodes: list[Any]) -> Any:
    return nodes[0]


def tokens(inventory: Path) -> dict[str, str]:
    folder = inventory.parent / "secrets" / inventory.parent.name
    names = ("k3s_server_token", "k3s_agent_token")
    return {name: (folder / name).read_text().strip() for name in names}


def test_every_node_is_ready_at_its_node_address(server: Any, nodes: list[Any]) -> None:
    rows = json.loads(server.check_output("k3s kubectl get nodes -o json"))["items"]
    seen = {
        row["metadata"]["name"]: (
            next(c["status"] for c in row["status"]["conditions"] if c["type"] == "Ready"),
            next(a["address"] for a in row["status"]["addresses"] if a["type"] == "InternalIP"),
        )
        for row in rows
    }
    expected = {
        f"mol-k3s-n{number}": ("True", node_address(node))
        for number, node in enumerate(nodes, start=1)
    }
    assert seen == expected


@pytest.mark.parametrize("number", [0, 1, 2], ids=KINDS)
def test_unit_runs_and_comes_back_after_a_boot(nodes: list[Any], number: int) -> None:
    assert nodes[number].service(UNITS[number]).is_running
    assert nodes[number].service(UNITS[number]).is_enabled


@pytest.mark.parametrize("number", [0, 1, 2], ids=KINDS)
def test_secrets_are_for_root_only(nodes: list[Any], number: int) -> None:
    node = nodes[number]
    seen = node.check_output(f"stat -c '%a %U:%G' {SECRETS}").splitlines()
    assert seen == ["600 root:root"] * 3
    assert node.run("runuser -u ops -- cat /etc/rancher/k3s/token").rc != 0


@pytest.mark.parametrize("number", [0, 1, 2], ids=KINDS)
def test_no_process_and_no_log_shows_a_token(
    nodes: list[Any], inventory: Path, number: int
) -> None:
    node = nodes[number]
    seen = node.check_output("ps -ewwo args=") + node.check_output("journalctl --no-pager")
    assert [name for name, token in tokens(inventory).items() if token in seen] == []


def test_tokens_on_the_control_node_are_for_their_owner_only(inventory: Path) -> None:
    folder = inventory.parent / "secrets" / inventory.parent.name
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.glob("k3s_*_token")}
    assert modes == {"k3s_server_token": 0o600, "k3s_agent_token": 0o600}


@pytest.mark.parametrize("number", [1, 2], ids=KINDS[1:])
def test_an_agent_has_no_servers_token(nodes: list[Any], inventory: Path, number: int) -> None:
    seen = nodes[number].check_output("find /etc/rancher/k3s -type f -exec cat {} +")
    assert tokens(inventory)["k3s_server_token"] not in seen


@pytest.mark.parametrize("number", [1, 2], ids=KINDS[1:])
def test_an_agent_trusts_one_ca_only(nodes: list[Any], server: Any, number: int) -> None:
    ca = server.check_output("sha256sum /var/lib/rancher/k3s/server/tls/server-ca.crt").split()[0]
    token = nodes[number].check_output("cat /etc/rancher/k3s/token")
    assert token.startswith(f"K10{ca}::node:")


@pytest.mark.parametrize("path", ["/api/v1/nodes", "/api/v1/secrets"])
def test_the_api_refuses_a_stranger(server: Any, path: str) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    with pytest.raises(urllib.error.HTTPError) as refusal:
        opener.open(f"https://{node_address(server)}:6443{path}", timeout=30)
    with refusal.value as answer:
        assert answer.code in (401, 403)


@pytest.mark.parametrize("number", [1, 2], ids=KINDS[1:])
def test_an_agent_serves_no_api(nodes: list[Any], number: int) -> None:
    assert 6443 not in listeners(nodes[number])
