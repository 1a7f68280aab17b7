# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several servers get another version one after the other, while the cluster goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.lab.k3s import inputs
from tests.testinfra.playbooks import ended, start

NEW = "v1.34.1+k3s1"
UNITS = ("k3s", "k3s", "k3s", "k3s-agent")


def versions(server: Any) -> dict[str, str]:
    rows = json.loads(server.check_output("k3s kubectl get nodes -o json"))["items"]
    return {row["metadata"]["name"]: row["status"]["nodeInfo"]["kubeletVersion"] for row in rows}


def started(nodes: list[Any]) -> list[int]:
    """Return when each node's k3s began, in seconds of the machine that all nodes share."""
    command = 'date +%s --date="$(systemctl show --property=ExecMainStartTimestamp --value {})"'
    return [
        int(node.check_output(command.format(unit)))
        for node, unit in zip(nodes, UNITS, strict=True)
    ]


def test_servers_change_one_at_a_time_and_stay_members(inventory: Path, nodes: list[Any]) -> None:
    before = started(nodes)
    code, _said = ended(start(inventory, "k3s_upgrade.yml", "-e", json.dumps(inputs(NEW))))
    assert code == 0
    assert versions(nodes[1]) == {f"mol-k3s-ha-n{number}": NEW for number in (1, 2, 3, 4)}
    after = started(nodes)
    assert after == sorted(after)
    assert min(after) > max(before)
    closed = nodes[2].check_output("k3s kubectl get nodes -o json")
    assert [row for row in json.loads(closed)["items"] if row["spec"].get("unschedulable")] == []
    members = nodes[2].check_output(
        "k3s kubectl get nodes --selector node-role.kubernetes.io/etcd=true -o name"
    )
    assert len(members.split()) == 3
