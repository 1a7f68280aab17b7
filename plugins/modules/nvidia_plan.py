#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find out what an NVIDIA GPU node gets, before the first change."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_plan
short_description: Find out what an NVIDIA GPU node gets, before the first change
version_added: 0.1.0
author: rackforge contributors (@rackforge)
extends_documentation_fragment: rackforge.gpu_cluster.attributes.read_only
description:
  - Decides which kernel module fits the GPUs, whether a driver that is there stays, and what would have to go for another one. Changes
    nothing.
  - A driver of the owner's that serves stays, whatever it was installed from. It serves when its version lies in the range, is
    O(version) where that is set, and when its kernel module drives all GPUs. Any other one is an error that shows what would be taken
    away and installed, unless O(replace_driver=true). A GPU whose generation is not known here does not speak against it.
  - Its version is that of the loaded module, of the library and of its package, or where none of them is known that of other packages
    of the driver. C(nvidia-settings), C(nvidia-persistenced) and other parts with versions of their own do not count.
  - A fabric manager that is needed is an error where O(source) has no package of it and none of the driver's version is installed.
  - A driver is this collection's own when one of O(own_files) is there. They are written before its packages come.
  - Secure Boot is an error where no driver runs yet and the key of this node's modules is not enrolled.
options:
  gpu:
    description: The fact C(gpu), as M(rackforge.gpu_cluster.gpu_info) gives it.
    type: dict
    required: true
  source:
    description: Where a driver would come from.
    type: str
    choices: [repository, distribution, runfile, existing]
    required: true
  branch:
    description: The driver branch, such as V(580).
    type: str
    required: true
  version:
    description: The exact version, instead of any of the branch.
    type: str
  min_version:
    description: The lowest version that serves.
    type: str
  max_version:
    description: The highest one. V(590) means all of that branch, as the Neutree document has it.
    type: str
  kernel_module:
    description: Which of NVIDIA's two kernel modules to use.
    type: str
    choices: [auto, open, proprietary]
    default: auto
  replace_driver:
    description: Whether a driver that does not serve may be taken away.
    type: bool
    default: false
  fabric_manager:
    description: Whether the node gets the fabric manager; V(auto) means where there are NVSwitch bridges.
    type: str
    choices: [auto, present, absent]
    default: auto
  packages:
    description: Packages of the driver with each kernel module, by C(open) and C(proprietary).
    type: dict
    default: {}
  fabric_packages:
    description: Packages of the fabric manager.
    type: list
    elements: str
    default: []
  companion_packages:
    description: Packages that the driver needs in whatever version.
    type: list
    elements: str
    default: []
  header_packages:
    description: Packages with the files that building a module for the running kernel needs.
    type: list
    elements: str
    default: []
  runfile:
    description: The .run file on the control node, whose name tells its version.
    type: str
  own_files:
    description: Files that only this collection writes.
    type: list
    elements: path
    default: []
  fail_on:
    description:
      - V(error) fails where the node cannot be as asked. V(never) returns the reason in RV(findings) instead, for preflight, and then
        nothing else of the plan.
    type: str
    choices: [error, never]
    default: error
  host:
    description: The node's name in findings; its own host name when not set.
    type: str
  repositories:
    description: Repositories (URIs) by a name. Those that a file of the owner's names to apt already are in RV(known_repositories).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Find out whether the node can be as asked, without failing
  rackforge.gpu_cluster.nvidia_plan:
    gpu: "{{ ansible_facts['gpu'] }}"
    source: existing
    branch: "580"
    fail_on: never
    host: "{{ inventory_hostname }}"

- name: Find out what the node gets
  rackforge.gpu_cluster.nvidia_plan:
    gpu: "{{ ansible_facts['gpu'] }}"
    source: repository
    branch: "580"
    min_version: "530"
    max_version: "590"
    packages:
      open: [nvidia-driver-cuda, nvidia-kernel-open-dkms]
      proprietary: [nvidia-driver-cuda, nvidia-kernel-dkms]
"""

RETURN = r"""
findings:
  description: Why the node cannot be as asked. Empty where it can.
  returned: success
  type: list
  elements: dict
  sample:
    - severity: error
      code: driver-choice-outside-range
      host: node1
      message: nvidia_driver_branch is 610, expected 530 to 590, all of 590 included (nvidia_driver_min_version, nvidia_driver_max_version).
      seen: ""
      expected: ""
      fix: nvidia_driver_branch=580   (or nvidia_driver_max_version=610, if your software runs with it)
      variable: nvidia_driver_branch
driver:
  description: V(install) where this collection brings the driver or has brought it, V(owner) where the one that is there stays.
  returned: success
  type: str
  sample: install
reason:
  description: The decision in words.
  returned: success
  type: str
  sample: driver 580 with the open kernel module
kernel_module:
  description: The kernel module, V(open) or V(proprietary); null where the owner's driver stays.
  returned: success
  type: str
  sample: open
version:
  description: The version to have, or the beginning of it.
  returned: success
  type: str
  sample: "580"
packages:
  description: Packages to have in that version.
  returned: success
  type: list
  elements: str
  sample: [nvidia-driver-cuda, nvidia-kernel-open-dkms]
companions:
  description: Packages to have in any version.
  returned: success
  type: list
  elements: str
  sample: [linux-headers-6.12.48+deb13-amd64]
going:
  description: Packages that make way or change their version.
  returned: success
  type: list
  elements: str
  sample: []
yielding:
  description: Installed parts with versions of their own, which may go only where they stand in the way of the driver.
  returned: success
  type: list
  elements: str
  sample: [nvidia-settings]
owners:
  description: Those of RV(yielding) that were here before any driver of ours, so that they must come back with its removal.
  returned: success
  type: list
  elements: str
  sample: [nvidia-settings]
uninstall_runfile:
  description: Whether a driver that came from a .run file has to go first.
  returned: success
  type: bool
  sample: false
fabric_manager:
  description: Whether the node gets the fabric manager.
  returned: success
  type: bool
  sample: false
known_repositories:
  description: Names of O(repositories) that the owner has named to apt already. A second entry with another key would stop apt altogether.
  returned: success
  type: list
  elements: str
  sample: []
early_images:
  description: Whether the running kernel boots with an initramfs, from which nouveau has to be kept too.
  returned: success
  type: bool
  sample: true
"""

import glob
import os
from dataclasses import asdict
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.early_image import (
    images_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    GpuNode,
    from_plain,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_plan import (
    Seen,
    Wish,
    make_plan,
    runfile_version,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.pinned_packages import (
    parse_dpkg,
    parse_rpm,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.plan_refusal import PlanError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import read_text

#: apt gives up on everything when two entries of one repository name different keys. dnf does not.
SOURCES = (
    "/etc/apt/sources.list",
    "/etc/apt/sources.list.d/*.list",
    "/etc/apt/sources.list.d/*.sources",
)
#: How this collection's files among them are called.
OWN = "rackforge-"
#: Where DKMS keeps the key with which it signs modules: on Debian, on Ubuntu, and on EL.
KEYS = ("/var/lib/dkms/mok.pub", "/var/lib/shim-signed/mok/MOK.der")


def installed_packages(command: Command) -> dict[str, str]:
    """Return every installed package of the node with its version."""
    if command.find("dpkg-query"):
        form = "${Package}\\t${Version}\\t${db:Status-Status}\\n"
        return parse_dpkg(command.run(["dpkg-query", "--show", "--showformat", form]).out)
    argv = ["rpm", "--query", "--all", "--queryformat", "%{NAME}\\t%{VERSION}\\n"]
    return parse_rpm(command.run(argv).out) if command.find("rpm") else {}


def key_is_enrolled(command: Command) -> Optional[bool]:
    """Return whether the firmware knows the key of this node's modules, None without a key."""
    key = next((path for path in KEYS if os.path.exists(path)), None)
    if key is None or not command.find("mokutil"):
        return None
    return "already enrolled" in command.run(["mokutil", "--test-key", key]).out


def known_repositories(repositories: dict[str, str]) -> list[str]:
    """Return the names of the repositories that a file of the owner's names already."""
    paths = [path for pattern in SOURCES for path in glob.glob(pattern)]
    lines = [
        line.split("#", 1)[0]
        for path in paths
        if not os.path.basename(path).startswith(OWN)
        for line in (read_text(path) or "").splitlines()
    ]
    return [
        name
        for name, uri in repositories.items()
        if uri and any(uri.rstrip("/") in line for line in lines)
    ]


def wish_of(params: dict[str, Any]) -> Wish:
    """Return what the options ask for; the name of a .run file tells its version."""
    version = params["version"]
    if params["source"] == "runfile":
        found = runfile_version(params["runfile"] or "")
        if found is None:
            raise PlanError(
                f"nvidia_driver_source=runfile, but nvidia_runfile is '{params['runfile'] or ''}', "
                "expected a path that ends like NVIDIA-Linux-x86_64-580.95.05.run. Nothing was "
                "changed",
                "value-invalid",
                "nvidia_runfile",
                "nvidia_runfile=/srv/NVIDIA-Linux-x86_64-580.95.05.run",
            )
        version = found
    return Wish(
        source=params["source"],
        branch=params["branch"],
        version=version,
        lowest=params["min_version"],
        highest=params["max_version"],
        kernel_module=params["kernel_module"],
        replace=params["replace_driver"],
        fabric_manager=params["fabric_manager"],
        packages=params["packages"],
        fabric_packages=tuple(params["fabric_packages"]),
        companion_packages=tuple(params["companion_packages"]),
        header_packages=tuple(params["header_packages"]),
    )


def look(command: Command, params: dict[str, Any]) -> Seen:
    """Return what the node shows."""
    return Seen(
        gpu=from_plain(GpuNode, params["gpu"]),
        packages=installed_packages(command),
        ours=any(os.path.exists(path) for path in params["own_files"]),
        has_runfile=command.find("nvidia-uninstall") is not None,
        key_enrolled=key_is_enrolled(command),
    )


def arguments() -> dict[str, Any]:
    """Return the module's argument spec."""
    lists = ("fabric_packages", "companion_packages", "header_packages")
    spec: dict[str, Any] = {
        "gpu": {"type": "dict", "required": True},
        "source": {
            "type": "str",
            "choices": ["repository", "distribution", "runfile", "existing"],
            "required": True,
        },
        "branch": {"type": "str", "required": True},
        "version": {"type": "str"},
        "min_version": {"type": "str"},
        "max_version": {"type": "str"},
        "kernel_module": {
            "type": "str",
            "choices": ["auto", "open", "proprietary"],
            "default": "auto",
        },
        "replace_driver": {"type": "bool", "default": False},
        "fabric_manager": {
            "type": "str",
            "choices": ["auto", "present", "absent"],
            "default": "auto",
        },
        "packages": {"type": "dict", "default": {}},
        "runfile": {"type": "str"},
        "own_files": {"type": "list", "elements": "path", "default": []},
        "repositories": {"type": "dict", "default": {}},
        "fail_on": {"type": "str", "choices": ["error", "never"], "default": "error"},
        "host": {"type": "str"},
    }
    spec.update({name: {"type": "list", "elements": "str", "default": []} for name in lists})
    return spec


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=arguments(), supports_check_mode=True)
    command, params = Command(module), module.params
    try:
        plan = make_plan(wish_of(params), look(command, params))
    except PlanError as error:
        if params["fail_on"] == "error":
            module.fail_json(msg=str(error))
        found = error.finding(params["host"] or os.uname().nodename)
        module.exit_json(changed=False, findings=[found.to_dict()])
        return
    module.exit_json(
        changed=False,
        findings=[],
        known_repositories=known_repositories(params["repositories"]),
        early_images=bool(images_of(os.uname().release)),
        **asdict(plan),
    )


if __name__ == "__main__":
    main()
