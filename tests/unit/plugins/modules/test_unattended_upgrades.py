"""Claims about the unattended_upgrades module."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import unattended_upgrades
from ansible_collections.rackforge.gpu_cluster.plugins.modules.unattended_upgrades import main

from tests.unit.plugins.modules.conftest import Node

OK = (0, "", "")
SEEN = 'Unattended-Upgrade::Package-Blacklist:: "{}";\n'
AUTOMATIC = """\
[commands]
upgrade_type = default
apply_updates = yes

[emitters]
emit_via = stdio

[base]
# This section overrides dnf.conf

# Use this to filter DNF core messages
debuglevel = 1
"""
HELD = """\
# BEGIN rackforge.gpu_cluster os_base
excludepkgs=kernel*,nvidia-*
# END rackforge.gpu_cluster os_base
"""


@pytest.fixture
def debian(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A Debian node with unattended-upgrades that reads what is written."""
    monkeypatch.setattr(unattended_upgrades, "APT_FILE", str(tmp_path / "52"))
    monkeypatch.setattr(unattended_upgrades.Apt, "path", str(tmp_path / "52"))
    node.answers("apt-get", OK)
    node.answers("apt-config", (0, SEEN.format("linux-image") + SEEN.format("nvidia-"), ""))
    node.answers("dpkg-query", (0, "unattended-upgrades\tinstalled\n", ""))
    return node


@pytest.fixture
def redhat(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node of Red Hat's family; where the settings of dnf-automatic lie."""
    path = tmp_path / "automatic.conf"
    monkeypatch.setattr(unattended_upgrades.Dnf, "path", str(path))
    node.answers("dnf", OK)
    return path


def hold(node: Node, *held: str, check: bool = False) -> Any:
    """Return what the module answers when packages are to be held."""
    return node.run(main, check=check, owner="os_base", mode="hold", held=list(held))


def remove(node: Node, *, check: bool = False) -> Any:
    """Return what the module answers when the tool is to go."""
    return node.run(main, check=check, owner="os_base", mode="remove")


def test_packages_are_held_once(debian: Node, tmp_path: Path) -> None:
    result = hold(debian, "linux-image", "nvidia-")
    assert (result["changed"], result["path"]) == (True, str(tmp_path / "52"))
    assert '"nvidia-";' in (tmp_path / "52").read_text()
    assert hold(debian, "linux-image", "nvidia-")["changed"] is False


def test_check_mode_predicts_and_writes_nothing(debian: Node, tmp_path: Path) -> None:
    assert hold(debian, "linux-image", check=True)["changed"] is True
    assert (tmp_path / "52").exists() is False
    assert remove(debian, check=True)["diff"]["before"] == "unattended-upgrades\n"
    assert not any("remove" in call for call in debian.calls)


@pytest.mark.parametrize("before", [None, "// an older list\n"], ids=["no-file", "older-file"])
def test_a_list_that_another_file_clears_is_an_error(
    debian: Node, tmp_path: Path, before: str | None
) -> None:
    if before:
        (tmp_path / "52").write_text(before)
    debian.answers("apt-config", (0, SEEN.format("nvidia-"), ""))
    result = hold(debian, "linux-image", "nvidia-")
    assert "holds linux-image, yet apt does not see that: a file below /etc/apt" in result["msg"]
    assert ((tmp_path / "52").read_text() if before else None) == before
    assert (tmp_path / "52").exists() is bool(before)


def test_a_wrong_pattern_is_explained(debian: Node, tmp_path: Path) -> None:
    assert hold(debian, "linux-(")["msg"] == (
        "Could not hold packages back: os_base_held_packages: 'linux-(' is no regular expression"
        " (missing ), unterminated subpattern at position 6); nothing was changed"
    )
    assert not (tmp_path / "52").exists()


def test_the_tool_is_removed_alone(debian: Node) -> None:
    assert remove(debian)["changed"] is True
    assert debian.calls[-1] == (
        "apt-get --yes -o DPkg::Lock::Timeout=300 remove unattended-upgrades"
    )


def test_a_tool_that_is_away_is_left_alone(debian: Node) -> None:
    debian.answers("dpkg-query", (0, "unattended-upgrades\tconfig-files\n", ""))
    assert remove(debian)["changed"] is False
    assert len(debian.calls) == 1


def test_nothing_else_is_removed_with_it(debian: Node) -> None:
    debian.answers("apt-get", (0, "Remv desktop [1]\nRemv unattended-upgrades [2]\n", ""))
    result = remove(debian)
    assert result["msg"].startswith(
        "Could not remove unattended-upgrades: desktop would go with it; expected it to go alone."
        " Set os_base_unattended_upgrades to hold"
    )
    assert debian.calls[-1].endswith("--simulate")


def test_dnf_automatic_is_told_in_its_section(node: Node, redhat: Path) -> None:
    redhat.write_text(AUTOMATIC + "\n[extra]\n")
    assert hold(node, "kernel*", "nvidia-*")["changed"] is True
    assert redhat.read_text() == AUTOMATIC + HELD + "\n[extra]\n"
    assert hold(node, "kernel*", "nvidia-*")["changed"] is False


def test_packages_that_the_owner_excludes_stay_excluded(node: Node, redhat: Path) -> None:
    owners = AUTOMATIC + "excludepkgs = mariadb*,\n  postgresql*\n"
    redhat.write_text(owners)
    assert hold(node, "kernel*", "nvidia-*")["changed"] is True
    ours = HELD.replace("=", "=mariadb*,postgresql*,")
    assert redhat.read_text() == owners + ours
    assert hold(node, "kernel*", "nvidia-*")["changed"] is False
    redhat.write_text(AUTOMATIC + "excludepkgs = redis\n" + ours)
    assert hold(node, "kernel*", "nvidia-*")["changed"] is True
    assert "\nexcludepkgs=redis,kernel*,nvidia-*\n" in redhat.read_text()
    assert "=mariadb" not in redhat.read_text()


def test_apts_file_can_be_read_by_everybody_whatever_the_umask(
    debian: Node, tmp_path: Path
) -> None:
    mask = os.umask(0o077)
    try:
        hold(debian, "linux-image", "nvidia-")
    finally:
        os.umask(mask)
    assert oct((tmp_path / "52").stat().st_mode & 0o7777) == "0o644"


def test_no_settings_are_made_for_a_missing_dnf_automatic(node: Node, redhat: Path) -> None:
    result = hold(node, "kernel*")
    assert (result["changed"], result["path"], redhat.exists()) == (False, "", False)


def test_dnf_automatic_is_removed_without_what_came_with_it(node: Node, redhat: Path) -> None:
    node.answers("rpm --query dnf-automatic", OK)
    redhat.write_text(AUTOMATIC)
    assert remove(node)["changed"] is True
    assert redhat.read_text() == AUTOMATIC
    assert node.calls[-1] == (
        "dnf --assumeyes --setopt=clean_requirements_on_remove=False remove dnf-automatic"
    )
