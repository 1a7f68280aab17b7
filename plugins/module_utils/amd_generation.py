# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an AMD device id or a gfx target says of a GPU: its model, its generation, its place.

The ids and names are facts of pci.ids (pciutils/pciids, August 2026), the gfx targets those of
AMD's list of supported GPUs. An id that is not in the tables is unknown: None, never a guess.
"""

from __future__ import annotations

import re
from typing import Optional

_DEVICE_ID = re.compile(r"(?:0x)?([0-9a-f]{1,4})", re.IGNORECASE)

# First and last id of the graphics parts of AMD processors and chipsets. MI300A (74a0) is a
# processor with a GPU too, but one that is bought to compute: it is not here.
_APU_RANGES = (
    (0x1114, 0x1114),  # Krackan
    (0x1304, 0x131D),  # Kaveri
    (0x13C0, 0x13C0),  # Granite Ridge
    (0x13DB, 0x13FE),  # Ariel, Cyan Skillfish: game consoles
    (0x1435, 0x1435),  # Sephiroth
    (0x1506, 0x1506),  # Mendocino
    (0x150E, 0x150E),  # Strix
    (0x1586, 0x1586),  # Strix Halo
    (0x15BF, 0x15BF),  # Phoenix
    (0x15C8, 0x15C8),  # Phoenix 2
    (0x15D8, 0x15D8),  # Picasso, Raven 2
    (0x15DD, 0x15DD),  # Raven Ridge
    (0x15E7, 0x15E7),  # Barcelo
    (0x15FF, 0x15FF),  # Fenghuang
    (0x1636, 0x1636),  # Renoir
    (0x1638, 0x1638),  # Cezanne
    (0x163F, 0x163F),  # Van Gogh
    (0x164C, 0x164F),  # Lucienne, Rembrandt, Raphael, Phoenix
    (0x1681, 0x1681),  # Rembrandt
    (0x1900, 0x1902),  # Hawk Point, Krackan 2
    (0x9610, 0x9616),  # RS780
    (0x9640, 0x964F),  # Sumo
    (0x9710, 0x9715),  # RS880
    (0x9802, 0x980A),  # Wrestler
    (0x9830, 0x983D),  # Kabini, Temash
    (0x9850, 0x985F),  # Mullins
    (0x9874, 0x9874),  # Carrizo
    (0x98E4, 0x98E4),  # Stoney
    (0x9900, 0x991E),  # Trinity, Richland
    (0x9990, 0x99A4),  # Trinity 2, Richland
)

# What server boards have soldered on for their console: Rage XL, RV100 and ES1000.
_BOARD_CONSOLES = frozenset({0x474D, 0x474F, 0x4752, 0x5159, 0x515E})

# Where one id stands for several cards, the name says them all. The names of virtual functions
# that pci.ids does not have are those of AMD's GPU operator (its node feature rules).
_MODELS = {
    0x66A1: "AMD Radeon Pro VII / Radeon Instinct MI50",
    0x6860: "AMD Radeon Instinct MI25 / MI25x2 / V340 / V320",
    0x738C: "AMD Instinct MI100",
    0x738E: "AMD Instinct MI100",
    0x73A1: "AMD Radeon Pro V620",
    0x73A3: "AMD Radeon PRO W6800",
    0x73A5: "AMD Radeon RX 6950 XT",
    0x73AE: "AMD Radeon Pro V620 VF",
    0x73AF: "AMD Radeon RX 6900 XT",
    0x73BF: "AMD Radeon RX 6800 / 6800 XT / 6900 XT",
    0x7408: "AMD Instinct MI250X",
    0x740C: "AMD Instinct MI250X / MI250",
    0x740F: "AMD Instinct MI210",
    0x7410: "AMD Instinct MI210 VF",
    0x7448: "AMD Radeon PRO W7900",
    0x7449: "AMD Radeon PRO W7800 48GB",
    0x744A: "AMD Radeon PRO W7900 Dual Slot",
    0x744B: "AMD Radeon PRO W7900D",
    0x744C: "AMD Radeon RX 7900 XT / 7900 XTX / 7900 GRE / 7900M",
    0x745E: "AMD Radeon PRO W7800",
    0x7460: "AMD Radeon PRO V710",
    0x7461: "AMD Radeon PRO V710 VF",
    0x7470: "AMD Radeon PRO W7700",
    0x747E: "AMD Radeon RX 7700 XT / 7800 XT",
    0x7489: "AMD Radeon PRO W7500",
    0x74A0: "AMD Instinct MI300A",
    0x74A1: "AMD Instinct MI300X",
    0x74A2: "AMD Instinct MI308X",
    0x74A5: "AMD Instinct MI325X",
    0x74A8: "AMD Instinct MI308X HF",
    0x74A9: "AMD Instinct MI300X HF",
    0x74B5: "AMD Instinct MI300X VF",
    0x74B6: "AMD Instinct MI308X VF",
    0x74B9: "AMD Instinct MI325X VF",
    0x74BC: "AMD Instinct MI308X HF VF",
    0x74BD: "AMD Instinct MI300X HF VF",
    0x7550: "AMD Radeon RX 9070 / 9070 XT / 9070 GRE",
    0x7551: "AMD Radeon AI PRO R9700",
    0x7590: "AMD Radeon RX 9050 / 9060 XT",
    0x75A0: "AMD Instinct MI350X",
    0x75A3: "AMD Instinct MI355X",
    0x75A8: "AMD Instinct MI350P",
    0x75B0: "AMD Instinct MI350X VF",
    0x75B3: "AMD Instinct MI355X VF",
    0x75B8: "AMD Instinct MI350P VF",
}

# Virtual functions: shares of a card that a hypervisor hands to a guest.
_VIRTUAL = frozenset(
    {0x686C, 0x692F, 0x73AE, 0x73CE, 0x7410, 0x7461, 0x74B5, 0x74B6, 0x74B9, 0x74BC, 0x74BD}
    | {0x75B0, 0x75B3, 0x75B8}
)

_ARCHITECTURE_RANGES = (
    (0x66A0, 0x66AF, "gcn5"),  # Vega 20: MI50, MI60, Radeon VII
    (0x6860, 0x687F, "gcn5"),  # Vega 10: MI25
    (0x7310, 0x731F, "rdna1"),  # Navi 10
    (0x7340, 0x734F, "rdna1"),  # Navi 14
    (0x7360, 0x7362, "rdna1"),  # Navi 12
    (0x7388, 0x738E, "cdna1"),  # Arcturus: MI100
    (0x73A1, 0x73EF, "rdna2"),  # Navi 21 to 23
    (0x73F0, 0x73F0, "rdna3"),  # Navi 33
    (0x73FF, 0x73FF, "rdna2"),  # Navi 23
    (0x7408, 0x7410, "cdna2"),  # Aldebaran: MI210, MI250
    (0x7421, 0x743F, "rdna2"),  # Navi 24
    (0x7448, 0x749F, "rdna3"),  # Navi 31 to 33
    (0x74A0, 0x74BD, "cdna3"),  # Aqua Vanjaram: MI300, MI308, MI325
    (0x7550, 0x7590, "rdna4"),  # Navi 44, Navi 48
    (0x75A0, 0x75B8, "cdna4"),  # MI350, MI355
)

_TARGETS = {
    "gfx900": "gcn5",
    "gfx906": "gcn5",
    "gfx908": "cdna1",
    "gfx90a": "cdna2",
    "gfx940": "cdna3",
    "gfx941": "cdna3",
    "gfx942": "cdna3",
    "gfx950": "cdna4",
}
_TARGET_FAMILIES = {"gfx101": "rdna1", "gfx103": "rdna2", "gfx110": "rdna3", "gfx120": "rdna4"}

# GPUs that only ever were part of a processor: Raven, Renoir, Van Gogh, Rembrandt, Raphael,
# Phoenix, Strix, Krackan.
_APU_TARGETS = frozenset(
    {"gfx902", "gfx909", "gfx90c", "gfx1033", "gfx1035", "gfx1036", "gfx1103"}
    | {"gfx1150", "gfx1151", "gfx1152", "gfx1153"}
)


def is_apu(device_id: str) -> bool:
    """Return whether this is the graphics part of a processor, which no one bought to compute.

    MI300A is a processor that computes on its GPU, so it is not one of these.
    """
    number = _number(device_id)
    return number is not None and any(low <= number <= high for low, high in _APU_RANGES)


def is_board_console(device_id: str) -> bool:
    """Return whether this only draws the console of a server board and cannot compute."""
    return _number(device_id) in _BOARD_CONSOLES


def is_virtual_function(device_id: str) -> bool:
    """Return whether this is a share of a card that a hypervisor hands to its guests."""
    return _number(device_id) in _VIRTUAL


def is_apu_target(target: Optional[str]) -> bool:
    """Return whether a gfx target, such as gfx1036, exists only inside processors."""
    return target in _APU_TARGETS


def model_name(device_id: str) -> Optional[str]:
    """Return the name of the card, or of all cards that share the id; None for an unknown one."""
    number = _number(device_id)
    return None if number is None else _MODELS.get(number)


def exact_model_name(device_id: str) -> Optional[str]:
    """Return the name of the card, None where several cards share the id: a driver knows more."""
    name = model_name(device_id)
    return None if name is None or " / " in name else name


def architecture(device_id: str) -> Optional[str]:
    """Return the generation, such as cdna3 or rdna3, None where the id is unknown."""
    number = _number(device_id)
    if number is None:
        return None
    found = (name for low, high, name in _ARCHITECTURE_RANGES if low <= number <= high)
    return next(found, None)


def target_architecture(target: Optional[str]) -> Optional[str]:
    """Return the generation of a gfx target: gfx942 is cdna3, gfx1100 is rdna3."""
    if not target:
        return None
    return _TARGETS.get(target) or _TARGET_FAMILIES.get(target[:6])


def _number(device_id: str) -> Optional[int]:
    """Return a PCI device id, written as 0x74a1 or 74A1, as a number."""
    match = _DEVICE_ID.fullmatch(str(device_id).strip())
    return int(match.group(1), 16) if match else None
