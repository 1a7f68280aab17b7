#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have NVIDIA's container toolkit hand the node's GPUs to containers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_containers
short_description: Have NVIDIA's container toolkit hand the node's GPUs to containers
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - With O(mode=cdi), keeps the description of the GPUs for the Container Device Interface, C(/var/run/cdi/nvidia.yaml), up to date. The
    toolkit does so itself from 1.18 on (C(nvidia-cdi-refresh.path)), at every boot and when the driver changes; for an older one a unit
    of this collection's does it at every boot. Here it is made anew when its devices, or the version of its libraries, are not those of
    now, as after a change of MIG partitions, which the toolkit does not notice.
  - Where the driver waits for a boot (none is loaded, or O(driver_waits)) the description is left to the boot.
  - Where it cannot be made since a GPU is in trouble there is a warning; M(rackforge.gpu_cluster.gpu_driver_check) names the cause.
  - With V(containerd) in O(engines), has the toolkit make itself known to containerd (C(nvidia-ctk runtime configure)), and restarts
    that when it was started before. Containers go on meanwhile. Docker's settings are those of M(rackforge.gpu_cluster.docker_settings).
attributes:
  check_mode:
    support: full
    description: Says what would be made and restarted, as far as the toolkit is installed already.
  diff_mode:
    support: full
    description: Lists the steps.
  idempotent:
    support: full
    description: Compares the description with what the toolkit would write now.
options:
  mode:
    description: How containers get GPUs.
    type: str
    choices: [cdi, legacy]
    default: cdi
  engines:
    description: Container engines of the node. k3s finds the toolkit by itself, so V(k3s) only has the GPUs described.
    type: list
    elements: str
    choices: [docker, containerd, k3s]
    default: [docker]
  driver_waits:
    description: Whether the installed driver runs only after a boot. The toolkit cannot describe GPUs while an older one is loaded.
    type: bool
    default: false
  toolkit_may_come:
    description: Whether a missing toolkit is one that an earlier task would have brought; for check mode, in which it did not.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Describe the GPUs for containers
  rackforge.gpu_cluster.nvidia_containers:
"""

RETURN = r"""
done:
  description: What was done, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [make /var/run/cdi/nvidia.yaml]
problem:
  description: Why the GPUs could not be described for containers; empty when they could, or where nothing was tried.
  returned: success
  type: str
  sample: ""
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_containers import (
    OWN_UNIT,
    OWN_UNIT_FILE,
    OWN_UNIT_TEXT,
    REFRESH,
    REFRESH_PATH,
    SPEC,
    is_out_of_date,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    make_parents,
    place_text,
    read_text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.unit_read import (
    read_unit,
    youngest,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.unit_state import plan_unit

LOADED = "/sys/module/nvidia/version"
CONTAINERD = "/etc/containerd/config.toml"
CONTAINERD_DROP_IN = "/etc/containerd/conf.d/99-nvidia.toml"
RUNTIME = "nvidia-container-runtime"


class Containers:
    """The way of GPUs into the containers of one node."""

    def __init__(self, module: AnsibleModule, command: Command) -> None:
        self._module = module
        self._command = command
        self.done: list[str] = []
        self.problem = ""

    def run(self) -> None:
        """Have the description and containerd's settings as they must be."""
        params = self._module.params
        if not self._command.find("nvidia-ctk"):
            if not params["toolkit_may_come"]:
                raise CommandError(
                    "saw no nvidia-ctk on this node, expected NVIDIA's container toolkit; set "
                    "nvidia_toolkit_source=repository, or install it yourself"
                )
            self.done.append("describe the GPUs for containers")
            return
        if params["mode"] == "cdi":
            refresh = self._have_refresh()
            if os.path.exists(LOADED) and not params["driver_waits"]:
                self._have_spec(refresh)
        if "containerd" in params["engines"]:
            self._have_containerd(params["mode"])

    def _do(self, sentence: str, *argv: str) -> None:
        """Do one step, or say in check mode that it would be done."""
        self.done.append(sentence)
        if not self._module.check_mode and argv:
            self._command.need(argv)

    def _have_refresh(self) -> str:
        """Return the unit that makes the description, after having it enabled."""
        path = read_unit(self._command, REFRESH_PATH)
        if path.file_state != "missing":
            if "enabled" in plan_unit(path, 0.0, changed_inputs=False):
                self._do(f"enable {REFRESH_PATH}", "systemctl", "enable", REFRESH_PATH)
            return REFRESH
        if read_text(OWN_UNIT_FILE) != OWN_UNIT_TEXT:
            self._do(f"write {OWN_UNIT_FILE}")
            if not self._module.check_mode:
                place_text(self._module, OWN_UNIT_FILE, OWN_UNIT_TEXT)
                self._command.need(["systemctl", "daemon-reload"])
        if read_unit(self._command, OWN_UNIT).file_state != "enabled":
            self._do(f"enable {OWN_UNIT}", "systemctl", "enable", OWN_UNIT)
        return OWN_UNIT

    def _have_spec(self, unit: str) -> None:
        made = self._command.run(["nvidia-ctk", "cdi", "generate"])
        if made.rc != 0:
            # A GPU is in trouble. The check that follows says which, why, and what helps.
            self.problem = made.explain()
            self._module.warn(
                f"The GPUs could not be described for containers: {self.problem}. The check of "
                "the GPUs names the cause; it is in provision.yml and in verify.yml"
            )
            return
        fresh = made.out
        if not is_out_of_date(read_text(SPEC), fresh):
            return
        self._do(f"make {SPEC}", "systemctl", "restart", unit)
        if not self._module.check_mode and is_out_of_date(read_text(SPEC), fresh):
            # A unit of the toolkit may be set to write elsewhere; Docker reads here too.
            make_parents(SPEC)
            self._command.need(["nvidia-ctk", "cdi", "generate", f"--output={SPEC}"])

    def _have_containerd(self, mode: str) -> None:
        known = os.path.exists(CONTAINERD_DROP_IN) or RUNTIME in (read_text(CONTAINERD) or "")
        if not known:
            argv = ["nvidia-ctk", "runtime", "configure", "--runtime=containerd"]
            self._do(
                "make the toolkit known to containerd",
                *argv,
                *(["--cdi.enabled"] if mode == "cdi" else []),
            )
        unit = read_unit(self._command, "containerd.service")
        files = youngest([CONTAINERD, CONTAINERD_DROP_IN])
        if unit.active_state == "active" and (not known or files > unit.started_at):
            self._do("restart containerd.service", "systemctl", "restart", "containerd.service")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "mode": {"type": "str", "choices": ["cdi", "legacy"], "default": "cdi"},
            "engines": {
                "type": "list",
                "elements": "str",
                "choices": ["docker", "containerd", "k3s"],
                "default": ["docker"],
            },
            "driver_waits": {"type": "bool", "default": False},
            "toolkit_may_come": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    containers = Containers(module, Command(module))
    try:
        containers.run()
    except (CommandError, OSError) as error:
        module.fail_json(msg=f"GPUs cannot be handed to containers: {error}")
    done = containers.done
    module.exit_json(
        changed=bool(done),
        done=done,
        problem=containers.problem,
        diff={"before": "", "after": "".join(f"{each}\n" for each in done)},
    )


if __name__ == "__main__":
    main()
