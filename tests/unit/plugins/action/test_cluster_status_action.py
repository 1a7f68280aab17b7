# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about what status.yml ends with."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.action.cluster_status import unwell_nodes
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_state import Parts
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.wanted_versions import (
    wanted_versions,
)

from tests.browser import status_samples as made

AWAY = made.document(Parts(made.ray(3, n2={"unit_state": "off"})))


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        pytest.param(["n0", "n1", "n2"], ["n2"], id="the-node-itself"),
        pytest.param(["n0", "n1"], ["n0"], id="one-of-the-run-for-a-node-outside-it"),
    ],
)
def test_a_cluster_that_is_not_healthy_never_ends_as_if_it_were(
    asked: list[str], named: list[str]
) -> None:
    unwell = unwell_nodes(AWAY, asked)
    assert list(unwell) == named
    assert "It did not answer. timed out" in unwell[named[0]]


def test_a_healthy_cluster_has_nobody_to_name() -> None:
    assert unwell_nodes(made.document(Parts(made.ray())), ["n0", "n1"]) == {}


def test_the_wanted_version_is_the_owners_or_the_roles() -> None:
    groups = {"ray_head": ["a"], "k3s_server": ["b"]}
    hostvars = {"a": {"ray_version": "2.61.0"}, "b": {}}
    wanted = wanted_versions(hostvars, groups)
    assert wanted["ray"] == "2.61.0"
    assert wanted["k3s"].startswith("v1.")
    assert wanted_versions(hostvars, {"ray_worker": ["b"]}) == {"ray": "2.60.0"}
