# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that stop in the middle of provision and of removal, and what the owner reads."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import lab
from tests.testinfra.playbooks import changes, ended, provision, start

LAB = "mol-k3s-ha"
FIRST, SECOND, THIRD, AGENT = (f"{LAB}-n{number}" for number in (1, 2, 3, 4))
#: Seconds that k3s has to come to rest after a power cut: 40 s until a node counts as gone.
SETTLE = 180


@pytest.fixture(autouse=True)
def _all_on(inventory: Path) -> Iterator[None]:
    """Have every node on again after a test, whatever it did."""
    assert inventory.is_file()
    yield
    for number in (1, 2, 3, 4):
        lab.power_on(f"node{number}", lab=LAB)


def reset(inventory: Path, node: str) -> subprocess.Popen[str]:
    return start(inventory, "reset.yml", "-e", "gpu_reset_confirmed=true", "--limit", node)


def wait_for(what: str, holds: Callable[[], bool], seconds: float = SETTLE) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"after {seconds} s: not {what}"
        threading.Event().wait(0.2)


def inside(number: int, command: str) -> tuple[int, str]:
    done = lab.exec(f"node{number}", ["sh", "-c", command], lab=LAB)
    return done.rc, done.stdout


def states(through: int, selector: str = "") -> dict[str, str]:
    command = f"k3s kubectl get nodes --request-timeout=10s {selector} -o json"
    code, said = inside(through, command)
    if code != 0:
        return {}
    return {
        row["metadata"]["name"]: condition["status"]
        for row in json.loads(said)["items"]
        for condition in row["status"]["conditions"]
        if condition["type"] == "Ready"
    }


def members(through: int) -> set[str]:
    return set(states(through, "--selector node-role.kubernetes.io/etcd=true"))


def whole(through: int = 1) -> bool:
    names = {FIRST, SECOND, THIRD, AGENT}
    return states(through) == dict.fromkeys(names, "True")


def test_with_a_server_down_another_may_not_leave(inventory: Path) -> None:
    lab.power_off("node2", lab=LAB)
    code, said = ended(reset(inventory, THIRD))
    assert code != 0
    assert "Traceback" not in said
    assert SECOND in said
    assert inside(3, "systemctl is-active k3s")[1].strip() == "active"
    lab.power_on("node2", lab=LAB)
    wait_for("all nodes Ready", whole)


def test_a_server_that_dies_while_it_is_removed_is_removed_by_the_next_run(
    inventory: Path,
) -> None:
    wait_for("all nodes Ready", whole)
    removal = reset(inventory, THIRD)
    # Evidence of the middle: its service stops, or its node is gone from the cluster.
    wait_for(
        "the removal has begun",
        lambda: inside(3, "systemctl is-active k3s")[0] != 0 or THIRD not in states(1),
    )
    lab.power_off("node3", lab=LAB)
    ended(removal)
    lab.power_on("node3", lab=LAB)
    code, _said = ended(reset(inventory, THIRD))
    assert code == 0
    wait_for("two members", lambda: members(1) == {FIRST, SECOND})
    secrets = inside(1, "k3s kubectl get secrets -n kube-system -o name")[1]
    assert f"{THIRD}.node-password.k3s" not in secrets
    assert inside(3, "test -e /var/lib/rancher/k3s")[0] != 0
    assert inside(1, "k3s kubectl get --raw /readyz") == (0, "ok")


def test_a_server_that_dies_while_it_joins_is_joined_by_the_next_run(inventory: Path) -> None:
    joining = start(inventory, "provision.yml")
    wait_for("the join has begun", lambda: inside(3, "test -d /var/lib/rancher/k3s/server")[0] == 0)
    lab.power_off("node3", lab=LAB)
    code, said = ended(joining)
    assert code != 0
    assert THIRD in said
    assert "Traceback" not in said
    # The servers that were there go on answering.
    wait_for("the API answers", lambda: inside(1, "k3s kubectl get --raw /readyz") == (0, "ok"))
    lab.power_on("node3", lab=LAB)
    code, _said = provision(inventory)
    assert code == 0
    wait_for("all nodes Ready", whole)
    assert members(2) == {FIRST, SECOND, THIRD}


def test_the_run_after_that_changes_nothing_and_restarts_nothing(inventory: Path) -> None:
    def processes() -> list[str]:
        units = {1: "k3s", 2: "k3s", 3: "k3s", 4: "k3s-agent"}
        return [inside(n, f"systemctl show -P MainPID {unit}")[1] for n, unit in units.items()]

    before = processes()
    code, said = provision(inventory)
    assert code == 0
    assert changes(said) == {}
    assert processes() == before


def test_what_was_deployed_survives_the_first_servers_death() -> None:
    made = "k3s kubectl create --validate=false -f -"
    manifest = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kept"}}'
    assert inside(1, f"echo '{manifest}' | {made}")[0] == 0
    lab.power_off("node1", lab=LAB)
    wait_for("another leads", lambda: inside(2, "k3s kubectl get --raw /readyz") == (0, "ok"))
    wait_for("it is there", lambda: inside(3, "k3s kubectl get configmap kept")[0] == 0)
    wait_for("the first counts as gone", lambda: states(2).get(FIRST) in ("Unknown", "False"))
    lab.power_on("node1", lab=LAB)
    wait_for("all nodes Ready", lambda: whole(2))
    assert inside(1, "k3s kubectl delete configmap kept")[0] == 0
