"""Claims about the filters that hand a k3s cluster's inventory to modules."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.filter import (
    k3s_expected_nodes,
    k3s_members,
)


def test_the_filters_are_found_under_their_names() -> None:
    hostvars: dict[str, Any] = {"Node_1": {"k3s_labels": {"a": "b"}}}
    members = k3s_members.FilterModule().filters()["k3s_members"]
    expected = k3s_expected_nodes.FilterModule().filters()["k3s_expected_nodes"]
    assert members(hostvars, ["Node_1"]) == [{"name": "node-1", "labels": {"a": "b"}, "taints": []}]
    assert expected(hostvars, ["Node_1"], [], "v1.33.5+k3s1") == [
        {
            "name": "node-1",
            "host": "Node_1",
            "kind": "server",
            "version": "v1.33.5+k3s1",
            "address": "",
        }
    ]


def test_a_variable_of_another_form_names_its_host() -> None:
    with pytest.raises(AnsibleFilterError, match="gpu1: k3s_taints is 7, expected a list such as"):
        k3s_members.k3s_members({"gpu1": {"k3s_taints": 7}}, ["gpu1"])
