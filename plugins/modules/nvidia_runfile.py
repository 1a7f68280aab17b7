#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have the driver of one of NVIDIA's .run files, or have such a driver gone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_runfile
short_description: Have the driver of an NVIDIA .run file, or have such a driver gone
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Brings the file to the node only when the driver of its version is not there, checks its sums on both sides of the way, runs it
    without questions and deletes it.
  - The module is registered with DKMS where the node has C(dkms), so that later kernels get it too. Parts for screens are left out.
  - The file is run with C(--silent --no-questions --no-x-check --no-nouveau-check --no-opengl-files), and with C(--dkms).
  - From branch 550 on it gets C(--skip-module-load), as loading is that of M(rackforge.gpu_cluster.nvidia_driver), and
    C(--allow-installation-with-running-driver). An older installer loads the module itself, and does not install while a program has a
    GPU open; that is told before anything changes.
  - "The kernel module is chosen by C(--kernel-module-type=TYPE) from branch 555 on. Before, the open one is C(-m=kernel-open), and the
    proprietary one needs no option."
  - A marker file says that this driver is this collection's own. The ledger runs C(nvidia-uninstall) when it takes it away.
attributes:
  check_mode:
    support: full
    description: Says whether the file would be run.
  diff_mode:
    support: full
    description: Shows the version before and after.
  idempotent:
    support: full
    description: A driver of this version is left alone.
options:
  state:
    description: Whether such a driver is to be there.
    type: str
    choices: [present, absent]
    default: present
  runfile:
    description: The file on the control node.
    type: path
  version:
    description: The version in it.
    type: str
  sha256:
    description: Its SHA-256 sum, 64 hexadecimal digits, as NVIDIA's download page shows it.
    type: str
  kernel_module:
    description: Which of the two kernel modules to build.
    type: str
    choices: [open, proprietary]
    default: open
  marker:
    description: File that is written before the driver comes.
    type: path
    default: /etc/rackforge-nvidia-runfile
  source_file:
    description: The file on the node; filled in by the control node's half.
    type: path
"""

EXAMPLES = r"""
- name: Have the driver of a file
  rackforge.gpu_cluster.nvidia_runfile:
    runfile: files/NVIDIA-Linux-x86_64-580.95.05.run
    version: 580.95.05
    sha256: 6d2f5f9f0a8e5f1a7c9f0f9a1f5b6a0c6e8a5f7b3a0d9e8c7b6a5f4e3d2c1b0a
"""

RETURN = r"""
version:
  description: The version that a .run file brought to this node before; null for none.
  returned: success
  type: str
  sample: 580.95.05
"""

import hashlib
import re
from typing import Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.driver_range import (
    parse_version,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_processes import (
    driver_users,
    read_processes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    HEADER,
    place_text,
    read_text,
)

LOG = "/var/log/nvidia-installer.log"
LOADED = "/sys/module/nvidia/version"
PROC = "/proc"
#: First branches whose installer can leave the module alone, and takes its kind by name.
BESIDE_RUNNING_BRANCH = 550
MODULE_TYPE_BRANCH = 555


def sum_of(path: str) -> str:
    """Return the SHA-256 sum of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def installed_version(command: Command, marker: str) -> Optional[str]:
    """Return the version that a .run file has installed, None where none did."""
    if not command.find("nvidia-uninstall"):
        return None
    said = read_text(marker) or ""
    if command.find("nvidia-installer"):  # What it says counts more than what we wrote down.
        said = command.run(["nvidia-installer", "--version"]).out
    found = re.search(r"(?<![\d.])(\d{3}\.\d+(?:\.\d+)?)", said)
    return found[1] if found else "unknown"


def branch_of(version: str) -> int:
    """Return 580 for 580.95.05."""
    parts = parse_version(version)
    if parts is None:
        raise CommandError(f"saw version {version!r}, expected one such as 580.95.05")
    return parts[0]


def installer_options(branch: int, kernel_module: str) -> list[str]:
    """Return what an installer of this branch is told."""
    # Nouveau is looked for before, and keeps the new module from being loaded, not from being there.
    found = ["--silent", "--no-questions", "--no-x-check", "--no-nouveau-check"]
    found.append("--no-opengl-files")
    if branch >= BESIDE_RUNNING_BRANCH:
        # Loading is nvidia_driver's: while nouveau holds the GPUs the installer's own try would fail.
        found += ["--skip-module-load", "--allow-installation-with-running-driver"]
    if branch >= MODULE_TYPE_BRANCH:
        found.append(f"--kernel-module-type={kernel_module}")
    elif kernel_module == "open":
        found.append("-m=kernel-open")
    return found


def refuse_beside_running(version: str) -> None:
    """Raise CommandError where an older installer would give up on the driver in use."""
    running = (read_text(LOADED) or "").strip()
    if not running or branch_of(version) >= BESIDE_RUNNING_BRANCH:
        return
    users = driver_users(read_processes(PROC), without=())
    if users:
        raise CommandError(
            f"driver {running} runs and is in use ({', '.join(each.words for each in users)}), and "
            f"an installer below branch {BESIDE_RUNNING_BRANCH} installs nothing beside it; the "
            "running driver must be unloaded first: end these programs and 'modprobe --remove "
            "nvidia_uvm nvidia_drm nvidia_modeset nvidia', or boot with it removed or blacklisted "
            f"(modprobe.blacklist=nvidia), or choose a file of branch {BESIDE_RUNNING_BRANCH} or "
            "newer. Nothing was changed"
        )


def install(module: AnsibleModule, command: Command) -> None:
    """Run the file, after a look whether it came as it left."""
    path, wanted = module.params["source_file"], module.params["sha256"].lower()
    seen = sum_of(path)
    if seen != wanted:
        raise CommandError(f"the file came with the sum {seen}, expected {wanted}; it was not run")
    branch = branch_of(module.params["version"])
    place_text(module, module.params["marker"], f"{HEADER}{module.params['version']}\n")
    argv = ["sh", path, *installer_options(branch, module.params["kernel_module"])]
    result = command.run([*argv, *(["--dkms"] if command.find("dkms") else [])])
    if result.rc != 0:
        errors = re.findall(r"^\s*ERROR: (.+)", read_text(LOG) or "", re.MULTILINE)
        said = errors[-1] if errors else result.explain()
        raise CommandError(f"the installer gave up: {said}; {LOG} on this node tells more")


def remove(module: AnsibleModule, command: Command) -> None:
    """Have the driver's own program take it away."""
    command.need(["nvidia-uninstall", "--silent"])
    place_text(module, module.params["marker"], None)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "runfile": {"type": "path"},
            "version": {"type": "str"},
            "sha256": {"type": "str"},
            "kernel_module": {"type": "str", "choices": ["open", "proprietary"], "default": "open"},
            "marker": {"type": "path", "default": "/etc/rackforge-nvidia-runfile"},
            "source_file": {"type": "path"},
        },
        required_if=[("state", "present", ("runfile", "version", "sha256"))],
        supports_check_mode=True,
    )
    params, command = module.params, Command(module)
    wanted = params["version"] if params["state"] == "present" else None
    before = installed_version(command, params["marker"])
    needs_source = wanted is not None and before != wanted and not params["source_file"]
    try:
        if wanted is not None and before != wanted:
            refuse_beside_running(wanted)
        if not module.check_mode and before != wanted and not needs_source:
            (remove if wanted is None else install)(module, command)
    except (CommandError, OSError) as error:
        module.fail_json(msg=f"The driver of the .run file: {error}")
    module.exit_json(
        changed=before != wanted,
        version=before,
        needs_source=needs_source,
        diff={"before": f"{before or 'none'}\n", "after": f"{wanted or 'none'}\n"},
    )


if __name__ == "__main__":
    main()
