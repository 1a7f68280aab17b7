"""Claims about which version of k3s may follow which."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_cluster import (
    ClusterNode,
    parse_nodes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_version import (
    UpgradeError,
    check_majority,
    needs_upgrade,
    parse_version,
)

from tests.unit.plugins.module_utils.k3s_objects import api_node


def nodes(**versions: str) -> list[ClusterNode]:
    """Return nodes by name and version; those whose name begins with s are servers."""
    return parse_nodes(
        api_node(name, version=version, roles=("control-plane",) if name[0] == "s" else ())
        for name, version in versions.items()
    )


def test_versions_are_in_order() -> None:
    texts = [
        "v1.33.5+k3s1",
        "v1.33.5+k3s2",
        "v1.33.10+k3s1",
        "v1.34.0-rc2+k3s1",
        "v1.34.0-rc10+k3s1",
        "v1.34.0+k3s1",
    ]
    shuffled = [texts[place] for place in (3, 0, 5, 2, 4, 1)]
    assert sorted(shuffled, key=parse_version) == texts


@pytest.mark.parametrize("text", ["", "v1.33", "1.33.5", "latest", "v1.33.5+rke2r1", "v1.33.5+k3s"])
def test_a_version_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(UpgradeError, match="is none of k3s, expected one such as"):
        parse_version(text)


def test_a_node_that_runs_the_version_needs_no_upgrade() -> None:
    all_nodes = nodes(s1="v1.33.5+k3s1", a1="odd")
    assert needs_upgrade(all_nodes[1], "v1.33.5+k3s1", all_nodes) is False


@pytest.mark.parametrize(
    ("name", "wanted", "versions"),
    [
        pytest.param("s1", "v1.34.1+k3s1", {"s1": "v1.33.5+k3s1"}, id="one-minor"),
        pytest.param("s1", "v1.33.5+k3s2", {"s1": "v1.33.5+k3s1"}, id="one-build"),
        pytest.param(
            "s2", "v1.34.1+k3s1", {"s1": "v1.34.1+k3s1", "s2": "v1.33.5+k3s1"}, id="second-server"
        ),
        pytest.param(
            "a1", "v1.34.1+k3s1", {"s1": "v1.34.1+k3s1", "a1": "v1.31.5+k3s1"}, id="late-agent"
        ),
        pytest.param(
            "s1", "v1.34.1+k3s1", {"s1": "v1.33.1+k3s1", "a1": "v1.31.5+k3s1"}, id="old-kubelet"
        ),
    ],
)
def test_a_step_that_the_policy_allows_is_taken(
    name: str, wanted: str, versions: dict[str, str]
) -> None:
    all_nodes = nodes(**versions)
    node = next(each for each in all_nodes if each.name == name)
    assert needs_upgrade(node, wanted, all_nodes) is True


@pytest.mark.parametrize(
    ("name", "wanted", "versions", "message"),
    [
        pytest.param(
            "s1",
            "v1.33.4+k3s1",
            {"s1": "v1.33.5+k3s1"},
            "s1 runs k3s v1.33.5+k3s1, and v1.33.4+k3s1 is older: a database that the newer one "
            "wrote is none for the older; set k3s_version to v1.33.5+k3s1 or newer, or go back "
            "within the same minor version with upgrade.yml -e upgrade_rollback=true",
            id="downgrade",
        ),
        pytest.param(
            "s1",
            "v1.35.1+k3s1",
            {"s1": "v1.33.5+k3s1"},
            "s1 must not go from k3s v1.33.5+k3s1 to v1.35.1+k3s1: server s1 runs v1.33.5+k3s1, and"
            " no minor version may be left out; set k3s_version to the last release of v1.34 first",
            id="left-out",
        ),
        pytest.param(
            "s1",
            "v1.34.1+k3s1",
            {"s1": "v1.33.5+k3s1", "s2": "v1.32.5+k3s1"},
            "s1 must not go from k3s v1.33.5+k3s1 to v1.34.1+k3s1: server s2 runs v1.32.5+k3s1, and"
            " no minor version may be left out; set k3s_version to the last release of v1.33 first",
            id="another-server-is-behind",
        ),
        pytest.param(
            "s1",
            "v1.34.1+k3s1",
            {"s1": "v1.33.5+k3s1", "a1": "v1.30.5+k3s1"},
            "s1 must not go from k3s v1.33.5+k3s1 to v1.34.1+k3s1: node a1 runs v1.30.5+k3s1, more "
            "than 3 minor versions behind; upgrade that node first",
            id="an-agent-would-be-too-old",
        ),
        pytest.param(
            "a1",
            "v1.34.1+k3s1",
            {"s1": "v1.33.5+k3s1", "a1": "v1.33.5+k3s1"},
            "a1 must not go from k3s v1.33.5+k3s1 to v1.34.1+k3s1: server s1 still runs "
            "v1.33.5+k3s1; upgrade the servers first",
            id="agent-before-its-server",
        ),
    ],
)
def test_a_step_that_it_forbids_is_refused_with_the_one_to_take(
    name: str, wanted: str, versions: dict[str, str], message: str
) -> None:
    all_nodes = nodes(**versions)
    node = next(each for each in all_nodes if each.name == name)
    with pytest.raises(UpgradeError) as caught:
        needs_upgrade(node, wanted, all_nodes)
    assert str(caught.value) == message


def cluster(*names: str, down: str = "") -> list[ClusterNode]:
    """Return Ready nodes, but for those of ``down``; servers' names begin with s."""
    return parse_nodes(
        api_node(
            name,
            roles=("control-plane",) if name[0] == "s" else (),
            ready="Unknown" if name in down.split() else "True",
        )
        for name in names
    )


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        pytest.param("s1", cluster("s1", "a1", down="a1"), id="the-only-server"),
        pytest.param("s1", cluster("s1", "s2", "s3"), id="all-are-ready"),
        pytest.param("s1", cluster("s1", "s2", "s3", down="s1"), id="it-is-down-itself"),
        pytest.param("s1", cluster("s1", "s2", "s3", "s4", "s5", down="s5"), id="one-of-five"),
        pytest.param("a1", cluster("s1", "s2", "s3", "a1", down="s3"), id="an-agent"),
    ],
)
def test_a_node_may_be_restarted_while_the_others_have_the_majority(
    name: str, seen: list[ClusterNode]
) -> None:
    check_majority(next(each for each in seen if each.name == name), seen)


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        pytest.param(
            cluster("s1", "s2", "s3", "a1", down="s3"),
            "s1 must not be restarted: of 3 servers 2 must be ready for etcd to accept changes, and"
            " without s1 only s2 would be; s3 is not ready: bring it back ('systemctl start k3s' on"
            " s3), then run the same command again",
            id="one-of-three-is-down",
        ),
        pytest.param(
            cluster("s1", "s2", "s3", "s4", "s5", down="s4 s5"),
            "s1 must not be restarted: of 5 servers 3 must be ready for etcd to accept changes, and"
            " without s1 only s2, s3 would be; s4, s5 are not ready: bring them back (as with "
            "'systemctl start k3s' on s4), then run the same command again",
            id="two-of-five-are-down",
        ),
        pytest.param(
            cluster("s1", "s2"),
            "s1 must not be restarted: of 2 servers 2 must be ready for etcd to accept changes, and"
            " without s1 only s2 would be; have a third server join (provision.yml), then run "
            "the same command again",
            id="a-pair",
        ),
    ],
)
def test_a_server_is_not_restarted_when_the_others_are_no_majority(
    seen: list[ClusterNode], message: str
) -> None:
    with pytest.raises(UpgradeError) as caught:
        check_majority(next(each for each in seen if each.name == "s1"), seen)
    assert str(caught.value) == message


def test_an_older_patch_is_let_through_where_the_way_back_is_asked_for() -> None:
    all_nodes = nodes(s1="v1.33.5+k3s1", a1="v1.33.5+k3s1")
    assert needs_upgrade(all_nodes[1], "v1.33.4+k3s1", all_nodes, back=True) is True
    with pytest.raises(UpgradeError, match="is none for the older"):
        needs_upgrade(all_nodes[1], "v1.32.9+k3s1", all_nodes, back=True)
