# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that are off, that freeze, and that are not who they were."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests import lab
from tests.testinfra.lifecycle.support import Cluster, Played, Running, quiet, wait_for
from tests.testinfra.lifecycle.test_3_use import alive

FREEZE_BEFORE = "hosts | Let members of the cluster find each other by name"


@dataclass(frozen=True)
class Absence:
    """What was seen while node2 was off."""

    text: Played
    status: dict[str, Any]
    provision: Played


@pytest.fixture(scope="module")
def absence(cluster: Cluster) -> Absence:
    """Switch node2 off, look, provision the others, switch it on again."""
    file = cluster.directory / "scratch" / "node2-off.json"
    with cluster.powered_off("node2"):
        text = cluster.play("status.yml", "-e", f"status_file={file}")
        provision = cluster.play("provision.yml")
    return Absence(text, json.loads(file.read_text()), provision)


def test_status_says_which_node_is_off(absence: Absence) -> None:
    assert absence.text.rc == 4
    assert absence.text.lost == {"node2"}
    assert "Cluster mol-lifecycle: Failed, degraded" in absence.text.output
    assert "Ray cluster mol-lifecycle: degraded, 2 of 3 nodes alive" in absence.text.output
    assert "  node2: node2 could not be reached at" in absence.text.output
    states = {node["name"]: node["state"] for node in absence.status["ray"]["nodes"]}
    assert states == {"node1": "alive", "node2": "unreachable", "node3": "alive"}
    assert (absence.status["state"], absence.status["health"]) == ("Failed", "degraded")


def test_provision_goes_on_without_the_node_that_is_off(absence: Absence) -> None:
    assert absence.provision.rc == 4
    assert absence.provision.lost == {"node2"}
    assert "node2 could not be reached at" in absence.provision.prose
    assert absence.provision.changed == {"node1": 0, "node2": 0, "node3": 0}


def test_a_node_that_is_on_again_is_provisioned_with_the_others(
    cluster: Cluster, absence: Absence
) -> None:
    assert absence.provision.rc == 4
    assert cluster.play("provision.yml").rc == 0
    assert sorted(alive(cluster)) == [cluster.address(name) for name in cluster.names]
    again = cluster.play("provision.yml")
    assert quiet(again, cluster.names), again.recap


def test_a_node_that_freezes_does_not_hold_the_others_up(cluster: Cluster) -> None:
    def freeze(task: str, _run: Running) -> None:
        if task.endswith(FREEZE_BEFORE):
            lab.pause("node3", lab=cluster.lab)

    try:
        frozen = cluster.start("provision.yml", on_task=freeze).finish(seconds=240)
    finally:
        lab.unpause("node3", lab=cluster.lab)
    assert frozen.rc == 4
    assert "node3]: UNREACHABLE!" in frozen.output
    assert frozen.lost == {"node3"}
    assert frozen.recap["node2"]["ok"] > frozen.recap["node3"]["ok"]
    wait_for(
        "node3 ALIVE again by itself", 180, lambda: alive(cluster).get(cluster.address("node3"))
    )


@contextmanager
def other_host_keys(cluster: Cluster, node: str) -> Iterator[None]:
    """Let a node show other SSH host keys, as one that was installed anew does."""
    cluster.run(
        node,
        "mkdir /run/keys && mv /etc/ssh/ssh_host_* /run/keys/"
        " && ssh-keygen -q -A && systemctl restart ssh",
    )
    try:
        yield
    finally:
        cluster.run(
            node,
            "rm /etc/ssh/ssh_host_* && cp -p /run/keys/* /etc/ssh/"
            " && rm -r /run/keys && systemctl restart ssh",
        )


def test_a_changed_host_key_stops_the_run_for_that_host(cluster: Cluster) -> None:
    logins = "journalctl --unit ssh --output cat | grep -c 'Accepted publickey' || true"
    # An open connection is not checked again, so this run opens its own.
    with other_host_keys(cluster, "node2"), tempfile.TemporaryDirectory(prefix="cp") as sockets:
        before = cluster.run("node2", logins)
        stopped = cluster.play("provision.yml", env={"ANSIBLE_SSH_CONTROL_PATH_DIR": sockets})
        assert cluster.run("node2", logins) == before
    assert stopped.rc == 4
    name = f"[{cluster.management_address('node2')}]:2222"
    assert f"The SSH host key of {name} is not the one on record" in stopped.prose
    assert f"ssh-keygen -R '{name}' -f " in stopped.prose
    assert stopped.lost == {"node2"}
