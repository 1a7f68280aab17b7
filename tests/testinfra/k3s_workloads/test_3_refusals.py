# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight refuses before the first change, and an agent whose token is another."""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.testinfra.playbooks import ended, provision, start
from tests.testinfra.ray_cluster import until

WEAK = "kurz-0815"
#: An address of the lab's networks that no node has: nodes are .11 and following.
NOBODY = 250
PARTS = ("host", "variable", "message", "seen", "expected", "fix")


@dataclass(frozen=True)
class Refusal:
    """How a run of preflight.yml ended, and what it wrote down."""

    code: int
    said: str
    document: dict[str, Any]

    @property
    def errors(self) -> dict[str, dict[str, str]]:
        """Return the errors by their codes; a code that there is twice fails."""
        rows = [row for row in self.document["findings"] if row["severity"] == "error"]
        codes = [row["code"] for row in rows]
        assert len(codes) == len(set(codes)), codes
        return {row["code"]: {part: row[part] for part in PARTS} for row in rows}


def preflight(inventory: Path, folder: Path, **variables: Any) -> Refusal:
    """Return what preflight.yml found; ports are not tried."""
    told = {"preflight_ports": "off", "preflight_report_dir": str(folder), **variables}
    code, said = ended(start(inventory, "preflight.yml", "-e", json.dumps(told)))
    return Refusal(code, said, json.loads((folder / "preflight.json").read_text()))


def line_of(inventory: Path, node: Any) -> str:
    """Return a node's line of the lab's inventory, without its end."""
    found = re.search(rf"^{node.backend.host} .*$", inventory.read_text(), re.MULTILINE)
    assert found, f"{inventory}: no line of {node.backend.host}"
    return found[0]


def state(nodes: list[Any]) -> list[str]:
    """Return what a change of k3s would show on each node: its files, and its process."""
    files = (
        "find /etc/rancher /etc/systemd/system /usr/local/bin -type f -exec sha256sum {} + | sort"
    )
    process = "systemctl show --property=MainPID --property=ActiveState k3s k3s-agent"
    return [node.check_output(f"{files}; {process}") for node in nodes]


def management_network(node: Any) -> ipaddress.IPv4Network:
    """Return the subnet of the management network, to which each node has a route."""
    words = node.check_output("ip -4 -oneline address show eth0").split()
    return ipaddress.IPv4Interface(words[3]).network


@pytest.fixture
def two_servers_and_a_stranger(inventory: Path, nodes: list[Any], tmp_path: Path) -> Path:
    """An inventory whose second node is a server too, with an agent that nobody is."""
    text = inventory.read_text()
    lines = [line_of(inventory, node) for node in nodes[:2]]
    for line in lines:
        text = text.replace(f"{line}\n", "")
    nobody = management_network(nodes[0]).network_address + NOBODY
    agent = f"nobody ansible_host={nobody} my_iface=eth1"
    text = text.replace("[k3s_server]\n", "\n".join(["[k3s_server]", *lines, ""]))
    text = text.replace("[k3s_agent]\n", f"[k3s_agent]\n{agent}\n")
    file = tmp_path / "inventory.ini"
    file.write_text(text)
    return file


def test_taken_networks_and_weak_tokens_are_refused_with_one_error_each(
    inventory: Path, nodes: list[Any], tmp_path: Path
) -> None:
    taken = management_network(nodes[0])
    before = state(nodes)
    pods = str(taken.supernet(new_prefix=16))
    found = preflight(inventory, tmp_path, k3s_cluster_cidr=pods, k3s_token=WEAK)
    assert found.code != 0
    assert "Traceback" not in found.said
    assert sorted(found.errors) == ["k3s-network-overlap", "k3s-token-weak"]
    network, token = (found.errors[code] for code in sorted(found.errors))
    assert (network["host"], network["variable"]) == ("all hosts", "k3s_cluster_cidr")
    assert pods in network["message"]
    assert str(taken) in network["seen"]
    assert network["expected"].startswith("a network apart from it")
    assert re.fullmatch(r"k3s_cluster_cidr=10\.\d+\.0\.0/16", network["fix"])
    assert (token["host"], token["variable"]) == ("inventory", "k3s_token")
    assert token["seen"] == "9 characters"
    assert "16 characters or more" in token["expected"]
    assert token["fix"].startswith("remove k3s_token: ")
    assert WEAK not in found.said + json.dumps(found.document)
    assert state(nodes) == before


def test_an_even_number_of_servers_and_a_node_that_does_not_answer_are_refused(
    two_servers_and_a_stranger: Path, nodes: list[Any], tmp_path: Path
) -> None:
    before = state(nodes)
    found = preflight(two_servers_and_a_stranger, tmp_path)
    first, second = (str(node.backend.host) for node in nodes[:2])
    nobody = management_network(nodes[0]).network_address + NOBODY
    assert found.code != 0
    assert "Traceback" not in found.said
    assert sorted(found.errors) == ["k3s-server-even", "unreachable"]
    even, away = (found.errors[code] for code in sorted(found.errors))
    assert even["seen"] == f"k3s_server: {first} and {second}"
    assert even["expected"] == "one host in k3s_server, or an odd number from three"
    assert even["fix"] == f"leave 1 in [k3s_server] and move {second} to [k3s_agent]"
    assert away["host"] == "nobody"
    assert away["message"] == f"nobody could not be reached at {nobody}."
    assert str(nobody) in away["seen"]
    assert away["expected"].startswith("a node that is on, ")
    assert away["fix"].startswith("ssh ")
    assert str(nobody) in away["fix"]
    assert state(nodes) == before


def test_an_agent_whose_token_is_wrong_joins_again_by_the_next_run(
    inventory: Path, nodes: list[Any]
) -> None:
    server, agent = nodes[:2]
    token, unit = "/etc/rancher/k3s/token", "k3s-agent"
    right = agent.check_output(f"sha256sum {token}")
    agent.check_output(f"sed -i 's/::node:.*/::node:{'f' * 64}/' {token}")
    assert agent.check_output(f"sha256sum {token}") != right
    # k3s tries again for ever, and so would a restart that waits for it.
    agent.check_output(f"systemctl --no-block restart {unit}")
    log = f"journalctl --no-pager --unit={unit} _SYSTEMD_INVOCATION_ID="
    invocation = f"$(systemctl show --property=InvocationID --value {unit})"
    refused = f"{log}{invocation} | grep -iE 'token|password|unauthorized'"
    until(lambda: agent.run(refused).stdout, "the log says that the token was refused")
    assert not agent.service(unit).is_running
    code, said = provision(inventory)
    assert code == 0
    assert "f" * 64 not in said
    assert agent.check_output(f"sha256sum {token}") == right
    assert agent.service(unit).is_running
    name = agent.backend.host
    server.check_output(f"k3s kubectl wait node {name} --for=condition=Ready --timeout=60s")
