# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory regions (BARs) of a GPU, and those that the BIOS or the kernel found no room for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import Bar, Vendor

#: A device has six base address registers; sysfs lists the ROM and bridge windows after them.
_REGISTERS = 6
_FIRST_REGISTER = 0x10
_REGISTER_BYTES = 4
#: What a device that is gone answers to every read.
_GONE = 0xFFFFFFFF

# Flags of a line of `resource` (include/linux/ioport.h of the kernel).
_IS_MEMORY = 0x00000200
_IS_64_BIT = 0x00100000
_IS_DISABLED = 0x10000000
_IS_UNSET = 0x20000000

# The lowest bits of a register are fixed in the device (PCI specification): bit 0 says I/O, bits 1
# and 2 how many bits the address has, bit 3 that reading ahead is harmless.
_REGISTER_IO = 0x1
_REGISTER_TYPE = 0x6
_REGISTER_64_BIT = 0x4
_REGISTER_PREFETCH = 0x8

_LINE = re.compile(r"(0x[0-9a-f]{1,16})\s+(0x[0-9a-f]{1,16})\s+(0x[0-9a-f]{1,16})")


class _Region(NamedTuple):
    start: int
    end: int
    flags: int


def parse_bars(resource: str, config: bytes, vendor: Vendor) -> tuple[Bar, ...]:
    """Return the memory regions of a GPU by their register, with size 0 where there was no room.

    ``resource`` is the file of that name in sysfs, ``config`` the beginning of the file ``config``.
    A region without room stands in ``resource`` with an unset or disabled flag or with the address
    0; many kernels wipe the whole line, so that it looks like a register that the card does not
    have. Then the register's fixed bits in ``config`` tell, and for NVIDIA that its window is a
    must.
    """
    lines = [_LINE.fullmatch(line.strip().lower()) for line in resource.splitlines()]
    if len(lines) < _REGISTERS or not lines[0]:
        return ()
    regions = [_Region(*(int(x, 16) for x in line.groups())) if line else None for line in lines]
    window = _window_register(regions[0], _register(config, 0))
    bars = []
    skip = False
    for index, region in enumerate(regions[:_REGISTERS]):
        register = _register(config, index)
        if region is not None and not skip:
            must = vendor is Vendor.NVIDIA and index == window
            size = _size(region, must or _is_memory(register))
            bars += [] if size is None else [Bar(index, size)]
        # The upper half of a 64-bit address takes the next register.
        skip = not skip and region is not None and _is_64_bit(region, register)
    return tuple(bars)


def window_bytes(bars: Sequence[Bar]) -> Optional[int]:
    """Return the size of an NVIDIA GPU's window to its memory, which its driver calls BAR1.

    It is the second region. Its register is 1, or 2 where the first region has a 64-bit address
    (H100 and later).
    """
    return bars[1].size_bytes if len(bars) > 1 and bars[0].index == 0 else None


def _window_register(first: Optional[_Region], register: Optional[int]) -> int:
    """Return the register of the second region of an NVIDIA GPU."""
    return 2 if first is not None and _is_64_bit(first, register) else 1


def _size(region: _Region, is_there: bool) -> Optional[int]:
    """Return the bytes of a region, 0 without room, None where no memory region is."""
    if not region.flags:
        return 0 if is_there else None
    if not region.flags & _IS_MEMORY:
        return None
    without_room = region.flags & (_IS_UNSET | _IS_DISABLED) or region.start == 0
    return 0 if without_room else max(region.end - region.start + 1, 0)


def _register(config: bytes, index: int) -> Optional[int]:
    """Return a base address register, None when it cannot be read or the device is gone."""
    begin = _FIRST_REGISTER + index * _REGISTER_BYTES
    value = int.from_bytes(config[begin : begin + _REGISTER_BYTES], "little")
    return value if len(config) >= begin + _REGISTER_BYTES and value != _GONE else None


def _is_memory(register: Optional[int]) -> bool:
    """Return whether a register is surely one of memory: a plain 32-bit one reads as 0 too."""
    if not register or register & _REGISTER_IO:
        return False
    return bool(register & (_REGISTER_TYPE | _REGISTER_PREFETCH))


def _is_64_bit(region: _Region, register: Optional[int]) -> bool:
    """Return whether a region takes two registers."""
    if region.flags:
        return bool(region.flags & _IS_MEMORY and region.flags & _IS_64_BIT)
    is_io = bool(register) and bool((register or 0) & _REGISTER_IO)
    return not is_io and ((register or 0) & _REGISTER_TYPE) == _REGISTER_64_BIT
