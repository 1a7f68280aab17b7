#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have the NVIDIA driver that is installed run, without a boot where that can be."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_driver
short_description: Have the NVIDIA driver that is installed run
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Loads the kernel module of the installed driver where nothing stands in its way. Where an older one is loaded, or the open one
    instead of the proprietary one or the other way round (C(srcversion) tells), it is exchanged if nothing uses it. While a program has a
    GPU open nothing is stopped for that, but the driver's services and this collection's exporter in a container
    (C(rackforge-gpu-exporter.service)). They are started again, also where the exchange fails.
  - Where C(nouveau) holds the GPUs, the older module is in use, or the driver was built for a kernel that does not run yet, a boot is
    asked for with RV(reboot_required) and never made.
  - Has C(nvidia-persistenced.service) and, where it is asked for, C(nvidia-fabricmanager.service) enabled, and running once the driver
    does. A driver without the first unit (from a .run file) is told with C(nvidia-smi -pm 1), which lasts until the next boot.
  - Ubuntu's C(nvidia-persistenced.service) has C(--no-persistence-mode). Such a unit gets a file
    C(/etc/systemd/system/nvidia-persistenced.service.d/60-rackforge.conf) with C(--persistence-mode) in its place, and is told with
    C(nvidia-smi -pm 1) too where a GPU has it off all the same.
attributes:
  check_mode:
    support: full
    description: Says what would be loaded, enabled and started, as far as the driver is installed already.
  diff_mode:
    support: full
    description: Lists the steps.
  idempotent:
    support: full
    description: Compares what is loaded with what is installed, so an interrupted run is made good by the next.
options:
  persistence:
    description: Whether the driver stays loaded and initialised while no program uses a GPU.
    type: bool
    default: true
  fabric_manager:
    description: Whether the fabric manager runs.
    type: bool
    default: false
  driver_may_come:
    description: Whether a missing driver is one that an earlier task would have brought; for check mode, in which it did not.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Have the driver run
  rackforge.gpu_cluster.nvidia_driver:
  register: driver

- name: Say why the node waits
  ansible.builtin.debug:
    var: driver.reboot_reasons
"""

RETURN = r"""
done:
  description: What was done, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [load nvidia, start nvidia-persistenced.service]
version:
  description: The version of the module that is loaded now; null where none is.
  returned: success
  type: str
  sample: 580.95.05
reboot_required:
  description: Whether the driver runs only after a boot.
  returned: success
  type: bool
  sample: false
reboot_reasons:
  description: Why.
  returned: success
  type: list
  elements: str
  sample: [nouveau holds the GPUs until the next boot]
"""

import glob
import os
from dataclasses import replace
from typing import Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_processes import (
    driver_users,
    read_processes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_work import EXPORTER
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_driver import (
    FABRIC,
    PERSISTENCE,
    PERSISTENCE_DROP_IN,
    Module,
    Move,
    missing_module,
    move_for,
    persistence_drop_in,
    refused_load,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.running_containers import (
    with_names,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    place_text,
    read_text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.unit_read import (
    read_unit,
    youngest,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.unit_state import plan_unit

LOADED = "/sys/module/nvidia/version"
LOADED_SOURCE = "/sys/module/nvidia/srcversion"
PROC = "/proc"
DROP_IN = PERSISTENCE_DROP_IN
NOUVEAU = "/sys/module/nouveau"
KERNELS = "/lib/modules"
EXPORTER_UNIT = f"{EXPORTER}.service"
#: In the order in which they can be unloaded.
MODULES = ("nvidia_uvm", "nvidia_drm", "nvidia_modeset", "nvidia_peermem", "nvidia")


def loaded_version() -> Optional[str]:
    """Return the version of the module that is loaded, None where none is."""
    return (read_text(LOADED) or "").strip() or None


def installed_field(command: Command, field: str) -> Optional[str]:
    """Return what modinfo says of the module on the disk, None where it says nothing."""
    result = command.run(["modinfo", "--field", field, "nvidia"])
    return (result.out.strip() or None) if result.rc == 0 else None


def look(command: Command) -> Module:
    """Return the kernel module as it runs and as it lies on the disk."""
    kernel = os.uname().release
    on_disk = installed_field(command, "version")
    source = (read_text(LOADED_SOURCE) or "").strip() or None
    pattern = f"{KERNELS}/*/**/nvidia.ko*"
    found = glob.glob(pattern, recursive=True) if on_disk is None else []
    kernels = {path[len(KERNELS) + 1 :].split("/")[0] for path in found}
    return Module(
        kernel=kernel,
        loaded=loaded_version(),
        on_disk=on_disk,
        nouveau=os.path.isdir(NOUVEAU),
        other_kernels=tuple(sorted(kernels - {kernel})),
        loaded_source=source,
        on_disk_source=installed_field(command, "srcversion") if source else None,
    )


class Driver:
    """The driver of one node."""

    def __init__(self, module: AnsibleModule, command: Command) -> None:
        self._module = module
        self._command = command
        self.done: list[str] = []
        self.reasons: list[str] = []

    def run(self) -> None:
        """Have module and units run, or the reasons for a boot."""
        seen = look(self._command)
        problem = missing_module(seen)
        if problem:
            if not self._module.params["driver_may_come"]:
                raise CommandError(problem)
            seen = replace(seen, on_disk="(to come)")
        self._move(seen)
        waits = bool(self.reasons)
        if self._module.params["fabric_manager"]:
            self._unit(FABRIC, waits)
        if self._module.params["persistence"]:
            self._persist(waits)

    def _move(self, seen: Module) -> None:
        move, why = move_for(seen)
        if move is Move.BOOT:
            self.reasons.append(why)
        elif move is not Move.NOTHING:
            stopped: list[str] = []
            if move is Move.RELOAD:
                users = with_names(self._command, driver_users(read_processes(PROC)))
                users = tuple(each for each in users if each.container != EXPORTER)
                if users:
                    names = ", ".join(process.words for process in users)
                    self.reasons.append(f"{why}, and the loaded one is in use by {names}")
                    return
                stopped = self._stop_services()
                if not self._unload():
                    self._start_again(stopped)
                    self.reasons.append(f"{why}, and the loaded one is in use")
                    return
            self.done.append(move.value)
            if not self._module.check_mode:
                self._load(seen.kernel)
                self._start_again(stopped)

    def _stop_services(self) -> list[str]:
        """Return the services that ran, after stopping them: they hold the module.

        They are the driver's own and this collection's exporter in a container.
        """
        if self._module.check_mode:
            return []
        states = {
            name: read_unit(self._command, name).active_state
            for name in (EXPORTER_UNIT, FABRIC, PERSISTENCE)
        }
        running = [name for name, state in states.items() if state == "active"]
        if running:
            self._command.run(["systemctl", "stop", *running])
        return running

    def _start_again(self, stopped: list[str]) -> None:
        """Start what was stopped. One that needs the newer driver fails until the boot brings it."""
        for name in reversed(stopped):
            self._command.run(["systemctl", "start", name])

    def _unload(self) -> bool:
        """Return whether the loaded module could be taken out, or in check mode: may be."""
        if self._module.check_mode:
            return True
        loaded = [name for name in MODULES if os.path.isdir(f"/sys/module/{name}")]
        result = self._command.run(["modprobe", "--remove", *loaded])
        return result.rc == 0 and loaded_version() is None

    def _load(self, kernel: str) -> None:
        result = self._command.run(["modprobe", "nvidia"])
        if result.rc != 0:
            raise CommandError(f"{result.explain()}; {refused_load(result.err, kernel)}")
        # CUDA's memory module; without it nvidia-smi works and nothing that computes does.
        self._command.run(["modprobe", "nvidia_uvm"])

    def _unit(self, name: str, waits: bool, changed: bool = False) -> None:
        """Have a unit enabled, and running unless the driver waits for a boot."""
        files = youngest([DROP_IN]) if name == PERSISTENCE else 0.0
        steps = plan_unit(read_unit(self._command, name), files, changed_inputs=changed)
        verbs = {"enabled": "enable", "started": "start", "restarted": "restart"}
        for step in steps:
            if step == "enabled" or not waits:
                self.done.append(f"{verbs[step]} {name}")
                if not self._module.check_mode:
                    self._command.need(["systemctl", verbs[step], name])

    def _persist(self, waits: bool) -> None:
        unit = read_unit(self._command, PERSISTENCE)
        if unit.file_state == "missing" and not self._module.params["driver_may_come"]:
            self._ask_persistence(waits)
            return
        shown = self._command.need(["systemctl", "show", PERSISTENCE, "--property", "ExecStart"])
        wanted, present = persistence_drop_in(shown), read_text(DROP_IN)
        written = wanted is not None and wanted != present
        if written:
            self.done.append(f"write {DROP_IN}")
            if not self._module.check_mode:
                place_text(self._module, DROP_IN, wanted)
        # A run that was killed after writing has left the reload to this one.
        if (written or unit.needs_reload) and not self._module.check_mode:
            self._command.need(["systemctl", "daemon-reload"])
        self._unit(PERSISTENCE, waits, changed=written or unit.needs_reload)
        if wanted is not None or present is not None:
            self._ask_persistence(waits)

    def _ask_persistence(self, waits: bool) -> None:
        """Have GPUs stay initialised until the next boot, where one has it off."""
        if waits or not self._command.find("nvidia-smi"):
            return
        asked = ["nvidia-smi", "--query-gpu=persistence_mode", "--format=csv,noheader"]
        if "Disabled" in self._command.run(asked).out:
            self.done.append("nvidia-smi -pm 1")
            if not self._module.check_mode:
                self._command.need(["nvidia-smi", "-pm", "1"])


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "persistence": {"type": "bool", "default": True},
            "fabric_manager": {"type": "bool", "default": False},
            "driver_may_come": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    driver = Driver(module, Command(module))
    try:
        driver.run()
    except (CommandError, OSError) as error:
        module.fail_json(msg=f"The NVIDIA driver does not run: {error}")
    module.exit_json(
        changed=bool(driver.done),
        done=driver.done,
        version=loaded_version(),
        reboot_required=bool(driver.reasons),
        reboot_reasons=driver.reasons,
        diff={"before": "", "after": "".join(f"{each}\n" for each in driver.done)},
    )


if __name__ == "__main__":
    main()
