"""Claims about the unit_claim module."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.rackforge.gpu_cluster.plugins.modules.unit_claim import main

from tests.unit.plugins.modules.conftest import Node


def claim(node: Node, file: Path) -> dict[str, object]:
    """Return the module's answer about a unit that runs from a file."""
    node.answers(
        "systemctl show x.service",
        (0, f"Id=x.service\nActiveState=active\nFragmentPath={file}\n", ""),
    )
    result: dict[str, object] = node.run(main, names=["x.service"], source_input="role_source")
    return result


def test_a_unit_of_ours_may_be_changed(node: Node, tmp_path: Path) -> None:
    (tmp_path / "unit").write_text("# Managed by rackforge.gpu_cluster\n[Unit]\n")
    result = claim(node, tmp_path / "unit")
    assert (result["changed"], result["running"]) == (False, ["x.service"])


def test_somebody_elses_unit_is_refused(node: Node, tmp_path: Path) -> None:
    (tmp_path / "unit").write_text("[Unit]\n")
    result = claim(node, tmp_path / "unit")
    assert result["failed"] is True
    assert "set role_source=existing" in str(result["msg"])
