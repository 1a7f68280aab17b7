"""Claims about what the nodes of an inventory are for."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_profiles import (
    profiles_of,
)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        pytest.param({}, set(), id="nothing"),
        pytest.param({"all": ["a"], "ungrouped": ["a"]}, set(), id="no-group-of-ours"),
        pytest.param({"ray_head": ["a"]}, {"ray"}, id="head"),
        pytest.param({"ray_worker": ["a"], "ray_head": []}, {"ray"}, id="worker"),
        pytest.param({"k3s_server": ["a"], "k3s_agent": ["b"]}, {"k3s"}, id="k3s"),
        pytest.param({"k3s_agent": ["b"]}, {"k3s"}, id="agent-alone"),
        pytest.param({"k3s_server": ["a", "b", "c"]}, {"k3s", "k3s-ha"}, id="servers"),
        pytest.param({"ray_head": ["a"], "k3s_server": ["a"]}, {"ray", "k3s"}, id="both"),
        pytest.param({"monitoring": ["a"], "ray_head": ["b"]}, {"monitoring", "ray"}, id="metrics"),
        pytest.param({"registry": ["a"]}, set(), id="registry"),
    ],
)
def test_groups_with_hosts_make_profiles(groups: dict[str, list[str]], expected: set[str]) -> None:
    assert profiles_of(groups) == expected


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        pytest.param("management", {"ray", "management"}, id="word"),
        pytest.param("management, lan", {"ray", "management", "lan"}, id="words"),
        pytest.param(["lan"], {"ray", "lan"}, id="list"),
        pytest.param("", {"ray"}, id="empty-text"),
        pytest.param(None, {"ray"}, id="not-set"),
        pytest.param(["ray"], {"ray"}, id="there-already"),
    ],
)
def test_chosen_profiles_are_added(chosen: str | list[str] | None, expected: set[str]) -> None:
    assert profiles_of({"ray_head": ["a"]}, chosen) == expected


def test_an_unknown_profile_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="saw 'LAN'") as seen:
        profiles_of({}, "lan,LAN")
    assert str(seen.value) == (
        "preflight_profiles: saw 'LAN', expected some of ray, k3s, k3s-ha, management, monitoring,"
        " lan"
    )
