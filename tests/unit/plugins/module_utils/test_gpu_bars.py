"""Claims about the memory regions of GPUs."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_bars import (
    parse_bars,
    window_bytes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import Bar, Vendor

ABSENT = "0x0000000000000000 0x0000000000000000 0x0000000000000000"
MIB16 = "0x0000000090000000 0x0000000090ffffff 0x0000000000040200"
MIB16_HIGH = "0x0000208042000000 0x0000208042ffffff 0x000000000014220c"
GIB64 = "0x0000022000000000 0x0000022fffffffff 0x000000000014220c"
PORTS = "0x0000000000004000 0x000000000000407f 0x0000000000040101"
UNSET = "0x0000000000000000 0x0000000fffffffff 0x000000002014220c"
DISABLED = "0x0000000000000000 0x0000000fffffffff 0x000000001014220c"
AT_ZERO = "0x0000000000000000 0x0000000fffffffff 0x000000000014220c"


def resource(*lines: str) -> str:
    return "\n".join([*lines, *[ABSENT] * (13 - len(lines))]) + "\n"


def config(*registers: int) -> bytes:
    values = [*registers, *[0] * (6 - len(registers))]
    return b"\xde\x10" + bytes(14) + b"".join(x.to_bytes(4, "little") for x in values) + bytes(24)


@pytest.mark.parametrize(
    ("text", "registers", "vendor", "expected"),
    [
        pytest.param(
            resource(MIB16, GIB64),
            b"",
            Vendor.NVIDIA,
            (Bar(0, 16777216), Bar(1, 68719476736)),
            id="as-it-should-be",
        ),
        pytest.param(
            resource(MIB16, ABSENT),
            config(0x90000000, 0xC),
            Vendor.NVIDIA,
            (Bar(0, 16777216), Bar(1, 0)),
            id="line-wiped",
        ),
        pytest.param(
            resource(MIB16, ABSENT),
            b"",
            Vendor.NVIDIA,
            (Bar(0, 16777216), Bar(1, 0)),
            id="line-wiped-and-registers-hidden",
        ),
        pytest.param(
            resource(MIB16_HIGH, ABSENT, ABSENT),
            b"",
            Vendor.NVIDIA,
            (Bar(0, 16777216), Bar(2, 0)),
            id="window-of-a-64-bit-card-wiped",
        ),
        pytest.param(
            resource(MIB16, UNSET),
            b"",
            Vendor.NVIDIA,
            (Bar(0, 16777216), Bar(1, 0)),
            id="flag-unset",
        ),
        pytest.param(
            resource(MIB16, DISABLED),
            b"",
            Vendor.NVIDIA,
            (Bar(0, 16777216), Bar(1, 0)),
            id="flag-disabled",
        ),
        pytest.param(
            resource(MIB16, AT_ZERO),
            b"",
            Vendor.NVIDIA,
            (Bar(0, 16777216), Bar(1, 0)),
            id="at-address-zero",
        ),
        pytest.param(
            resource(MIB16, GIB64, ABSENT, ABSENT),
            config(0x90000000, 0xC, 0x22, 0xC),
            Vendor.NVIDIA,
            (Bar(0, 16777216), Bar(1, 68719476736), Bar(3, 0)),
            id="only-the-third-region-wiped",
        ),
        pytest.param(
            resource(GIB64, "", ABSENT, ABSENT, PORTS),
            config(0xC, 0x22),
            Vendor.AMD,
            (Bar(0, 68719476736),),
            id="amd-has-no-must",
        ),
        pytest.param(
            resource(ABSENT, ABSENT, ABSENT),
            config(0xC, 0, 0xC),
            Vendor.AMD,
            (Bar(0, 0), Bar(2, 0)),
            id="amd-without-any-room",
        ),
        pytest.param(
            resource(ABSENT, ABSENT, ABSENT),
            b"\xff" * 64,
            Vendor.AMD,
            (),
            id="a-card-that-is-gone-tells-nothing",
        ),
        pytest.param("", b"", Vendor.NVIDIA, (), id="no-file"),
        pytest.param("zorp\n" * 13, config(1), Vendor.NVIDIA, (), id="garbage"),
        pytest.param(f"{MIB16}\n{GIB64}\n", b"", Vendor.NVIDIA, (), id="cut-short"),
    ],
)
def test_regions_without_room_have_size_zero(
    text: str, registers: bytes, vendor: Vendor, expected: tuple[Bar, ...]
) -> None:
    assert parse_bars(text, registers, vendor) == expected


@pytest.mark.parametrize(
    ("bars", "expected"),
    [
        pytest.param((Bar(0, 16), Bar(1, 64)), 64, id="register-1"),
        pytest.param((Bar(0, 16), Bar(2, 128), Bar(4, 32)), 128, id="register-2"),
        pytest.param((Bar(0, 16), Bar(1, 0)), 0, id="no-room"),
        pytest.param((Bar(1, 64), Bar(3, 32)), None, id="first-region-unknown"),
        pytest.param((), None, id="unknown"),
    ],
)
def test_window_is_the_second_region(bars: tuple[Bar, ...], expected: int | None) -> None:
    assert window_bytes(bars) == expected
