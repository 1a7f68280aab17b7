#!/usr/bin/python3
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for amd-smi and rocm-smi, for test nodes: what they print as JSON and as short lists.

Which of the two, says the name that the program was called by.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

ROCM = "@ROCM@"
CONFIG = Path("/run/lab-hardware/nvidia.conf")


def cards() -> tuple[list[dict[str, str]], str]:
    """Return the settings of each GPU that has its device file, and the driver's version."""
    found: dict[int, dict[str, str]] = {}
    rows = CONFIG.read_text().splitlines() if CONFIG.exists() else []
    settings = dict(row.split("=", 1) for row in rows if "=" in row)
    if settings.get("amd_smi") == "hang":
        time.sleep(10**8)
    if settings.get("amd_smi") == "garbage":
        sys.stdout.buffer.write(b"\xff\xfe{not json\n")
        sys.exit(0)
    for key, value in settings.items():
        if key.startswith("gpu."):
            _, number, name = key.split(".", 2)
            found.setdefault(int(number), {"number": number})[name] = value
    shown = [
        card
        for _, card in sorted(found.items())
        if card.get("vendor") == "amd"
        and card.get("fault") != "lost"
        and Path(f"/dev/dri/renderD{128 + int(card['number'])}").exists()
    ]
    return (shown if Path("/dev/kfd").exists() else []), settings.get("amdgpu", "")


def generation(number: str) -> str:
    """Return the speed of a link as AMD's tools write it."""
    return {"1": "2.5", "2": "5", "3": "8", "4": "16", "5": "32"}.get(number, "N/A")


def unit(value: str, name: str) -> dict[str, object]:
    """Return a whole number with its unit."""
    return {"value": int(value), "unit": name}


def static(index: int, card: dict[str, str], driver: str) -> dict[str, object]:
    """Return what does not change of a GPU."""
    return {
        "gpu": index,
        "asic": {
            "market_name": card["model"],
            "vendor_id": "0x1002",
            "vendor_name": "Advanced Micro Devices Inc. [AMD/ATI]",
            "device_id": card["device_id"],
            "rev_id": "0x00",
            "asic_serial": "0x" + card["unique_id"][2:].upper(),
            "oam_id": index,
            "target_graphics_version": "gfx" + card["gfx_target_version"],
        },
        "bus": {
            "bdf": card["pci"],
            "max_pcie_width": int(card["max_link_width"]),
            "max_pcie_speed": {
                "value": float(generation(card["max_link_generation"])),
                "unit": "GT/s",
            },
            "pcie_interface_version": f"Gen {card['max_link_generation']}",
            "slot_type": "PCIE",
        },
        "limit": {
            "max_power": unit(card["power_limit_w"], "W"),
            "socket_power": unit(card["power_limit_w"], "W"),
        },
        "driver": {"name": "amdgpu", "version": driver or "N/A"},
        "vram": {"type": "HBM", "vendor": "N/A", "size": unit(card["memory_mib"], "MB")},
        "numa": {"node": int(card.get("numa_node", "0")), "affinity": 0},
        "partition": {
            "compute_partition": card.get("partition", "SPX"),
            "memory_partition": "NPS1",
            "partition_id": 0,
        },
    }


def metric(index: int, card: dict[str, str]) -> dict[str, object]:
    """Return what changes of a GPU."""
    degrees = {"value": int(card["temperature_c"]), "unit": "C"}
    return {
        "gpu": index,
        "usage": {"gfx_activity": {"value": int(card["utilization_percent"]), "unit": "%"}},
        "power": {"socket_power": {"value": int(float(card["power_w"])), "unit": "W"}},
        "temperature": {"edge": "N/A", "hotspot": degrees, "mem": degrees},
        "pcie": {
            "width": int(card["link_width"]),
            "speed": {"value": float(generation(card["link_generation"])), "unit": "GT/s"},
        },
        "ecc": {
            "total_correctable_count": int(card.get("ecc_volatile_corrected", "0")),
            "total_uncorrectable_count": int(card.get("ecc_volatile_uncorrected", "0")),
        },
        "mem_usage": {"total_vram": {"value": int(card["memory_mib"]), "unit": "MB"}},
    }


def amd_smi(words: list[str]) -> None:
    """Act as amd-smi."""
    found, driver = cards()
    what = next((word for word in words if not word.startswith("-")), "list")
    if what == "version":
        data: object = [
            {
                "tool": "AMDSMI Tool",
                "version": "stand-in for test nodes, made by tests/lab/gpu",
                "amdsmi_library_version": "26.0.0",
                "rocm_version": ROCM,
            }
        ]
    elif what == "static":
        data = [static(index, card, driver) for index, card in enumerate(found)]
    elif what == "metric":
        data = [metric(index, card) for index, card in enumerate(found)]
    else:
        data = [
            {
                "gpu": index,
                "bdf": card["pci"],
                "uuid": f"{card['unique_id'][2:10]}-0000-1000-8000-000000000000",
                "kfd_id": 20001 + index,
                "node_id": index + 1,
                "partition_id": 0,
            }
            for index, card in enumerate(found)
        ]
    if int(ROCM.split(".")[0]) >= 7 and what in ("static", "metric"):
        data = {"gpu_data": data}
    print(json.dumps(data, indent=4))


def card_row(words: list[str], card: dict[str, str]) -> dict[str, str]:
    """Return what rocm-smi shows of a GPU for the flags that it was called with."""
    vendor = "Advanced Micro Devices Inc. [AMD/ATI]"
    shown = {
        "--showproductname": {
            "Card Series": card["model"],
            "Card Model": card["device_id"],
            "Card Vendor": vendor,
        },
        "--showuniqueid": {"Unique ID": card["unique_id"]},
        "--showmeminfo": {
            "VRAM Total Memory (B)": str(int(card["memory_mib"]) << 20),
            "VRAM Total Used Memory (B)": "0",
        },
        "--showbus": {"PCI Bus": card["pci"].upper()},
    }
    return {key: value for flag in words for key, value in shown.get(flag, {}).items()}


def rocm_smi(words: list[str]) -> None:
    """Act as rocm-smi."""
    found, driver = cards()
    if not found:
        print("ERROR:root:Driver not initialized (amdgpu not found in modules)")
        sys.exit(1)
    data = {f"card{index}": card_row(words, card) for index, card in enumerate(found)}
    if "--showdriverversion" in words:
        data["system"] = {"Driver version": driver or "in-kernel"}
    if "--json" in words:
        print(json.dumps(data))
    else:
        print("======= ROCm System Management Interface (stand-in) =======")
        for name, row in data.items():
            print(f"{name}: {row}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--version"]:
        sys.exit(
            print(f"{Path(sys.argv[0]).name}: a stand-in for test nodes, made by tests/lab/gpu")
        )
    (rocm_smi if Path(sys.argv[0]).name == "rocm-smi" else amd_smi)(sys.argv[1:])
