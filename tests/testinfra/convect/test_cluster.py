# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the cluster that the ConvectHub document's sample inventory becomes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests import lab
from tests.lab.paths import state_of
from tests.testinfra.convect_desk import MAPPING, SAMPLE, folder_of

LAB = "mol-convect"
MASTER, WORKER1, WORKER2 = (f"{LAB}-n{number}" for number in (1, 2, 3))
NAMES = {MASTER: "master", WORKER1: "worker1", WORKER2: "worker2"}


def out(node: str, *argv: str) -> str:
    """Return what a command prints on a node; it must end well."""
    done = lab.exec(node, list(argv))
    assert done.ok, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def members() -> dict[str, Any]:
    """The nodes as the API tells them, by name."""
    document = json.loads(out(MASTER, "k3s", "kubectl", "get", "nodes", "-o", "json"))
    return {item["metadata"]["name"]: item for item in document["items"]}


def test_the_inventory_is_the_documents_to_the_letter() -> None:
    used = folder_of(state_of(LAB)) / "inv.toml"
    assert used.read_bytes() == SAMPLE.read_bytes()
    assert MAPPING.is_file()


def test_every_machine_of_the_document_is_ready(members: dict[str, Any]) -> None:
    ready = {
        name: condition["status"]
        for name, item in members.items()
        for condition in item["status"]["conditions"]
        if condition["type"] == "Ready"
    }
    assert ready == {"master": "True", "worker1": "True", "worker2": "True"}


def test_the_driver_is_the_server_and_workers_are_agents(members: dict[str, Any]) -> None:
    mark = "node-role.kubernetes.io/control-plane"
    servers = [name for name, item in members.items() if mark in item["metadata"]["labels"]]
    assert servers == ["master"]


@pytest.mark.parametrize("node", [MASTER, WORKER1, WORKER2])
def test_nodes_talk_over_my_iface_whatever_the_way_of_ssh_is(
    node: str, members: dict[str, Any]
) -> None:
    links = json.loads(out(node, "ip", "-json", "-4", "addr", "show", "dev", "eth1"))
    told = [
        each["address"]
        for each in members[NAMES[node]]["status"]["addresses"]
        if each["type"] == "InternalIP"
    ]
    assert told == [links[0]["addr_info"][0]["local"]]


def test_gpus_are_offered_where_the_host_says_has_gpu(members: dict[str, Any]) -> None:
    offered = {
        name: item["status"]["allocatable"].get("nvidia.com/gpu", "0")
        for name, item in members.items()
    }
    assert offered == {"master": "0", "worker1": "0", "worker2": "2"}


@pytest.mark.parametrize("node", [MASTER, WORKER1, WORKER2])
def test_the_documents_token_is_used_nowhere(node: str) -> None:
    found = lab.exec(node, ["grep", "-rlF", "k3s_hub_token", "/etc/rancher", "/etc/systemd/system"])
    assert found.stdout == ""


@pytest.mark.parametrize("node", [MASTER, WORKER1, WORKER2])
def test_nobody_but_root_reads_what_k3s_is_started_from(node: str) -> None:
    wide = out(node, "find", "/etc/rancher/k3s", "-type", "f", "-perm", "/077")
    assert wide == ""


@pytest.mark.parametrize("node", [MASTER, WORKER1, WORKER2])
def test_nothing_lies_where_others_can_write(node: str) -> None:
    assert not lab.exec(node, ["test", "-e", "/tmp/convecthub"]).ok
