"""Claims about the list of ports itself; that it agrees with the roles is a contract test."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    CATALOGUE,
    port_named,
)

# The Neutree static node cluster document: from, to, ports.
DOCUMENT = {
    ("control node", "every node"): {(54311, 54311), (44217, 44217), (44227, 44227)},
    ("every node", "every node"): {(10002, 20000), (8077, 8077), (8076, 8076), (56999, 56999)},
    ("ray_head", "every node"): {(52365, 52365), (8078, 8078)},
    ("control node", "ray_head"): {(8265, 8265), (8079, 8079), (8000, 8000)},
    ("ray_worker", "ray_head"): {(6379, 6379)},
    ("developers", "ray_head"): {(10001, 10001)},
}


@pytest.mark.parametrize(("client", "server"), DOCUMENT)
def test_the_catalogue_says_what_the_document_says(client: str, server: str) -> None:
    rows = {
        (row.number, row.end) for row in CATALOGUE if row.role == server and client in row.clients
    }
    assert rows == DOCUMENT[client, server]


def test_rows_are_found_by_name() -> None:
    assert port_named("ray-gcs").number == 6379
    with pytest.raises(KeyError, match="ray-nothing"):
        port_named("ray-nothing")
