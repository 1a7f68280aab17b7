"""The filter that hands scrape targets to the monitoring host."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.filter.monitoring_targets import (
    FilterModule,
)

GROUPS = {"ray_head": ["h"], "monitoring": ["h"], "all": ["h", "away"]}
HOSTVARS: dict[str, dict[str, Any]] = {
    "h": {"ansible_facts": {"gpu_cluster": {"node_address": "198.18.1.11"}}, "own": "thing"},
    "away": {"ansible_facts": {}},
}
FILTER = FilterModule().filters()["monitoring_targets"]


def test_nodes_that_were_not_asked_are_left_out() -> None:
    assert list(FILTER(HOSTVARS, ["h", "away"], GROUPS, "lab")) == ["h"]


def test_the_hosts_own_inputs_move_its_targets() -> None:
    moved = {**HOSTVARS, "h": {**HOSTVARS["h"], "node_metrics_port": 9111}}
    assert FILTER(moved, ["h"], GROUPS)["h"]["node"][0] == {
        "targets": ["198.18.1.11:9111"],
        "labels": {"node": "h", "cluster": "gpu-cluster"},
    }


def test_a_wrong_port_is_named() -> None:
    moved = {"h": {**HOSTVARS["h"], "ray_metrics_export_port": 0}}
    with pytest.raises(AnsibleFilterError, match="ray_metrics_export_port: saw 0"):
        FILTER(moved, ["h"], GROUPS)
