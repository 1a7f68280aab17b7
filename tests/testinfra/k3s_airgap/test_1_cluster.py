# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster on nodes without a way out."""

from __future__ import annotations

import json
from typing import Any

import pytest

#: Documentation addresses (RFC 5737) stand for the world; nothing answers there in any network.
OUTSIDE = ("203.0.113.7", "192.0.2.7")
#: What a node without a way out says, by what it tried (python, errno).
NO_WAY = ("Network is unreachable", "No route to host", "timed out", "Host is unreachable")
TRY = (
    "python3 -c 'import socket; "
    's = socket.socket(); s.settimeout(3); s.connect(("{address}", {port}))\' 2>&1'
)


def kubectl(server: Any, *argv: str) -> dict[str, Any]:
    return dict(json.loads(server.check_output(f"k3s kubectl {' '.join(argv)} -o json")))


@pytest.fixture(scope="module")
def server(nodes: list[Any]) -> Any:
    return nodes[0]


@pytest.mark.parametrize("number", [0, 1], ids=["server", "agent"])
@pytest.mark.parametrize("address", OUTSIDE)
def test_nothing_outside_is_reached(nodes: list[Any], number: int, address: str) -> None:
    done = nodes[number].run(TRY.format(address=address, port=443))
    assert done.rc != 0
    assert any(text in done.stdout for text in NO_WAY), done.stdout


@pytest.mark.parametrize("number", [0, 1], ids=["server", "agent"])
def test_the_default_route_that_k3s_wants_leads_to_no_neighbour(
    nodes: list[Any], number: int
) -> None:
    """A documentation address as the gateway, and the worst metric: any other route wins."""
    routes = json.loads(nodes[number].check_output("ip -json -4 route show default"))
    assert [(row["gateway"], row["metric"]) for row in routes] == [("203.0.113.254", 4294967295)]


def test_every_node_is_ready(server: Any) -> None:
    rows = kubectl(server, "get", "nodes")["items"]
    ready = {
        row["metadata"]["name"]: condition["status"]
        for row in rows
        for condition in row["status"]["conditions"]
        if condition["type"] == "Ready"
    }
    assert ready == {"mol-k3s-airgap-n1": "True", "mol-k3s-airgap-n2": "True"}


@pytest.mark.parametrize("number", [0, 1], ids=["server", "agent"])
def test_images_came_from_the_archive(nodes: list[Any], number: int) -> None:
    seen = nodes[number].check_output("k3s crictl images")
    assert "rancher/mirrored-pause" in seen


def test_no_pod_waits_for_an_image(server: Any) -> None:
    waiting = [
        f"{pod['metadata']['name']}: {entry['state']['waiting']['reason']}"
        for pod in kubectl(server, "get", "pods", "--all-namespaces")["items"]
        for entry in pod["status"].get("containerStatuses", [])
        if "waiting" in entry["state"]
    ]
    assert waiting == []


def test_an_image_that_the_archive_lacks_is_not_had_from_elsewhere(server: Any) -> None:
    server.check_output("k3s kubectl run stray --image=example.org/stray:1 --restart=Never")
    try:
        said = server.check_output(
            "k3s kubectl wait pod/stray --timeout=60s "
            "--for=jsonpath='{.status.containerStatuses[0].state.waiting.reason}'=ImagePullBackOff"
        )
        assert "condition met" in said
    finally:
        server.check_output("k3s kubectl delete pod stray --wait=false")
