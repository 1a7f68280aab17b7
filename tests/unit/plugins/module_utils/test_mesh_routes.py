"""Claims about the address that this machine takes towards others."""

from __future__ import annotations

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import Target
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_routes import (
    by_source,
    source_towards,
)


def test_the_kernel_says_which_address_it_takes() -> None:
    assert source_towards("127.0.0.1") == "127.0.0.1"


def test_there_is_no_way_to_what_is_no_host() -> None:
    assert source_towards("255.255.255.255") == ""


def test_targets_without_a_route_are_tried_with_the_others() -> None:
    here, nowhere = Target("here", "127.0.0.1"), Target("nowhere", "255.255.255.255")
    assert by_source([nowhere, here]) == {"127.0.0.1": (here, nowhere)}


def test_targets_without_any_route_are_tried_all_the_same() -> None:
    nowhere = Target("nowhere", "255.255.255.255")
    assert by_source([nowhere]) == {"127.0.0.1": (nowhere,)}
