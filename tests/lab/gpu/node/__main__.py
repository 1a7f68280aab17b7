# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""lab-hardware: the simulated GPUs of a lab node.

lab-hardware boot        what happens at power-on: slots are filled, modules are loaded
lab-hardware apply       what changed in the settings and holds at once
lab-hardware modprobe    stands for modprobe and rmmod where they are about a GPU's module
lab-hardware show        the settings that hold now, and what is loaded
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from . import modules, settings, tree


def boot() -> int:
    """Fill the slots and load what the machine loads by itself."""
    machine = settings.parse(settings.WISHED.read_text())
    settings.RUN.mkdir(mode=0o755, exist_ok=True)
    present = [card for card in settings.cards(machine) if card.get("fault") != "absent"]
    has_amd = any(card.vendor == "amd" for card in present)
    tree.prepare(has_amd)
    first = not settings.BOOTED.exists()
    kept = {
        key: value
        for key, value in machine.items()
        if not key.startswith("gpu.") or int(key.split(".")[1]) in {card.number for card in present}
    }
    settings.BOOTED.write_text(settings.render(kept))
    if first:
        for card in present:
            tree.add_gpu(card)
        tree.add_switches(int(machine.get("nvswitches") or 0))
        tree.add_firmware(machine.get("secure_boot", "none"))
        if "integrated.device_id" in machine:
            tree.add_integrated(machine)
    show_headers(machine)
    say_in_log(machine)
    modules.boot(settings.now())
    return 0


def show_headers(machine: dict[str, str]) -> None:
    """Lay out kernel headers as their package does, or take them away."""
    build = settings.MODULES / "build"
    wanted = machine.get("kernel.headers", "present")
    if wanted == "present" and not build.exists():
        tree.write(build, {"Makefile": "# stand-in for kernel headers", ".config": ""})
        tree.write(build / "include/generated", {"autoconf.h": "", "utsrelease.h": ""})
    if wanted == "absent" and build.is_dir() and not build.is_symlink():
        shutil.rmtree(build)


def say_in_log(machine: dict[str, str]) -> None:
    """Add the lines that the settings put into the kernel log, once a boot."""
    known = settings.KERNEL_LOG.read_text() if settings.KERNEL_LOG.exists() else ""
    for key in sorted(machine):
        if key.startswith("kernel_log.") and machine[key] and machine[key] not in known:
            settings.log(machine[key])


def apply() -> int:
    """Let the settings hold that need no power-on."""
    machine = settings.now()
    for card in settings.cards(machine):
        tree.refresh_gpu(card)
    show_headers(machine)
    say_in_log(machine)
    modules.show_driver(machine)
    return 0


def modprobe(argv: list[str]) -> int:
    """Act as modprobe or rmmod (the first word), and leave other modules to the real program."""
    program, words = argv[0], argv[1:]
    names = [word for word in words if not word.startswith("-")]
    flags = [word for word in words if word.startswith("-")]
    ours = [word for word in names if modules.name_of(word) in modules.OURS]
    shows = any(flag.startswith("--show") or flag in ("-c", "-D", "-n") for flag in flags)
    if not ours or shows or not settings.BOOTED.exists():
        real = f"/usr/lib/lab-hardware/{program}"
        os.execv(real, [program, *words])  # noqa: S606 (it becomes the real program)
    machine = settings.now()
    unloads = program == "rmmod" or any(flag in ("-r", "--remove") for flag in flags)
    for name in ours:
        if "-b" in flags and modules.is_blacklisted(name):
            continue
        try:
            (modules.unload if unloads else modules.load)(name, machine)
        except modules.LoadError as error:
            if program == "modprobe" and str(error) == modules.NOT_LOADED:
                continue
            return 1 if "-q" in flags else complain(program, name, str(error))
    return 0


def complain(program: str, name: str, reason: str) -> int:
    """Say in the real program's words why a module was not loaded or unloaded."""
    texts = {
        "not found": f"FATAL: Module {name} not found in directory {settings.MODULES}",
        modules.NOT_LOADED: f"ERROR: Module {name} is not currently loaded",
        "in use": f"{'FATAL' if program == 'modprobe' else 'ERROR'}: Module {name} is in use.",
    }
    print(f"{program}: {texts.get(reason, f'ERROR: could not insert {name!r}: {reason}')}",
          file=sys.stderr)  # fmt: skip
    return 1


def show() -> int:
    """Print the settings that hold now, and the loaded modules."""
    print(settings.render(settings.now()), end="")
    for name, version in sorted(modules.loaded().items()):
        print(f"# loaded: {name} {version}".rstrip())
    return 0


def initramfs(argv: list[str]) -> int:
    """Act as update-initramfs: keep what the kernel sees of modprobe's settings when it starts."""
    import tarfile

    path = Path(f"/boot/initrd.img-{settings.KERNEL}")
    if "-d" in argv:
        path.unlink(missing_ok=True)
        return 0
    print(f"update-initramfs: Generating {path}")
    path.parent.mkdir(exist_ok=True)
    new = path.with_name(path.name + ".new")
    with tarfile.open(new, "w:gz") as archive:
        for folder in ("/etc/modprobe.d", "/lib/modprobe.d"):
            if Path(folder).is_dir():
                # kmod reads one folder here; what packages ship counts as the machine's own.
                for each in sorted(Path(folder).glob("*.conf")):
                    archive.add(each, f"etc/modprobe.d/{each.name}")
    new.rename(path)
    return 0


ACTIONS = {"boot": lambda _: boot(), "apply": lambda _: apply(), "show": lambda _: show(),
           "modprobe": modprobe, "initramfs": initramfs}  # fmt: skip

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ACTIONS:
        sys.exit(__doc__)
    sys.exit(ACTIONS[sys.argv[1]](sys.argv[2:]))
