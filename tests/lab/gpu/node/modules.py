# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading and unloading the kernel modules of GPUs, as the kernel and udev do it.

What is loaded is what lies in /lib/modules at that moment: after an upgrade without a boot the
loaded version is the old one, and the library says that the two differ.
"""

from __future__ import annotations

import grp
import os
import re
import stat
import subprocess
import tarfile
import tempfile
from pathlib import Path

from . import settings
from .settings import DRIVER_VIEW, KERNEL, LOADED, MODULES, RUN, Card
from .tree import KFD, bind, driver_of, show_kfd, write

HELPERS = ("nvidia-uvm", "nvidia-modeset", "nvidia-drm", "nvidia-peermem")
OURS = frozenset({"nvidia", "nouveau", "amdgpu", *HELPERS})
INITIAL_FILES = Path(f"/boot/initrd.img-{KERNEL}")
REAL_MODPROBE = "/usr/lib/lab-hardware/modprobe"
#: The first generation that the open module supports is Turing.
CLOSED_ONLY = ("kepler", "maxwell", "pascal", "volta")
OPEN_ONLY = ("blackwell",)
NOT_LOADED = "not currently loaded"
NVIDIA_MAJOR, UVM_MAJOR, RENDER_MAJOR, KFD_MAJOR = 195, 510, 226, 511


class LoadError(Exception):
    """Why the kernel did not take a module, in the kernel's words."""


def name_of(text: str) -> str:
    """Return a module's name with dashes, as the programs take both forms."""
    return text.replace("_", "-")


def loaded() -> dict[str, str]:
    """Return the loaded modules with their versions."""
    return {path.name: path.read_text().strip() for path in LOADED.glob("*")}


def on_disk(module: str) -> dict[str, str]:
    """Return what modinfo would say of an installed module, nothing where there is none."""
    for path in sorted(MODULES.glob(f"**/{module}.ko")):
        fields = re.findall(rb"(\w+)=([\x20-\x7e]+)\0", path.read_bytes())
        return {key.decode(): value.decode() for key, value in fields}
    return {}


def is_blacklisted(module: str, folder: Path | None = None) -> bool:
    """Return whether the configuration keeps udev from loading a module."""
    argv = [REAL_MODPROBE, *(["-C", str(folder)] if folder else []), "--showconfig"]
    text = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    for line in text.splitlines():
        words = line.split()
        if words[:2] == ["blacklist", module] or words[:3] == ["alias", module, "off"]:
            return True
        if words[:2] == ["install", module] and words[-1].endswith(("false", "true")):
            return True
    return False


def is_blacklisted_early(module: str) -> bool:
    """Return whether the initial files, which the kernel sees first, keep a module out."""
    if not INITIAL_FILES.exists():
        return True
    with tempfile.TemporaryDirectory() as folder:
        try:
            _unpack(Path(folder))
        except (tarfile.TarError, OSError):
            return False
        return is_blacklisted(module, Path(folder))


def _unpack(folder: Path) -> None:
    """Lay the settings of modprobe that are in the initial files into a folder."""
    with tarfile.open(INITIAL_FILES) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content:
                (folder / Path(member.name).name).write_bytes(content.read())


def boot(machine: dict[str, str]) -> None:
    """Load what a machine loads by itself when it is switched on."""
    cards = settings.cards(machine)
    for card in cards:
        bind(card.pci, card.get("bound") or None)
    nvidia = [card for card in cards if card.vendor == "nvidia" and not card.get("bound")]
    if nvidia:
        early = machine.get("kernel.nouveau") != "absent" and not is_blacklisted_early("nouveau")
        late = machine.get("kernel.nouveau") != "absent" and not is_blacklisted("nouveau")
        for module, wanted in (("nouveau", early), ("nvidia", True), ("nouveau", late)):
            if wanted and not (module == "nouveau" and "nvidia" in loaded()):
                _try(module, machine)
    if any(card.vendor == "amd" and not card.get("bound") for card in cards):
        _try("amdgpu", machine)


def _try(module: str, machine: dict[str, str]) -> None:
    try:
        if module == "nouveau" or module == "amdgpu" or on_disk(module):
            load(module, machine)
    except LoadError:
        return


def load(module: str, machine: dict[str, str]) -> None:
    """Load a module, or raise LoadError with the kernel's word for it."""
    module = name_of(module)
    if module in loaded():
        return
    if module in HELPERS:
        load("nvidia", machine)
        _note(module, loaded()["nvidia"])
        return
    vendor = "amd" if module == "amdgpu" else "nvidia"
    cards = [card for card in settings.cards(machine) if card.vendor == vendor]
    if module == "nouveau":
        _load_nouveau(cards)
    elif module == "nvidia":
        _load_nvidia(cards, machine)
    else:
        _load_amdgpu(cards, machine)


def _note(module: str, version: str) -> None:
    LOADED.mkdir(parents=True, exist_ok=True)
    (LOADED / module).write_text(version + "\n")
    shown = Path("/sys/module") / module.replace("-", "_")
    write(shown, {"refcnt": "0", **({"version": version} if version else {})})


def _load_nouveau(cards: list[Card]) -> None:
    if not [card for card in cards if driver_of(card.pci) is None]:
        raise LoadError("No such device")
    _note("nouveau", "")
    for card in cards:
        if driver_of(card.pci) is None:
            bind(card.pci, "nouveau")
            settings.log(f"nouveau {card.pci}: NVIDIA {card.get('architecture')} (simulated)")
            _device_file(f"/dev/dri/renderD{128 + card.number}", RENDER_MAJOR, 128 + card.number,
                         "render", 0o660)  # fmt: skip


def _load_nvidia(cards: list[Card], machine: dict[str, str]) -> None:
    module = on_disk("nvidia")
    if not module:
        raise LoadError("not found")
    if machine.get("secure_boot") == "on" and not module.get("signer"):
        settings.log("Loading of module with unavailable key is rejected")
        raise LoadError("Key was rejected by service")
    taken = [card for card in _free(cards) if _takes(card, module)]
    if not taken:
        settings.log("NVRM: None of the NVIDIA devices were initialized.")
        raise LoadError("No such device")
    version = module["version"]
    form = "Open Kernel Module for x86_64" if "MIT" in module["license"] else "x86_64 Kernel Module"
    for name in ("nvidia", "nvidia-modeset", "nvidia-uvm"):
        _note(name, version)
    banner = f"NVRM version: NVIDIA UNIX {form}  {version}  Release Build  (lab@stand-in)"
    write(Path("/proc/driver/nvidia"),
          {"version": f"{banner}\nGCC version:  gcc version 14.2.0 (stand-in)"})  # fmt: skip
    settings.log(f"NVRM: loading NVIDIA UNIX {form}  {version}  (simulated)")
    for card in taken:
        _take(card)
    files = [("nvidiactl", NVIDIA_MAJOR, 255), ("nvidia-modeset", NVIDIA_MAJOR, 254),
             ("nvidia-uvm", UVM_MAJOR, 0), ("nvidia-uvm-tools", UVM_MAJOR, 1)]  # fmt: skip
    if int(machine.get("nvswitches") or 0):
        files.append(("nvidia-nvswitchctl", NVIDIA_MAJOR, 253))
    for name, major, minor in files:
        _device_file(f"/dev/{name}", major, minor)
    show_driver(machine)


def _free(cards: list[Card]) -> list[Card]:
    """Return the cards that no other module holds, and log those that one does."""
    held = {card.number: driver_of(card.pci) for card in cards}
    for card in cards:
        if held[card.number]:
            settings.log(f"NVRM: GPU {card.pci} is already bound to {held[card.number]}.")
    if any(held.values()):
        count = sum(each is not None for each in held.values())
        settings.log(f"NVRM: The NVIDIA probe routine was not called for {count} device(s).")
    return [card for card in cards if held[card.number] is None]


def _take(card: Card) -> None:
    bind(card.pci, "nvidia")
    _device_file(f"/dev/nvidia{card.number}", NVIDIA_MAJOR, card.number)
    rows = {"Model": card.get("model"), "GPU UUID": card.get("uuid"), "Bus Location": card.pci,
            "Device Minor": str(card.number)}  # fmt: skip
    text = "\n".join(f"{name}: \t {value}" for name, value in rows.items())
    write(Path("/proc/driver/nvidia/gpus") / card.pci, {"information": text})


def _takes(card: Card, module: dict[str, str]) -> bool:
    """Return whether the driver takes a card, and log why it does not."""
    identifier = f"10de:{card.size('device_id'):04x}"
    is_open = "MIT" in module["license"]
    generation = card.get("architecture")
    if is_open and generation in CLOSED_ONLY:
        settings.log(
            f"NVRM: The NVIDIA GPU {card.pci} (PCI ID: {identifier})",
            "NVRM: installed in this system is not supported by open",
            "NVRM: nvidia.ko because it does not include the required GPU",
            "NVRM: System Processor (GSP).",
        )
        return False
    too_old = generation in CLOSED_ONLY and int(module["version"].split(".")[0]) > 580
    if too_old or (generation in OPEN_ONLY and not is_open):
        branch = module["version"].split(".")[0]
        settings.log(
            f"NVRM: The NVIDIA GPU {card.pci} (PCI ID: {identifier})",
            f"NVRM: installed in this system is not supported by the NVIDIA {branch} driver release"
            if too_old
            else "NVRM: installed in this system requires use of the NVIDIA open kernel modules.",
        )
        return False
    if card.window_mib == 0:
        settings.log(
            "NVRM: This PCI I/O region assigned to your NVIDIA device is invalid:",
            f"NVRM: BAR1 is 0M @ 0x0 (PCI:{card.pci})",
        )
        return False
    if card.get("fault") == "missing":
        settings.log(
            f"NVRM: GPU {card.pci}: RmInitAdapter failed! (0x25:0x65:1457)",
            f"NVRM: GPU {card.pci}: rm_init_adapter failed, minor number {card.number}",
        )
        return False
    return True


def _load_amdgpu(cards: list[Card], machine: dict[str, str]) -> None:
    module = on_disk("amdgpu")
    if not module and machine.get("kernel.amdgpu") == "absent":
        raise LoadError("not found")
    taken = [card for card in cards
             if driver_of(card.pci) is None and card.get("fault") != "missing"]  # fmt: skip
    if not taken and "integrated.device_id" not in machine:
        raise LoadError("No such device")
    _note("amdgpu", module.get("version", ""))
    settings.log("[drm] amdgpu kernel modesetting enabled. (simulated)")
    for card in taken:
        bind(card.pci, "amdgpu")
        _device_file(f"/dev/dri/renderD{128 + card.number}", RENDER_MAJOR, 128 + card.number,
                     "render", 0o660)  # fmt: skip
        _device_file(f"/dev/dri/card{card.number}", RENDER_MAJOR, card.number, "video", 0o660)
        folder = Path("/sys/bus/pci/devices") / card.pci
        size = str(card.size("memory_mib") << 20)
        write(folder.resolve(), {"mem_info_vram_total": size, "mem_info_vis_vram_total": size,
                                 "unique_id": f"{card.size('unique_id'):016x}"})  # fmt: skip
        (folder.resolve() / "drm" / f"renderD{128 + card.number}").mkdir(
            parents=True, exist_ok=True
        )
    if taken:
        _device_file("/dev/kfd", KFD_MAJOR, 0, "render", 0o660)
        show_kfd(taken)
    show_driver(machine)


def _device_file(name: str, major: int, minor: int, group: str = "root", mode: int = 0o666) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return
    os.mknod(path, stat.S_IFCHR | mode, os.makedev(major, minor))
    try:
        owner = grp.getgrnam(group).gr_gid
    except KeyError:
        owner = 0
    os.chown(path, 0, owner)
    path.chmod(mode)


def show_driver(machine: dict[str, str]) -> None:
    """Hand the machine's state to the driver's library and tools, or take it away."""
    held = loaded()
    if "nvidia" not in held and "amdgpu" not in held:
        DRIVER_VIEW.unlink(missing_ok=True)
        return
    view = {**machine, "loaded": held.get("nvidia", ""), "amdgpu": held.get("amdgpu", "")}
    if "nvidia" not in held:
        view["nvml.fault"] = "9"
    new = DRIVER_VIEW.with_name("nvidia.conf.new")
    new.write_text(settings.render(view))
    # A container has this file's folder, so replacing the file shows there too.
    new.rename(DRIVER_VIEW)


def unload(module: str, machine: dict[str, str]) -> None:
    """Unload a module, or raise LoadError with the kernel's word for it."""
    module = name_of(module)
    if module not in loaded():
        raise LoadError(NOT_LOADED)
    if module == "nvidia" and (RUN / "persistence").exists():
        raise LoadError("in use")
    for each in (module, *(HELPERS if module == "nvidia" else ())):
        (LOADED / each).unlink(missing_ok=True)
        _forget(Path("/sys/module") / each.replace("-", "_"))
    for card in settings.cards(machine):
        if driver_of(card.pci) == module:
            bind(card.pci, None)
    names = {"nvidia": ("nvidia*",), "nouveau": ("dri/renderD*",),
             "amdgpu": ("dri/renderD*", "dri/card*", "kfd")}.get(module, ())  # fmt: skip
    for path in (path for name in names for path in Path("/dev").glob(name)):
        path.unlink()
    if module == "nvidia":
        _forget(Path("/proc/driver/nvidia"))
    if module == "amdgpu":
        _forget(KFD.parent)
    show_driver(machine)


def _forget(folder: Path) -> None:
    for path in sorted(folder.glob("**/*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    if folder.is_dir():
        folder.rmdir()
