"""Claims about the system_packages module."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import package_managers
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
    monkeypatch.setattr(package_managers, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(package_managers.Apt, "_index_is_fresh", lambda _self: True)
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
    monkeypatch.setattr(package_managers.Apt, "_index_is_fresh", lambda _self: False)
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
    monkeypatch.setattr(package_managers.Apt, "_index_is_fresh", lambda _self: False)
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


def test_a_repository_is_written_before_the_installation(debian: Node, tmp_path: Path) -> None:
    path = tmp_path / "sources.list.d" / "own.sources"
    result = debian.run(main, names=["jq"], files={str(path): "Types: deb\n"})
    assert result["changed"] is True
    assert path.read_text() == "Types: deb\n"
    assert programs(debian) == ["apt-get update", "apt-get install"]
    debian.calls.clear()
    again = debian.run(main, names=["rsync"], files={str(path): "Types: deb\n"})
    assert (again["changed"], programs(debian)) == (False, [])


def test_a_repository_can_be_read_by_everybody_whatever_the_umask(
    debian: Node, tmp_path: Path
) -> None:
    new, old = tmp_path / "sources.list.d" / "new.sources", tmp_path / "old.sources"
    old.write_text("older\n")
    old.chmod(0o640)
    mask = os.umask(0o077)
    try:
        debian.run(main, names=["jq"], files={str(new): "new\n", str(old): "ours\n"})
    finally:
        os.umask(mask)
    assert [oct(p.stat().st_mode & 0o7777) for p in (new.parent, new, old)] == [
        "0o755",
        "0o644",
        "0o640",
    ]


def test_a_failed_installation_leaves_no_repository_and_no_key(
    debian: Node, tmp_path: Path
) -> None:
    new, old, key = (tmp_path / name for name in ("new.sources", "old.sources", "key.asc"))
    old.write_text("of the owner\n")
    key.write_text("key")
    debian.answers(
        "apt-get update --error-on=any", (100, "", "W: Failed to fetch http://a.example\n")
    )
    debian.answers("apt-get install", UNKNOWN)
    result = debian.run(
        main,
        names=["jq"],
        files={str(new): "new\n", str(old): "ours\n"},
        remove_on_failure=[str(key)],
    )
    assert result["msg"] == (
        "Could not install jq: the package mirror cannot be reached; check the node's DNS, proxy"
        " and mirror (E: Unable to locate package jq)"
    )
    assert old.read_text() == "of the owner\n"
    assert not new.exists()
    assert not key.exists()


CONFLICT = (
    100,
    "The following packages will be REMOVED:\n  docker.io runc\n0 upgraded.\n",
    "E: Packages need to be removed but remove is disabled.\n",
)


def test_packages_of_the_owner_are_not_taken_away(debian: Node) -> None:
    debian.answers("apt-get install", CONFLICT)
    result = debian.run(
        main, names=["docker-ce"], replace=["runc"], replace_input="docker_replaced_packages"
    )
    assert result["msg"] == (
        "Could not install docker-ce: docker.io would have to go for it. Remove it yourself, or"
        " name what may go in docker_replaced_packages: then it goes now, and reset installs it"
        " again"
    )
    assert "--no-remove" in debian.calls[-1]


def test_packages_that_may_go_make_way(debian: Node) -> None:
    debian.answers("apt-get install", CONFLICT, OK)
    result = debian.run(main, names=["docker-ce"], replace=["docker.io", "runc"])
    assert result["changed"] is True
    assert "--no-remove" not in debian.calls[-1]


DNF_CONFLICT = (1, "", "Error:\n Problem: problem with installed package podman-4.9.4-1.el8\n")
DNF_TABLE = (1, "Removing dependent packages:\n podman  x86_64  4.9  @appstream  50 M\n\n", "")


@pytest.mark.parametrize(
    ("replace", "ok"), [([], False), (["podman"], True)], ids=["not-allowed", "allowed"]
)
def test_dnf_takes_away_only_what_is_named(node: Node, replace: list[str], ok: bool) -> None:
    node.answers("rpm", (1, "", ""))
    node.answers("dnf --assumeyes install", DNF_CONFLICT)
    node.answers("dnf --assumeno --allowerasing install", DNF_TABLE)
    node.answers("dnf --assumeyes --allowerasing install", OK)
    result = node.run(main, names=["docker-ce"], replace=replace)
    assert bool(result.get("failed")) is not ok
    assert ("dnf --assumeyes --allowerasing install docker-ce" in node.calls) is ok
    assert ok or "podman would have to go for it" in result["msg"]


def test_units_are_held_during_the_installation_only(debian: Node) -> None:
    debian.answers("systemctl", OK)
    debian.answers("apt-get install", UNKNOWN)
    assert debian.run(main, names=["jq"], hold_units=["a.service"])["failed"] is True
    assert programs(debian)[0] == "systemctl mask"
    assert debian.calls[-1] == "systemctl unmask --runtime a.service"
    debian.calls.clear()
    debian.run(main, names=["rsync"], hold_units=["a.service"])
    assert programs(debian) == []


def archive(folder: Path, *names: str) -> str:
    path = folder / "packages.tar"
    with tarfile.open(path, "w") as file:
        for name in names:
            (folder / name).write_text(name)
            file.add(folder / name, arcname=name)
    return str(path)


def test_a_folder_is_asked_for_only_where_something_is_missing(debian: Node) -> None:
    assert debian.run(main, names=["jq"], source_dir="/srv")["needs_source"] is True
    assert debian.run(main, names=["rsync"], source_dir="/srv")["needs_source"] is False
    assert [call for call in debian.calls if "apt-get" in call] == []


def test_packages_of_a_folder_need_no_repository(debian: Node, tmp_path: Path) -> None:
    source = archive(tmp_path, "jq_1_amd64.deb", "jq-1.rpm", "libjq_1_amd64.deb")
    result = debian.run(main, names=["jq"], source_dir="/srv", source_file=source)
    assert result["changed"] is True
    words = debian.calls[-1].split()
    assert "Dir::Etc::SourceParts=/dev/null" in words
    assert [Path(word).name for word in words[-2:]] == ["jq_1_amd64.deb", "libjq_1_amd64.deb"]
    assert "apt-get update" not in programs(debian)


def test_rpms_of_a_folder_need_no_repository(node: Node, tmp_path: Path) -> None:
    node.answers("rpm", (1, "", ""))
    node.answers("dnf", OK)
    source = archive(tmp_path, "docker-ce.deb", "docker-ce-29.1.3-1.el8.x86_64.rpm")
    node.run(main, names=["docker-ce"], source_dir="/srv", source_file=source)
    assert node.calls[-1].startswith("dnf --assumeyes --disablerepo=* install /")
    assert node.calls[-1].endswith("/docker-ce-29.1.3-1.el8.x86_64.rpm")


def test_a_folder_of_the_other_kind_is_explained(debian: Node, tmp_path: Path) -> None:
    source = archive(tmp_path, "docker-ce-29.1.3-1.el8.x86_64.rpm")
    result = debian.run(main, names=["jq"], source_dir="/srv", source_file=source)
    assert result["msg"] == "Could not install jq: the folder holds no file that ends in .deb"


def test_a_dependency_that_the_folder_lacks_is_named(debian: Node, tmp_path: Path) -> None:
    said = (
        " jq : Depends: libjq1 (= 1.6) but it is not installable\n"
        "      Depends: libonig5 but it is not installable\n"
    )
    debian.answers("apt-get install", (100, said, "E: Unable to correct problems\n"))
    source = archive(tmp_path, "jq_1_amd64.deb")
    result = debian.run(main, names=["jq"], source_dir="/srv", source_file=source)
    assert result["msg"] == (
        "Could not install jq: the folder and the node lack what they need: libjq1, libonig5; add"
        " these to it"
    )


def test_a_dependency_that_an_rpm_lacks_is_named(node: Node, tmp_path: Path) -> None:
    said = "Error:\n Problem: nothing provides container-selinux >= 2:2.74 needed by docker-ce\n"
    node.answers("rpm", (1, "", ""))
    node.answers("dnf", (1, "", said))
    source = archive(tmp_path, "docker-ce-29.1.3-1.el8.x86_64.rpm")
    result = node.run(main, names=["docker-ce"], source_dir="/srv", source_file=source)
    assert "lack what they need: container-selinux >= 2:2.74; add these to it" in result["msg"]


SIMULATED = "apt-get install --simulate --only-upgrade rsync"
NEWER = (0, "Inst rsync [3.2.7-1] (3.2.7-2 Debian:13/stable [amd64])\nConf rsync\n", "")


def test_a_newer_version_comes_where_the_newest_is_wanted(debian: Node) -> None:
    debian.answers(SIMULATED, NEWER)
    result = debian.run(main, names=["rsync"], newest=True)
    assert (result["changed"], result["missing"], result["outdated"]) == (True, [], ["rsync"])
    assert programs(debian)[0] == "apt-get update"
    assert debian.calls[-1].startswith("apt-get install --yes")


def test_the_newest_version_is_left_alone(debian: Node) -> None:
    debian.answers(SIMULATED, (0, "", ""))
    result = debian.run(main, names=["rsync"], newest=True)
    assert (result["changed"], result["outdated"]) == (False, [])


def test_check_mode_asks_the_index_that_is_there(debian: Node) -> None:
    debian.answers(SIMULATED, NEWER)
    result = debian.run(main, check=True, names=["rsync"], newest=True)
    assert (result["changed"], result["outdated"]) == (True, ["rsync"])
    assert programs(debian) == ["apt-get install"]
