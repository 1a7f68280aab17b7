"""Claims about the swap_off module. No machine's swap is touched: /proc/swaps is a file here."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import swap_off
from ansible_collections.rackforge.gpu_cluster.plugins.modules.swap_off import main

from tests.unit.plugins.modules.conftest import Node

TITLE = "Filename\tType\tSize\tUsed\tPriority\n"
AREA = "/dev/sda3 partition 8388604 0 -2\n"
SHOW = """\
Id=swap.target
Requires=dev-sda3.swap
LoadState={}
FragmentPath=/usr/lib/systemd/system/swap.target
UnitFileState=static

Id=zramswap.service
LoadState=not-found
"""


@pytest.fixture
def swaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, node: Node) -> Path:
    """The kernel's list, with one area, on a node that has it in /etc/fstab."""
    path = tmp_path / "swaps"
    path.write_text(TITLE + AREA)
    monkeypatch.setattr(swap_off, "SWAPS", str(path))
    node.answers("systemctl show", (0, SHOW.format("loaded"), ""))
    node.answers("systemctl mask", (0, "", ""))
    return path


@pytest.fixture
def kernel(swaps: Path, node: Node, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, with a swapoff that takes the area away."""
    node.answers("swapoff --all", (0, "", ""))
    run_command = node.run_command

    def switch_off(args: list[str], **more: object) -> tuple[int, str, str]:
        answer = run_command(args, **more)  # type: ignore[arg-type]
        if args == ["swapoff", "--all"]:
            swaps.write_text(TITLE)
        return answer

    monkeypatch.setattr(node, "run_command", switch_off)
    return swaps


def test_swap_goes_now_and_does_not_come_back_at_boot(node: Node, kernel: Path) -> None:
    result = node.run(main)
    assert (result["changed"], result["areas"]) == (True, ["/dev/sda3"])
    assert result["masked"] == ["swap.target"]
    assert node.calls[1:] == ["swapoff --all", "systemctl mask swap.target"]
    assert kernel.read_text() == TITLE
    node.answers("systemctl show", (0, SHOW.format("masked"), ""))
    assert node.run(main)["changed"] is False


def test_a_run_that_died_before_the_mask_is_made_good(node: Node, swaps: Path) -> None:
    swaps.write_text(TITLE)
    result = node.run(main)
    assert (result["areas"], result["masked"]) == ([], ["swap.target"])
    assert node.calls[1:] == ["systemctl mask swap.target"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(
            (32, "", "swapoff: /dev/sda3: swapoff failed: Cannot allocate memory\n"),
            "'swapoff --all' exited 32: swapoff: /dev/sda3: swapoff failed: Cannot allocate memory;"
            " /dev/sda3 is still in use",
            id="no-memory",
        ),
        pytest.param((0, "", ""), "/dev/sda3 is still in use", id="says-nothing"),
    ],
)
def test_swap_that_stays_in_use_is_not_masked(
    node: Node, swaps: Path, answer: tuple[int, str, str], said: str
) -> None:
    node.answers("swapoff --all", answer)
    result = node.run(main)
    assert result["failed"] is True
    assert said in result["msg"]
    assert "nothing was masked" in result["msg"]
    assert node.calls[-1] == "swapoff --all"
    assert swaps.read_text() == TITLE + AREA


def test_check_mode_only_looks(node: Node, swaps: Path) -> None:
    result = node.run(main, check=True)
    assert result["diff"] == {"before": "swap /dev/sda3\n", "after": "swap.target masked\n"}
    assert swaps.read_text() == TITLE + AREA
    assert len(node.calls) == 1
