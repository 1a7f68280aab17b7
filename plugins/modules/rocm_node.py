#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have AMD's driver loaded, and its devices and libraries within reach of users and programs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rocm_node
short_description: Have AMD's driver loaded and ROCm within reach
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Makes users members of the groups C(render) and C(video), to which the devices of AMD's GPUs belong.
  - Tells the linker where ROCm's libraries are (C(/etc/ld.so.conf.d/60-rackforge-rocm.conf)).
  - Loads the module C(amdgpu) where it is not loaded. A loaded one is never taken out, since containers and displays may use it. Where
    another build is installed than runs, the module says that a boot is needed, and why.
  - Never boots.
attributes:
  check_mode:
    support: full
    description: Predicts everything, also before C(amdgpu-dkms) is installed.
  diff_mode:
    support: full
    description: Shows the linker's file and one line for each other change.
  idempotent:
    support: full
    description: Compares the node, not what earlier tasks did. So it makes up for a run that was killed.
options:
  driver:
    description:
      - V(amdgpu-dkms) for AMD's own, which must be what the running kernel would load. An error says so where its module was not built.
      - V(any) for whichever there is, such as the kernel's own.
    type: str
    choices: [amdgpu-dkms, any]
    default: any
  users:
    description: Existing users to have in the groups. It counts from their next login on.
    type: list
    elements: str
    default: []
  users_may_come:
    description: Whether a missing user is one that an earlier task would have made; for check mode, in which it did not.
    type: bool
    default: false
  libraries:
    description: Whether ROCm's libraries (C(/opt/rocm/lib) and C(/opt/rocm/lib64)) are to be known to the linker.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Have AMD's driver running and let ada use the GPUs
  rackforge.gpu_cluster.rocm_node:
    driver: amdgpu-dkms
    users: [ada]
  register: rocm_boot

- name: Show why a boot is needed
  ansible.builtin.debug:
    msg: "{{ rocm_boot.reboot_reasons }}"
  when: rocm_boot.reboot_required
"""

RETURN = r"""
done:
  description: What was done, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [add ada to group render, load the module amdgpu]
reboot_required:
  description: Whether the installed driver runs only after a boot.
  returned: success
  type: bool
  sample: true
reboot_reasons:
  description: Why.
  returned: success
  type: list
  elements: str
  sample: [the kernel runs the amdgpu of the kernel itself, installed is 6.16.13; it cannot be exchanged while it runs]
"""

import os
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import Vendor
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_packages import (
    bare_version,
    upstream_version,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.rocm_driver import (
    GROUPS,
    LIBRARIES,
    LINKER_FILE,
    Build,
    Driver,
    Step,
    check_users,
    is_blacklisted,
    linker_text,
    members_of,
    step_for,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.rocm_versions import RocmError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    place_text,
    read_text,
    shown,
)

LOADED = "/sys/module/amdgpu"
LINKER_CACHE = "/etc/ld.so.cache"
PACKAGE = "amdgpu-dkms"


@dataclass(frozen=True)
class Plan:
    """Everything that is going to be done."""

    memberships: tuple[tuple[str, str], ...] = ()
    groups: tuple[str, ...] = ()
    linker_before: Optional[str] = None
    linker_after: Optional[str] = None
    linker_stale: bool = False
    step: Step = field(default_factory=Step)

    @property
    def done(self) -> list[str]:
        """Return one sentence for each change."""
        rows = [f"add group {name}" for name in self.groups]
        rows += [f"add {user} to group {group}" for group, user in self.memberships]
        if self.linker_before != self.linker_after:
            rows.append(f"write {LINKER_FILE}")
        if self.linker_stale:
            rows.append("tell the linker of ROCm's libraries")
        return rows + (["load the module amdgpu"] if self.step.load else [])


class RocmNode:
    """A node with AMD's GPUs, as far as this module looks after it."""

    def __init__(self, module: AnsibleModule, command: Command) -> None:
        self._module = module
        self._command = command

    def plan(self) -> Plan:
        """Return what must be done; RocmError says what cannot be."""
        params = self._module.params
        users = params["users"]
        missing = [u for u in users if self._command.run(["getent", "passwd", u]).rc != 0]
        if not params["users_may_come"]:
            check_users(missing)
        memberships, groups = self._memberships(users)
        before = read_text(LINKER_FILE)
        after = linker_text(LIBRARIES) if params["libraries"] else before
        step = step_for(
            self.read_driver(), params["driver"] == PACKAGE, dry=bool(self._module.check_mode)
        )
        return Plan(
            memberships=memberships,
            groups=groups,
            linker_before=before,
            linker_after=after,
            linker_stale=before != after or (after is not None and _is_older(LINKER_CACHE)),
            step=step,
        )

    def _memberships(self, users: list[str]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
        """Return the memberships to make, as group and user, and the groups to make for them."""
        wanted: list[tuple[str, str]] = []
        groups: list[str] = []
        for group in GROUPS if users else ():
            line = self._command.run(["getent", "group", group]).out
            groups += [] if line.strip() else [group]
            members = members_of(line)
            wanted += [(group, user) for user in users if user not in members]
        return tuple(wanted), tuple(groups)

    def read_driver(self) -> Driver:
        """Return what the node shows of amdgpu."""
        running = None
        if os.path.isdir(LOADED):
            running = Build(*(_line(f"{LOADED}/{name}") for name in ("version", "srcversion")))
        return Driver(
            kernel=os.uname().release,
            running=running,
            on_disk=self._on_disk(),
            packaged=self._packaged(),
        )

    def _on_disk(self) -> Optional[Build]:
        fields = []
        for name in ("version", "srcversion") if self._command.find("modinfo") else ():
            result = self._command.run(["modinfo", "--field", name, "amdgpu"])
            if result.rc != 0:
                return None
            fields.append(result.out.strip() or None)
        return Build(*fields) if fields else None

    def _packaged(self) -> Optional[str]:
        if self._command.find("dpkg-query"):
            form = "${db:Status-Status} ${Version}"
            result = self._command.run(["dpkg-query", "--show", "--showformat", form, PACKAGE])
            state, _space, version = result.out.strip().partition(" ")
            is_there = result.rc == 0 and state == "installed"
        else:
            form = "%{VERSION}-%{RELEASE}"
            result = self._command.run(["rpm", "--query", "--queryformat", form, PACKAGE])
            version, is_there = result.out.strip(), result.rc == 0
        return bare_version(upstream_version(version), Vendor.AMD) if is_there else None

    def apply(self, plan: Plan) -> None:
        """Carry the plan out; each step leaves the node in a state that the next call goes on from."""
        for group in plan.groups:
            self._command.need(["groupadd", "--system", group])
        for group, user in plan.memberships:
            self._command.need(["usermod", "--append", "--groups", group, user])
        if plan.linker_before != plan.linker_after:
            place_text(self._module, LINKER_FILE, plan.linker_after)
        if plan.linker_stale:
            self._command.need(["ldconfig"])
        if plan.step.load:
            self._load()

    def _load(self) -> None:
        if not self._command.find("modprobe"):
            raise RocmError("this node has no modprobe; install the package kmod")
        result = self._command.run(["modprobe", "amdgpu"])
        if result.rc != 0 or not os.path.isdir(LOADED):
            why = result.explain() if result.rc != 0 else "'modprobe amdgpu' loaded nothing"
            raise RocmError(
                f"the kernel does not load amdgpu: {why}; see 'journalctl -k -b' on the node for "
                "its reason (a key that Secure Boot does not know, firmware that is missing)"
            )

    def warnings(self) -> list[str]:
        """Return what keeps the driver from coming back by itself after a boot."""
        if not self._command.find("modprobe"):
            return []
        if not is_blacklisted(self._command.run(["modprobe", "--showconfig"]).out):
            return []
        return [
            "amdgpu is on the blacklist of a file in /etc/modprobe.d, so that the next boot does not "
            "load it; 'grep -r amdgpu /etc/modprobe.d' shows where, take the line out"
        ]


def _line(path: str) -> Optional[str]:
    """Return a short file of sysfs without its end of line, None where it does not say."""
    try:
        return (read_text(path) or "").strip() or None
    except OSError:
        return None


def _is_older(cache: str) -> bool:
    """Return whether the linker has not read its files since ours was written."""
    try:
        return os.stat(cache).st_mtime < os.stat(LINKER_FILE).st_mtime
    except OSError:
        return True


def diff_of(plan: Plan) -> list[dict[str, str]]:
    """Return the linker's file, and a line for everything else."""
    files = [shown(LINKER_FILE, plan.linker_before, plan.linker_after)]
    rest = [line for line in plan.done if not line.startswith("write ")]
    lines = {"before": "", "after": "".join(f"{line}\n" for line in rest)}
    return [*(files if plan.linker_before != plan.linker_after else []), lines]


def arguments() -> dict[str, Any]:
    """Return the module's argument spec."""
    return {
        "driver": {"type": "str", "choices": [PACKAGE, "any"], "default": "any"},
        "users": {"type": "list", "elements": "str", "default": []},
        "users_may_come": {"type": "bool", "default": False},
        "libraries": {"type": "bool", "default": True},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=arguments(), supports_check_mode=True)
    node = RocmNode(module, Command(module))
    try:
        plan = node.plan()
        for warning in node.warnings():
            module.warn(warning)
        if not module.check_mode:
            node.apply(plan)
        reasons = list(plan.step.reasons)
    except (RocmError, CommandError, OSError) as error:
        module.fail_json(msg=f"Could not have AMD's GPUs within reach: {error}")
        return
    module.exit_json(
        changed=bool(plan.done),
        done=plan.done,
        reboot_required=bool(reasons),
        reboot_reasons=reasons,
        diff=diff_of(plan),
    )


if __name__ == "__main__":
    main()
