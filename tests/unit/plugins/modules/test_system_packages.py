"""Claims about the system_packages module."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import system_packages
from ansible_collections.rackforge.gpu_cluster.plugins.modules.system_packages import main

from tests.unit.plugins.modules.conftest import Node

OK = (0, "", "")
LOCKED = (100, "", "E: Could not get lock /var/lib/apt/lists/lock. Process 9 holds it\n")
INTERRUPTED = (
    100,
    "",
    "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct it.\n",
)
UNKNOWN = (100, "", "E: Unable to locate package jq\n")


@pytest.fixture
def debian(node: Node, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A Debian node that has rsync and not jq; every look at the index finds it young."""
    monkeypatch.setattr(system_packages, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(system_packages.Apt, "_index_is_fresh", lambda _self: True)
    node.answers("dpkg-query", (1, "rsync\tinstalled\n", "no packages found matching jq"))
    node.answers("apt-get install", OK)
    node.answers("apt-get update", OK)
    return node


def programs(node: Node) -> list[str]:
    """Return what was called, the first two words of each."""
    return [" ".join(call.split()[:2]) for call in node.calls[1:]]


def test_nothing_is_done_when_nothing_is_missing(debian: Node) -> None:
    result = debian.run(main, names=["rsync"])
    assert (result["changed"], result["missing"]) == (False, [])
    assert programs(debian) == []


def test_only_what_is_missing_is_installed(debian: Node) -> None:
    result = debian.run(main, names=["rsync", "jq"])
    assert (result["changed"], result["missing"]) == (True, ["jq"])
    assert programs(debian) == ["apt-get install"]
    assert debian.calls[-1].split()[-1] == "jq"
    assert debian.environments[-1]["DEBIAN_FRONTEND"] == "noninteractive"


def test_check_mode_predicts_and_only_looks(debian: Node) -> None:
    result = debian.run(main, check=True, names=["rsync", "jq"])
    assert (result["changed"], result["missing"]) == (True, ["jq"])
    assert result["diff"]["after"] == "jq\n"
    assert programs(debian) == []


def test_an_old_index_is_fetched_first(debian: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages.Apt, "_index_is_fresh", lambda _self: False)
    debian.run(main, names=["jq"])
    assert programs(debian) == ["apt-get update", "apt-get install"]


def test_a_package_gone_from_the_mirror_is_looked_up_anew(debian: Node) -> None:
    debian.answers("apt-get install", (100, "", "E: Failed to fetch x  404  Not Found\n"), OK)
    assert debian.run(main, names=["jq"])["changed"] is True
    assert programs(debian) == ["apt-get install", "apt-get update", "apt-get install"]


def test_another_package_manager_is_waited_for(debian: Node) -> None:
    debian.answers("apt-get install", LOCKED, LOCKED, OK)
    assert debian.run(main, names=["jq"])["changed"] is True
    assert programs(debian) == ["apt-get install"] * 3


def test_a_lock_that_stays_is_explained_in_time(debian: Node) -> None:
    debian.answers("apt-get", LOCKED)
    debian.answers("apt-get install", LOCKED)
    debian.answers("apt-get update", LOCKED)
    result = debian.run(main, names=["jq"], lock_timeout=0)
    assert result["failed"] is True
    assert "another package manager holds the lock" in result["msg"]


def test_an_installation_that_was_cut_in_half_is_finished_first(debian: Node) -> None:
    debian.answers("apt-get install", INTERRUPTED, OK)
    debian.answers("dpkg --configure", OK)
    assert debian.run(main, names=["jq"])["changed"] is True
    assert programs(debian) == ["apt-get install", "dpkg --configure", "apt-get install"]


def test_an_index_of_which_a_part_cannot_be_had_will_do(
    debian: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system_packages.Apt, "_index_is_fresh", lambda _self: False)
    failed = (100, "", "W: Failed to fetch http://dead.example/InRelease\n")
    debian.answers("apt-get update --error-on=any", failed)
    assert debian.run(main, names=["jq"])["changed"] is True


def test_an_unknown_package_is_explained(debian: Node) -> None:
    debian.answers("apt-get install", UNKNOWN)
    result = debian.run(main, names=["jq"])
    assert result["failed"] is True
    assert result["msg"] == (
        "Could not install jq: no configured repository has it; check the distribution's version"
        " and its repositories (E: Unable to locate package jq)"
    )


def test_dnf_is_used_where_there_is_no_apt(node: Node) -> None:
    node.answers("dnf", OK)
    node.answers("rpm --query --whatprovides rsync", (0, "rsync-3.2.5-3.el9.x86_64\n", ""))
    node.answers("rpm --query --whatprovides jq", (1, "package jq is not installed\n", ""))
    result = node.run(main, names=["rsync", "jq"])
    assert (result["changed"], result["missing"]) == (True, ["jq"])
    assert node.calls[-1] == "dnf --assumeyes install jq"


def test_a_node_with_neither_is_told(node: Node) -> None:
    result = node.run(main, names=["jq"])
    assert result["msg"] == (
        "This node has neither apt-get nor dnf; see the README's support table"
    )
