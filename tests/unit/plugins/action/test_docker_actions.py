"""Claims about the control node's halves of docker_engine and system_packages."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.rackforge.gpu_cluster.plugins.action.system_packages import packages_in


def test_only_packages_of_a_folder_are_brought(tmp_path: Path) -> None:
    for name in ("b.rpm", "a.deb", "README", "a.deb.sig"):
        (tmp_path / name).write_text("x")
    assert packages_in(str(tmp_path)) == ["a.deb", "b.rpm"]
    assert packages_in(str(tmp_path / "none")) == []
