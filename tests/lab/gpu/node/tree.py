# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel shows of the hardware: the PCI bus, AMD's compute topology, the firmware.

The real directories are overlaid, so that everything that is really there stays visible.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

from .settings import RUN, Card

PCI = Path("/sys/bus/pci/devices")
BRIDGES = Path("/sys/devices/pci0000:00")
KFD = Path("/sys/class/kfd/kfd/topology")
SPEEDS = {1: "2.5", 2: "5.0", 3: "8.0", 4: "16.0", 5: "32.0", 6: "64.0"}
BRIDGE_CLASS, AUDIO_CLASS, SWITCH_CLASS = 0x060400, 0x040300, 0x068000
VENDORS = {"nvidia": 0x10DE, "amd": 0x1002}
MIB = 1 << 20


def overlay(where: Path) -> None:
    """Make a directory of the kernel writable for this machine alone."""
    # A colon would part two directories in the options, so the real one gets a name without.
    name = str(where).strip("/").replace("/", "-").replace(":", "-")
    real, upper, work = (RUN / kind / name for kind in ("real", "upper", "work"))
    for path in (real, upper, work):
        path.mkdir(parents=True, exist_ok=True)
    mount("--bind", str(where), str(real))
    options = f"lowerdir={real},upperdir={upper},workdir={work}"
    mount("-t", "overlay", "-o", options, "lab-hardware", str(where))


def mount(*words: str) -> None:
    """Mount something, with mount's own words where it cannot be done."""
    subprocess.run(["/bin/mount", *words], check=True)


def is_mounted(where: Path) -> bool:
    """Return whether something is mounted there."""
    rows = (line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return any(row[4] == str(where) for row in rows)


def prepare(with_kfd: bool) -> None:
    """Make room for simulated hardware beside the real one, once after power-on."""
    for where in (PCI, BRIDGES, Path("/sys/module"), Path("/sys/firmware")):
        if where.is_dir() and not is_mounted(where):
            overlay(where)
    driver = Path("/proc/driver")
    if not is_mounted(driver):
        mount("-t", "tmpfs", "-o", "mode=755,size=1m", "lab-hardware", str(driver))
    if with_kfd and not is_mounted(Path("/sys/class")):
        _open_classes()


def _open_classes() -> None:
    # Interfaces come and go in /sys/class/net: bind mounts keep it live, an overlay would not.
    classes, new = Path("/sys/class"), RUN / "class"
    new.mkdir(exist_ok=True)
    mount("-t", "tmpfs", "-o", "mode=755,size=4m", "lab-hardware", str(new))
    for each in classes.iterdir():
        (new / each.name).mkdir()
        mount("--bind", str(each), str(new / each.name))
    mount("--rbind", str(new), str(classes))


def write(folder: Path, values: dict[str, str]) -> None:
    """Write attributes, one file each, with the line end that the kernel writes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in values.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def _config(
    vendor: int, device: int, kind: int, subsystem: tuple[int, int], bars: list[int]
) -> bytes:
    header = 1 if kind == BRIDGE_CLASS else 0
    head = struct.pack("<HHHHBBBBBBBB", vendor, device, 0x0007, 0x0010, 0xA1, kind & 0xFF,
                       kind >> 8 & 0xFF, kind >> 16, 0, 0, header, 0)  # fmt: skip
    if header:
        return head.ljust(256, b"\0")
    body = struct.pack("<6I", *bars) + struct.pack("<I", 0) + struct.pack("<HH", *subsystem)
    return (head + body).ljust(256, b"\0")


def _device(address: str, parent: Path, values: dict[str, str], config: bytes) -> Path:
    folder = parent / address
    write(folder, values)
    (folder / "config").write_bytes(config)
    link = PCI / address
    if not link.exists():
        link.symlink_to(Path("../../..") / folder.relative_to("/sys"))
    return folder


def _link(generation: int, width: int, most: int, widest: int) -> dict[str, str]:
    return {
        "current_link_speed": f"{SPEEDS.get(generation, 'Unknown')} GT/s PCIe",
        "current_link_width": str(width),
        "max_link_speed": f"{SPEEDS.get(most, 'Unknown')} GT/s PCIe",
        "max_link_width": str(widest),
    }


def regions(card: Card) -> tuple[list[tuple[int, int, int]], list[int]]:
    """Return the lines of `resource` and the base address registers of a GPU."""
    window = card.window_mib
    base = 0x100_0000_0000 * (1 + card.number)
    low = 0x9000_0000 + card.number * 0x400_0000
    lines, bars = [(0, 0, 0)] * 13, [0] * 6
    if card.vendor == "amd":
        plan = ((0, window, base, 0x14220C, 0xC), (2, 2, base + (1 << 39), 0x14220C, 0xC),
                (5, 1, low, 0x40200, 0x0))  # fmt: skip
    elif card.get("bar0_is_64_bit") == "yes":
        plan = ((0, 16, base + (1 << 39), 0x14220C, 0xC), (2, window, base, 0x14220C, 0xC),
                (4, 32, base + (1 << 39) + 64 * MIB, 0x14220C, 0xC))  # fmt: skip
    else:
        plan = ((0, 16, low, 0x40200, 0x0), (1, window, base, 0x14220C, 0xC),
                (3, 32, base + (1 << 39), 0x14220C, 0xC))  # fmt: skip
    for index, mib, start, flags, fixed in plan:
        # Without room the kernel wipes the line; the register keeps its fixed bits.
        bars[index] = (start & 0xFFFF_FFF0 if mib else 0) | fixed
        if flags & 0x100000:
            bars[index + 1] = start >> 32 if mib else 0
        if mib:
            lines[index] = (start, start + mib * MIB - 1, flags)
    return lines, bars


def add_gpu(card: Card) -> None:
    """Put a GPU, its audio function and the port above it on the bus."""
    domain, bus, rest = card.pci.split(":")
    slot = rest.split(".")[0]
    port = f"{domain}:00:{0x10 + card.number // 8:02x}.{card.number % 8}"
    parent = BRIDGES if BRIDGES.is_dir() else RUN / "devices/pci0000:00"
    generation = card.size("slot_link_generation") or card.size("max_link_generation")
    width = card.size("slot_link_width") or card.size("max_link_width")
    values = {"vendor": "0x8086", "device": "0x352a", "class": f"{BRIDGE_CLASS:#08x}",
              "numa_node": card.get("numa_node", "-1"),
              **_link(generation, width, generation, width)}  # fmt: skip
    above = _device(port, parent, values, _config(0x8086, 0x352A, BRIDGE_CLASS, (0, 0), []))
    vendor, device = VENDORS[card.vendor], card.size("device_id")
    kind = card.size("class") or 0x030200
    subsystem = card.size("subsystem_id")
    lines, bars = regions(card)
    values = {
        "vendor": f"{vendor:#06x}", "device": f"{device:#06x}", "class": f"{kind:#08x}",
        "subsystem_vendor": f"{subsystem >> 16:#06x}",
        "subsystem_device": f"{subsystem & 0xFFFF:#06x}",
        "revision": card.get("revision", "0xa1"), "numa_node": card.get("numa_node", "-1"),
        "enable": "1", "irq": "16", "power_state": "D0", "driver_override": "(null)",
        "boot_vga": "0",
        "modalias": f"pci:v{vendor:08X}d{device:08X}sv{subsystem >> 16:08X}"
        f"sd{subsystem & 0xFFFF:08X}bc{kind >> 16:02X}sc{kind >> 8 & 255:02X}i{kind & 255:02X}",
        "resource": "\n".join("0x{:016x} 0x{:016x} 0x{:016x}".format(*line) for line in lines),
    }  # fmt: skip
    config = _config(vendor, device, kind, (subsystem >> 16, subsystem & 0xFFFF), bars)
    folder = _device(card.pci, above, values, config)
    refresh_gpu(card)
    if card.get("virtual") == "yes":
        (folder / "physfn").symlink_to("../0000:00:00.0")
    if kind == 0x030000:
        audio = {"vendor": f"{vendor:#06x}", "device": "0x10f0", "class": f"{AUDIO_CLASS:#08x}",
                 "numa_node": card.get("numa_node", "-1")}  # fmt: skip
        config = _config(vendor, 0x10F0, AUDIO_CLASS, (0, 0), [0] * 6)
        _device(f"{domain}:{bus}:{slot}.1", above, audio, config)


def refresh_gpu(card: Card) -> None:
    """Write what may change while the machine runs: the link."""
    folder = PCI / card.pci
    if folder.is_dir():
        write(folder.resolve(), _link(card.size("link_generation"), card.size("link_width"),
                                      card.size("max_link_generation"),
                                      card.size("max_link_width")))  # fmt: skip


def add_switches(count: int) -> None:
    """Put NVSwitches on the bus."""
    for number in range(count):
        values = {"vendor": "0x10de", "device": "0x22a3", "class": f"{SWITCH_CLASS:#08x}",
                  "subsystem_vendor": "0x10de", "subsystem_device": "0x1796",
                  "numa_node": "0"}  # fmt: skip
        config = _config(0x10DE, 0x22A3, SWITCH_CLASS, (0x10DE, 0x1796), [0] * 6)
        _device(f"0000:{0xD0 + number:02x}:00.0", BRIDGES, values, config)


def add_integrated(settings: dict[str, str]) -> None:
    """Put the graphics part of an AMD processor on the bus, behind its internal bridge."""
    device = int(settings["integrated.device_id"], 0)
    above = _device("0000:00:08.1", BRIDGES,
                    {"vendor": "0x1022", "device": "0x14eb", "class": f"{BRIDGE_CLASS:#08x}",
                     **_link(4, 16, 4, 16)},
                    _config(0x1022, 0x14EB, BRIDGE_CLASS, (0, 0), []))  # fmt: skip
    values = {"vendor": "0x1002", "device": f"{device:#06x}", "class": "0x030000",
              "subsystem_vendor": "0x1043", "subsystem_device": "0x8877", "numa_node": "-1",
              "boot_vga": "1", "mem_info_vram_total": str(512 * MIB), **_link(4, 16, 4, 16),
              "resource": "\n".join(["0x000000fc00000000 0x000000fc0fffffff 0x000000000014220c"]
                                     + ["0x0000000000000000 0x0000000000000000 0x0000000000000000"]
                                     * 12)}  # fmt: skip
    address = settings.get("integrated.pci", "0000:0e:00.0")
    config = _config(0x1002, device, 0x030000, (0x1043, 0x8877), [0xC, 0, 0, 0, 0, 0])
    folder = _device(address, above, values, config)
    bind(address, "amdgpu")
    (folder / "drm" / "renderD127").mkdir(parents=True, exist_ok=True)


def bind(address: str, driver: str | None) -> None:
    """Show which kernel module holds a device."""
    folder = (PCI / address).resolve()
    link = folder / "driver"
    link.unlink(missing_ok=True)
    if driver:
        home = RUN / "bus/pci/drivers" / driver
        home.mkdir(parents=True, exist_ok=True)
        link.symlink_to(home)


def driver_of(address: str) -> str | None:
    """Return which kernel module holds a device."""
    link = PCI / address / "driver"
    return link.readlink().name if link.is_symlink() else None


def add_firmware(secure_boot: str) -> None:
    """Show a UEFI machine with Secure Boot on or off, or (none) one that started by a BIOS."""
    efi = Path("/sys/firmware/efi")
    if secure_boot not in ("on", "off"):
        return
    variables = efi / "efivars"
    variables.mkdir(parents=True, exist_ok=True)
    name = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
    state = 1 if secure_boot == "on" else 0
    (variables / name).write_bytes(struct.pack("<IB", 6, state))


def show_kfd(gpus: list[Card]) -> None:
    """Show AMD's compute topology: the processor, then each GPU with its partitions."""
    shutil.rmtree(KFD.parent, ignore_errors=True)
    nodes = [{"cpu_cores_count": 64, "simd_count": 0, "mem_banks_count": 1}]
    names = ["", *(card.get("gfx_name") for card in gpus)]
    for card in gpus:
        domain, bus, rest = card.pci.split(":")
        location = int(bus, 16) << 8 | int(rest[:2], 16) << 3 | int(rest[3:])
        nodes.append({
            "cpu_cores_count": 0, "simd_count": card.size("simd_count") or 1216,
            "mem_banks_count": 1, "gfx_target_version": card.size("gfx_target_version"),
            "vendor_id": 0x1002, "device_id": card.size("device_id"), "location_id": location,
            "domain": int(domain, 16), "drm_render_minor": 128 + card.number,
            "hive_id": card.size("hive_id"), "num_xcc": card.size("num_xcc") or 1,
            "unique_id": card.size("unique_id"), "max_waves_per_simd": 8,
        })  # fmt: skip
    for number, values in enumerate(nodes):
        folder = KFD / "nodes" / str(number)
        properties = "\n".join(f"{key} {value}" for key, value in values.items())
        gpu_id = 20000 + number if number else 0
        write(folder, {"properties": properties, "gpu_id": str(gpu_id), "name": names[number]})
        size = gpus[number - 1].size("memory_mib") if number else 65536
        heap = 1 if number else 0
        bank = (
            f"heap_type {heap}\nsize_in_bytes {size * MIB}\nflags 0\nwidth 8192\nmem_clk_max 1300"
        )
        write(folder / "mem_banks/0", {"properties": bank})
    write(KFD, {"system_properties": "platform_oem 0\nplatform_id 0\nplatform_rev 0",
                "generation_id": "2"})  # fmt: skip
