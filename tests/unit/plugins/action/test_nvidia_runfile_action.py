"""Claims about the control node's half of nvidia_runfile."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.action.nvidia_runfile import (
    sum_of,
    sum_problem,
)

SUM = "5906d81cc6fb93c36c5cbcb0d5dbc6a8e73bbf5bffaf70cf6a5aa6f2ecb0d3c0"


def test_the_sum_is_that_of_the_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "driver.run"
    file.write_bytes(b"abc")
    assert sum_of(str(file)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        pytest.param(SUM, "", id="right"),
        pytest.param("ab" * 32, f"has the sum {SUM}, expected {'ab' * 32}", id="wrong"),
        pytest.param("", f"has the sum {SUM}, expected one (nvidia_runfile_sha256)", id="none"),
    ],
)
def test_a_file_with_another_sum_is_refused_before_any_node_is_touched(
    wanted: str, words: str
) -> None:
    said = sum_problem("driver.run", SUM, wanted)
    assert words in said
    assert bool(said) is bool(words)
