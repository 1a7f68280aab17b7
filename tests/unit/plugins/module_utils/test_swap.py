"""Claims about what swaps and what would bring it back, on recorded text."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.boot_units import parse_show
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.swap import (
    SwapError,
    SwapPlan,
    parse_swaps,
    plan_swap,
)

SWAPS = """\
Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority
/dev/nvme0n1p3                          partition\t8388604\t\t1024\t\t-2
/swap.img                               file\t\t4194300\t\t0\t\t-3
"""
NO_SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


def units(target: str, zram: str = "LoadState=not-found\n") -> dict[str, dict[str, str]]:
    """Return what systemctl shows of swap.target and zramswap.service."""
    return parse_show(f"Id=swap.target\n{target}\nId=zramswap.service\n{zram}")


LOADED = (
    "LoadState=loaded\nFragmentPath=/usr/lib/systemd/system/swap.target\nUnitFileState=static\n"
)
FSTAB = LOADED + "Requires=dev-disk-by\\x2duuid-1111.swap swap.img.swap\nWants=\n"
ZRAM = LOADED + "Requires=\nWants=dev-zram0.swap\n"
NOTHING = LOADED + "Requires=\nWants=\n"
MASKED = "LoadState=masked\nFragmentPath=/dev/null\nUnitFileState=masked\n"
ZRAMSWAP = (
    "LoadState=loaded\nUnitFileState=enabled\nFragmentPath=/lib/systemd/system/zramswap.service\n"
)


def test_areas_are_read() -> None:
    assert parse_swaps(SWAPS) == ("/dev/nvme0n1p3", "/swap.img")
    assert parse_swaps(NO_SWAPS) == ()
    assert parse_swaps("") == ()


@pytest.mark.parametrize(
    ("areas", "state", "mask"),
    [
        pytest.param(("/dev/sda3",), units(FSTAB), ("swap.target",), id="fstab-in-use"),
        pytest.param((), units(FSTAB), ("swap.target",), id="killed-between-the-steps"),
        pytest.param((), units(ZRAM), ("swap.target",), id="zram-generator"),
        pytest.param(("/swapfile",), units(NOTHING), ("swap.target",), id="switched-on-by-hand"),
        pytest.param((), units(NOTHING), (), id="no-swap"),
        pytest.param((), units(MASKED), (), id="second-run"),
        pytest.param(("/dev/sda3",), units(MASKED), (), id="came-back-by-hand"),
        pytest.param(
            ("/dev/zram0",),
            units(NOTHING, ZRAMSWAP),
            ("swap.target", "zramswap.service"),
            id="zram-tools",
        ),
        pytest.param((), units(MASKED, ZRAMSWAP.replace("enabled", "disabled")), (), id="zram-off"),
    ],
)
def test_what_starts_swap_is_masked(
    areas: tuple[str, ...], state: Mapping[str, Mapping[str, str]], mask: tuple[str, ...]
) -> None:
    assert plan_swap(areas, state) == SwapPlan(areas, mask)


def test_a_unit_of_the_owner_is_not_replaced() -> None:
    own = FSTAB.replace("/usr/lib/systemd/system/", "/etc/systemd/system/")
    with pytest.raises(
        SwapError, match=r"/etc/systemd/system/swap.target is a unit of the owner's"
    ):
        plan_swap((), units(own))
