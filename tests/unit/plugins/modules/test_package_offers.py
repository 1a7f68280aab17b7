# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the package_offers module."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import package_offers_read
from ansible_collections.rackforge.gpu_cluster.plugins.modules.package_offers import main

from tests.unit.plugins.modules.conftest import Node

OK = (0, "", "")


@pytest.fixture
def debian(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A Debian node that waits for no boot."""
    monkeypatch.setattr(package_offers_read, "REBOOT_MARK", str(tmp_path / "reboot"))
    node.answers("apt-get update", OK)
    node.answers("apt-mark showhold", (0, "vim\n", ""))
    return node


def test_packages_that_belong_together_get_one_version(debian: Node) -> None:
    there = "driver\t580.95.05-1\tinstalled\nmodule\t580.95.05-1\tinstalled\n"
    debian.answers("dpkg-query", (0, there, ""))
    rows = [f"{name} | 580.105.08-1 | http://mirror x Packages" for name in ("driver", "module")]
    debian.answers("apt-cache madison", (0, "\n".join(rows), ""))
    result = debian.run(main, names=["driver", "module"], together=True, version="580")
    assert (result["found"], result["wanted"]) == ("580.95.05", "580.105.08")
    assert (result["due"], result["changed"]) == (["driver", "module"], False)


def test_packages_half_of_which_moved_are_due_again(debian: Node) -> None:
    there = "driver\t580.105.08-1\tinstalled\nmodule\t580.95.05-1\tinstalled\n"
    debian.answers("dpkg-query", (1, there, ""))
    rows = [f"{name} | 580.105.08-1 | http://mirror x Packages" for name in ("driver", "module")]
    debian.answers("apt-cache madison", (0, "\n".join(rows), ""))
    result = debian.run(main, names=["driver", "module"], together=True, version="580")
    assert (result["found"], result["wanted"]) == (None, "580.105.08")


def test_a_hold_of_the_owners_is_obeyed_and_named(debian: Node) -> None:
    said = "vim:\n  Installed: 1\n  Candidate: 2\ncurl:\n  Installed: 1\n  Candidate: 2\n"
    debian.answers("apt-cache policy", (0, said, ""))
    debian.answers("dpkg-query", (0, "vim\t1\tinstalled\ncurl\t1\tinstalled\n", ""))
    result = debian.run(main, names=["vim", "curl"])
    assert result["due"] == ["curl"]
    assert [row["held"] for row in result["packages"]] == ["held by its owner", ""]


def test_the_whole_node_says_what_waits_for_a_boot(debian: Node, tmp_path: Path) -> None:
    debian.answers("apt-get --simulate", (0, "Inst curl [1] (2 Debian:13/stable [amd64])\n", ""))
    (tmp_path / "reboot").write_text("")
    (tmp_path / "reboot.pkgs").write_text("linux-base\nlinux-base\n")
    result = debian.run(main, all=True)
    assert (result["due"], result["reboot_reasons"]) == (["curl"], ["packages: linux-base"])


def test_check_mode_fetches_no_index(debian: Node) -> None:
    debian.answers("apt-get --simulate", OK)
    debian.run(main, check=True, all=True)
    assert not [call for call in debian.calls if call.startswith("apt-get update")]


def test_dnf_lists_what_is_newer(node: Node) -> None:
    node.answers("dnf --quiet --refresh makecache", OK)
    said = "\ndocker-ce.x86_64   3:28.2.2-1.el9   docker\nObsoleting Packages\nx.noarch 1 y\n"
    node.answers("dnf --quiet check-update", (100, said, ""))
    node.answers("rpm --query", (0, "docker-ce\t3:28.1.0-1.el9\n", ""))
    result = node.run(main, names=["docker-ce"])
    assert result["packages"] == [
        {"name": "docker-ce", "found": "3:28.1.0-1.el9", "wanted": "3:28.2.2-1.el9", "held": ""}
    ]


def test_a_node_without_a_known_package_manager_is_told(node: Node) -> None:
    assert "neither apt-get nor dnf" in node.run(main, names=["x"])["msg"]
