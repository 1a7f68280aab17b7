"""Claims about the pinned_packages module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import pinned_managers
from ansible_collections.rackforge.gpu_cluster.plugins.modules.pinned_packages import main

from tests.unit.plugins.modules.conftest import Answer, Node

OK = (0, "", "")
SOURCE = "Types: deb\n"


def listing(**versions: str) -> Answer:
    """Return what dpkg-query says of installed packages."""
    return (1, "".join(f"{name}\t{v}\tinstalled\n" for name, v in versions.items()), "")


@pytest.fixture
def debian(node: Node, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A Debian node on which the installation of driver and kernel in 580.95.05 succeeds."""
    monkeypatch.setattr(pinned_managers, "POLL_SECONDS", 0.0)
    node.answers("apt-get", OK)
    said = "Inst driver (580.95.05-1 x)\nInst kernel (580.95.05-1 x)\n"
    node.answers("apt-get install --simulate", (0, said, ""))
    return node


def arguments(folder: Path, **more: Any) -> dict[str, Any]:
    """Return the module's usual arguments, with files below ``folder``."""
    return {
        "names": ["driver", "kernel"],
        "version": "580",
        "pin_file": str(folder / "pin"),
        "pin_packages": ["*driver*"],
        "files": {str(folder / "x.sources"): SOURCE},
        **more,
    }


def programs(node: Node) -> list[str]:
    """Return what was called that changes something."""
    return [
        " ".join(call.split()[:2])
        for call in node.calls
        if call.startswith(("apt-get install --yes", "apt-get update", "apt-get remove --yes d"))
    ]


def test_a_first_run_installs_and_then_holds_exactly_what_came(
    debian: Node, tmp_path: Path
) -> None:
    done = listing(driver="580.95.05-1", kernel="580.95.05-1")
    debian.answers("dpkg-query", listing(), done, done)
    result = debian.run(main, **arguments(tmp_path))
    assert (result["changed"], result["version"]) == (True, "580.95.05")
    assert result["wrong"] == ["driver (missing)", "kernel (missing)"]
    assert (tmp_path / "pin").read_text() == (
        "# Managed by rackforge.gpu_cluster\nPackage: *driver*\nPin: version 580.95.05*\n"
        "Pin-Priority: 1001\n"
    )
    assert (tmp_path / "x.sources").read_text() == SOURCE


def test_the_second_run_fetches_and_changes_nothing(debian: Node, tmp_path: Path) -> None:
    done = listing(driver="580.95.05-1", kernel="580.95.05-1")
    debian.answers("dpkg-query", listing(), done)
    debian.run(main, **arguments(tmp_path))
    debian.calls.clear()
    result = debian.run(main, **arguments(tmp_path))
    assert (result["changed"], result["version"], programs(debian)) == (False, "580.95.05", [])


def test_a_run_that_was_killed_before_the_hold_is_made_good(debian: Node, tmp_path: Path) -> None:
    debian.answers("dpkg-query", listing(driver="580.95.05-1", kernel="580.95.05-1"))
    (tmp_path / "x.sources").write_text(SOURCE)
    (tmp_path / "pin").write_text("Pin: version 580*\n")
    result = debian.run(main, **arguments(tmp_path))
    assert (result["changed"], programs(debian)) == (True, [])
    assert "Pin: version 580.95.05*" in (tmp_path / "pin").read_text()


def test_check_mode_predicts_and_writes_nothing(debian: Node, tmp_path: Path) -> None:
    debian.answers("dpkg-query", listing())
    result = debian.run(main, check=True, **arguments(tmp_path))
    assert (result["changed"], result["version"], programs(debian)) == (True, None, [])
    assert list(tmp_path.iterdir()) == []
    assert [each.get("after_header") for each in result["diff"]] == [
        str(tmp_path / "x.sources"),
        str(tmp_path / "pin"),
        None,
    ]


def test_a_removal_that_was_not_agreed_is_refused_and_the_files_go_again(
    debian: Node, tmp_path: Path
) -> None:
    debian.answers("dpkg-query", listing())
    debian.answers("apt-get install --simulate", (0, "Remv owners-driver [525]\n", ""))
    key = tmp_path / "key"
    key.write_text("key")
    result = debian.run(main, **arguments(tmp_path, remove_on_failure=[str(key)]))
    assert result["failed"] is True
    assert result["msg"] == (
        "Could not have driver, kernel in one version: owners-driver would have to go for it. "
        "Remove it yourself, or name what may go (replace): then it goes now, and reset installs "
        "it again"
    )
    assert list(tmp_path.iterdir()) == []


def test_an_agreed_removal_takes_the_leftovers_of_the_old_version_too(
    debian: Node, tmp_path: Path
) -> None:
    old = listing(driver="525.147.05-1", oldlib="525.147.05-1")
    new = listing(driver="580.95.05-1", kernel="580.95.05-1")
    leftover = listing(oldlib="525.147.05-1")
    debian.answers("dpkg-query", old, old, old, new, leftover)
    debian.answers("apt-get remove --yes --simulate", (0, "Remv oldlib [525]\n", ""))
    result = debian.run(main, **arguments(tmp_path, replace=["driver", "oldlib"]))
    assert (result["changed"], result["replaced"]) == (True, ["oldlib"])
    assert debian.calls[-1] == "apt-get remove --yes oldlib"


def test_where_the_version_is_not_on_offer_the_newest_is_not_taken(
    debian: Node, tmp_path: Path
) -> None:
    debian.answers("dpkg-query", listing())
    said = "Inst driver (610.43.02-1 x)\nInst kernel (610.43.02-1 x)\n"
    debian.answers("apt-get install --simulate", (0, said, ""))
    result = debian.run(main, **arguments(tmp_path))
    assert (
        "saw driver 610.43.02-1, kernel 610.43.02-1 as the best on offer, expected version 580"
        in result["msg"]
    )
    assert list(tmp_path.iterdir()) == []
    assert "apt-get install --yes" not in programs(debian)


def test_a_package_below_the_lowest_version_is_brought_up(debian: Node, tmp_path: Path) -> None:
    new = listing(driver="1.18.1-1", kernel="1.18.1-1")
    old = listing(driver="1.16.2-1", kernel="1.16.2-1")
    debian.answers("dpkg-query", old, new)
    result = debian.run(main, **arguments(tmp_path, version=None, lowest="1.17.8"))
    assert result["wrong"] == ["driver 1.16.2-1", "kernel 1.16.2-1"]
    assert "Pin: version 1.18.1*" in (tmp_path / "pin").read_text()


def test_companions_may_have_any_version(debian: Node, tmp_path: Path) -> None:
    done = listing(driver="580.95.05-1", kernel="580.95.05-1", dkms="3.2-1")
    debian.answers("dpkg-query", done)
    result = debian.run(main, **arguments(tmp_path, companions=["dkms"]))
    assert result["wrong"] == []


def test_a_locked_package_manager_is_waited_for(debian: Node, tmp_path: Path) -> None:
    done = listing(driver="580.95.05-1", kernel="580.95.05-1")
    debian.answers("dpkg-query", listing(), done)
    locked = (100, "", "E: Could not get lock /var/lib/apt/lists/lock. Process 9 holds it\n")
    debian.answers("apt-get update", locked, OK)
    assert debian.run(main, **arguments(tmp_path))["changed"] is True


def test_an_unknown_package_is_explained(debian: Node, tmp_path: Path) -> None:
    debian.answers("dpkg-query", listing())
    said = (100, "", "E: Unable to locate package driver\n")
    debian.answers("apt-get install --simulate", said)
    result = debian.run(main, **arguments(tmp_path))
    assert result["msg"] == (
        "Could not have driver, kernel in one version: no configured repository has it; check the "
        "distribution's version and its repositories (E: Unable to locate package driver)"
    )


def test_dnf_gets_a_repository_that_has_this_version_only(node: Node, tmp_path: Path) -> None:
    done = (0, "driver\t580.95.05\nkernel\t580.95.05\n", "")
    node.answers("rpm --query", (1, "driver\t575.57.08\npackage kernel is not ...\n", ""), done)
    node.answers("dnf", OK)
    files = {str(tmp_path / "x.repo"): "[x]\n", str(tmp_path / "y.module"): "[y]\n"}
    result = node.run(main, **arguments(tmp_path, files=files))
    assert (result["changed"], result["version"]) == (True, "580.95.05")
    assert (tmp_path / "x.repo").read_text() == (
        "[x]\nincludepkgs=*driver*-580.95.05*-*.* dkms dnf-plugin-nvidia nvlsm egl-*\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.repo", "y.module"]
    assert [call for call in node.calls if call.startswith("dnf")] == [
        "dnf --assumeyes install kernel",
        "dnf --assumeyes distro-sync driver",
    ]


def test_dnf_takes_away_only_what_was_agreed(node: Node, tmp_path: Path) -> None:
    node.answers("rpm --query", (1, "", ""))
    node.answers("dnf --assumeyes install", (1, "", "Error: conflicts with installed package\n"))
    table = "Removing dependent packages:\n owners-driver  x86_64  525  @x  1 M\n"
    node.answers("dnf --assumeno", (1, table, ""))
    result = node.run(main, **arguments(tmp_path))
    assert "owners-driver would have to go for it" in result["msg"]


def test_a_node_with_neither_is_told(node: Node, tmp_path: Path) -> None:
    assert node.run(main, **arguments(tmp_path))["msg"] == (
        "This node has neither apt-get nor dnf; see the README's support table"
    )
