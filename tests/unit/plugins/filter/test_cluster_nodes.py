"""Claims about the filter that names the nodes of a cluster."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.filter.cluster_nodes import cluster_nodes

GROUPS = {
    "all": ["n1", "n2", "n3", "n4", "mirror", "stranger"],
    "ray_worker": ["n2", "n1"],
    "ray_head": ["n1"],
    "k3s_agent": ["n3"],
    "monitoring": ["n4"],
    "registry": ["mirror"],
}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        pytest.param("all", ["n1", "n2", "n3", "n4"], id="all-but-registries-and-strangers"),
        pytest.param("ray", ["n1", "n2"], id="ray"),
        pytest.param("k3s", ["n3"], id="k3s-without-a-group-of-servers"),
    ],
)
def test_each_node_is_named_once_head_first(part: str, expected: list[str]) -> None:
    assert cluster_nodes(GROUPS, part) == expected


def test_an_inventory_without_our_groups_has_no_nodes() -> None:
    assert cluster_nodes({"all": ["n1"]}) == []


def test_a_part_that_there_is_not_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="saw the part 'docker', expected one of all, ray"):
        cluster_nodes(GROUPS, "docker")
