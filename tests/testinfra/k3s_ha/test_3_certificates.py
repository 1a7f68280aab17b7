# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several servers get other certificates one after the other, while the cluster goes on."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.testinfra.playbooks import changes, ended, provision, start

SERVERS = [f"mol-k3s-ha-n{number}" for number in (1, 2, 3)]
NODES = [*SERVERS, "mol-k3s-ha-n4"]
TLS = "/var/lib/rancher/k3s/server/tls"
_AWAY = re.compile(r"([\w-]+) has new certificates; .*? Its k3s was away for \d+\.\d s")
_STOPPED = re.compile(r"([\w-]+): k3s(?:-agent)?\.service is (?:inactive|failed), expected active")


def certificates(nodes: list[Any]) -> list[str]:
    """Return the certificate with which each server answers."""
    command = f"openssl x509 -noout -fingerprint -sha256 -in {TLS}/serving-kube-apiserver.crt"
    return [node.check_output(command) for node in nodes[:3]]


def shown(nodes: list[Any]) -> list[str]:
    """Return the certificate that each server shows to who asks it."""
    command = (
        "openssl s_client -connect 127.0.0.1:6443 </dev/null 2>/dev/null"
        " | openssl x509 -noout -fingerprint -sha256"
    )
    return [node.check_output(command) for node in nodes[:3]]


def authorities(nodes: list[Any]) -> list[str]:
    """Return what all certificates of each server are signed with."""
    return [node.check_output(f"sha256sum {TLS}/*-ca.crt {TLS}/*-ca.key") for node in nodes[:3]]


def turn(node: Any) -> tuple[int, int]:
    """Return when a server's k3s ended last and when it was up again, on the machine's clock."""
    command = "systemctl show --value k3s --property={}EnterTimestampMonotonic"
    return int(node.check_output(command.format("Inactive"))), int(
        node.check_output(command.format("Active"))
    )


def ready(node: Any) -> list[str]:
    """Return the nodes that are Ready, as a server says."""
    rows = json.loads(node.check_output("k3s kubectl get nodes -o json"))["items"]
    return sorted(
        row["metadata"]["name"]
        for row in rows
        for condition in row["status"]["conditions"]
        if (condition["type"], condition["status"]) == ("Ready", "True")
    )


@pytest.fixture(scope="module")
def rotated(inventory: Path, nodes: list[Any]) -> dict[str, Any]:
    """Return what was there before, and what the run said."""
    before = {"certificates": certificates(nodes), "authorities": authorities(nodes)}
    code, said = ended(start(inventory, "rotate_k3s_certificates.yml"))
    assert code == 0
    return {**before, "said": " ".join(said.split())}


def test_every_server_answers_with_a_new_certificate_of_the_same_authority(
    rotated: dict[str, Any], nodes: list[Any]
) -> None:
    assert set(certificates(nodes)).isdisjoint(rotated["certificates"])
    assert shown(nodes) == certificates(nodes)
    assert authorities(nodes) == rotated["authorities"]


def test_no_server_goes_away_before_the_one_before_it_is_back(
    rotated: dict[str, Any], nodes: list[Any]
) -> None:
    assert _AWAY.findall(rotated["said"]) == NODES
    assert "so was the API" not in rotated["said"]
    turns = [turn(node) for node in nodes[:3]]
    assert all(ended < up for ended, up in turns), turns
    assert all(up < next_ended for (_, up), (next_ended, _) in pairwise(turns)), turns


def test_all_are_members_and_the_next_run_of_provision_changes_nothing(
    rotated: dict[str, Any], inventory: Path, nodes: list[Any]
) -> None:
    assert rotated["said"]
    assert ready(nodes[2]) == NODES
    code, said = provision(inventory)
    assert (code, changes(said)) == (0, {})


def test_a_run_that_was_cut_off_at_the_second_server_is_made_good_by_the_same_command(
    inventory: Path, nodes: list[Any]
) -> None:
    before = certificates(nodes)
    # What a run leaves that was cut off within the second server's turn.
    nodes[1].check_output("systemctl stop k3s")
    code, said = ended(start(inventory, "rotate_k3s_certificates.yml"))
    assert code == 0
    told = " ".join(said.split())
    assert _STOPPED.findall(told) == [SERVERS[1]]
    assert _AWAY.findall(told) == NODES
    assert set(certificates(nodes)).isdisjoint(before)
    assert shown(nodes) == certificates(nodes)
    assert ready(nodes[0]) == NODES
