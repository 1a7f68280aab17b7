"""Claims about the ports of Ray and k3s on a node that both share."""

from __future__ import annotations

from itertools import combinations

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    CATALOGUE,
    K3S,
    K3S_HA,
    MANAGEMENT,
    MONITORING,
    RAY,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_shared import (
    K3S_OWN_ROWS,
    default_number,
)


def test_no_two_services_of_a_shared_node_have_one_port_by_default() -> None:
    groups = ("ray_head", "k3s_server", "monitoring")
    profiles = {RAY, K3S, K3S_HA, MONITORING, MANAGEMENT}
    # What the catalogue says of the node alone stands in K3S_OWN_ROWS once more.
    rows = [row for row in CATALOGUE if row.profile in profiles and row.clients != ("itself",)]
    spans = [
        (row.name, row.protocol, default_number(row, groups), row.end)
        for row in (*rows, *K3S_OWN_ROWS)
    ]
    doubled = [
        (one[0], other[0])
        for one, other in combinations(spans, 2)
        if one[1] == other[1] and one[2] <= other[3] and other[2] <= one[3]
    ]
    assert doubled == []
