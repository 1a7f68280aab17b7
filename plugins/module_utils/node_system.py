# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a node is besides its network: disks, boots, login, names, clock. Reads only.

What cannot be read is None, and no program that might hang is started without a limit.
"""

from __future__ import annotations

import grp
import os
import pwd
import socket
import stat
from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    gpu_system,
    node_system_state,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_pci import read_bus
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_tree import (
    Tree,
    read_devices,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_system_disk import (
    parse_mountinfo,
    read_disks,
    read_system_disk_mib,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.resolver import servers_in
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.swap import parse_swaps

_SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_APT_CONFIGURATION = "/etc/apt/apt.conf.d"
_APT_HELD = f"{_APT_CONFIGURATION}/52rackforge-held"
_DNF_CONFIGURATION = "/etc/dnf/automatic.conf"
_TIMERS = "/etc/systemd/system/timers.target.wants"
_APT_TIMER = "apt-daily-upgrade.timer"
#: Timers of dnf-automatic: the plain one does what its file says, the other always installs.
_DNF_TIMERS = ("dnf-automatic.timer", "dnf-automatic-install.timer")
#: Units by which Ray and k3s are known to be installed already.
_UNITS = {"ray": ("ray",), "k3s": ("k3s", "k3s-agent")}
_UNIT_FOLDERS = ("/etc/systemd/system", "/usr/lib/systemd/system")
#: Stands in every unit that this collection writes.
_OURS = "rackforge.gpu_cluster"

# Seconds after which a program is given up. Names of the node itself stand in /etc/hosts; a lookup
# that takes longer than this waits for a server that does not answer.
_TIMEOUT = "3"


def read_system(command: Command, root: str = "/") -> dict[str, Any]:
    """Return what the node is as plain values; ``root`` is another file tree in tests only."""
    tree = Tree(root)
    mounts = parse_mountinfo(tree.text("/proc/self/mountinfo"))
    docker_root = node_system_state.data_root(tree.text("/etc/docker/daemon.json"))
    return {
        "boot_id": tree.text("/proc/sys/kernel/random/boot_id").strip() or None,
        "disks": read_disks(tree, docker_root),
        "docker_root": docker_root or "/var/lib/docker",
        "system_disk_mib": read_system_disk_mib(tree),
        "cgroup": node_system_state.cgroup_mode({each.point: each.kind for each in mounts}),
        "secure_boot": _read_secure_boot(tree),
        "reboot": _read_reboot(tree),
        "upgrades": _read_upgrades(tree),
        "swap": _read_swap(tree),
        "pci_gpus": _read_gpus(tree),
        "nameservers": _read_nameservers(tree),
        "names": _read_names(command, tree),
        "login": _read_login(command, tree),
        "installed": _read_installed(tree),
    }


def _read_secure_boot(tree: Tree) -> Optional[bool]:
    firmware = tree.names("/sys/firmware")
    # Without any entry the folder is hidden, as in many containers.
    booted_with_efi = "efi" in firmware if firmware else None
    return gpu_system.secure_boot(tree.data(_SECURE_BOOT), booted_with_efi)


def _read_reboot(tree: Tree) -> dict[str, Any]:
    """Return what Debian's note about a boot says, and a kernel newer than the one that runs."""
    packages = tree.text("/run/reboot-required.pkgs").split()
    running = tree.text("/proc/sys/kernel/osrelease").strip()
    installed = node_system_state.kernels_in(tree.names("/boot"))
    return {
        "required": tree.exists("/run/reboot-required"),
        "packages": list(dict.fromkeys(packages)),
        "newer_kernel": node_system_state.newer_kernel(running, installed),
    }


def _read_upgrades(tree: Tree) -> dict[str, Any]:
    """Return the tool that upgrades packages by itself, and whether ours are held from it."""
    if tree.exists("/usr/bin/unattended-upgrade"):
        names = tree.names(_APT_CONFIGURATION)
        texts = [tree.text(f"{_APT_CONFIGURATION}/{name}") for name in names]
        active = node_system_state.apt_upgrades(texts) is True and _is_enabled(tree, _APT_TIMER)
        held = tree.exists(_APT_HELD)
        return {"tool": "unattended-upgrades", "active": active, "held": held}
    timers = [timer for timer in _DNF_TIMERS if _is_enabled(tree, timer)]
    text = tree.text(_DNF_CONFIGURATION)
    if not text and not timers:
        return {"tool": None, "active": False, "held": False}
    active = _DNF_TIMERS[1] in timers or (bool(timers) and node_system_state.dnf_applies(text))
    return {"tool": "dnf-automatic", "active": active, "held": "rackforge.gpu_cluster" in text}


def _is_enabled(tree: Tree, timer: str) -> bool:
    """Return whether a timer starts with the node: it is wanted, and not masked."""
    wanted = timer in tree.names(_TIMERS)
    return wanted and tree.link_name(f"/etc/systemd/system/{timer}") != "null"


def _read_swap(tree: Tree) -> Optional[list[str]]:
    text = tree.text("/proc/swaps")
    return list(parse_swaps(text)) if text else None


def _read_gpus(tree: Tree) -> list[str]:
    """Return the GPUs on the PCI bus ("nvidia 0x2330 at 0000:3b:00.0"), processors' left out."""
    return [
        f"{gpu.vendor.value} {gpu.device_id or 'of unknown model'} at {gpu.address}"
        for gpu in read_bus(read_devices(tree)).gpus
    ]


def _read_nameservers(tree: Tree) -> Optional[list[str]]:
    if not tree.exists("/etc/resolv.conf"):
        return []
    data = tree.data("/etc/resolv.conf")
    return None if data is None else servers_in(data.decode("utf-8", "replace"))


def _read_names(command: Command, tree: Tree) -> dict[str, Any]:
    """Return what the node makes of its own name and of localhost; None is not known."""
    hostname = socket.gethostname()
    return {
        "hostname": hostname,
        "hosts_file": node_system_state.addresses_in_hosts(tree.text("/etc/hosts"), hostname),
        "resolved": _resolve(command, hostname),
        "localhost": _resolve(command, "localhost"),
    }


def _resolve(command: Command, name: str) -> Optional[list[str]]:
    """Return the addresses of a name; [] when it has none, or none within the limit."""
    timeout, program = command.find("timeout"), command.find("getent")
    if not timeout or not program or not name or name.startswith("-"):
        return None
    result = command.run([timeout, _TIMEOUT, program, "ahosts", name])
    if result.rc == 0:
        return node_system_state.addresses_in_answer(result.out)
    # getent: 2 is "not found"; timeout: 124 is "it took too long". Others say nothing of the name.
    return [] if result.rc in (2, 124) else None


def _read_login(command: Command, tree: Tree) -> Optional[dict[str, Any]]:
    """Return the rights on the way to the keys of the user that Ansible logs in as."""
    account = _login_account()
    if account is None:
        return None
    home = account.pw_dir
    places = (home, f"{home}/.ssh", f"{home}/.ssh/authorized_keys")
    entries = [entry for entry in (_rights(tree, place, account) for place in places) if entry]
    wide = node_system_state.too_open(entries, account.pw_uid)
    return {
        "user": account.pw_name,
        "uid": account.pw_uid,
        "paths": entries,
        # Nobody needs to ask sshd while all is well.
        "strict_modes": _ask_sshd(command) if wide else None,
    }


def _login_account() -> Optional[pwd.struct_passwd]:
    name = os.environ.get("SUDO_USER")
    try:
        return pwd.getpwnam(name) if name else pwd.getpwuid(os.geteuid())
    except (KeyError, ValueError):
        return None


def _rights(tree: Tree, path: str, account: pwd.struct_passwd) -> Optional[Mapping[str, Any]]:
    try:
        seen = os.stat(tree.path(path))
    except (OSError, ValueError):
        return None
    return {
        "path": path,
        "mode": f"{stat.S_IMODE(seen.st_mode):04o}",
        "owner": seen.st_uid,
        "private_group": _is_private(seen.st_gid, account),
    }


def _is_private(group_id: int, account: pwd.struct_passwd) -> bool:
    """Return whether a group is the user's own, with nobody else in it."""
    try:
        group = grp.getgrgid(group_id)
    except (KeyError, OverflowError):
        return False
    own = group_id == account.pw_gid and group.gr_name == account.pw_name
    return own and set(group.gr_mem) <= {account.pw_name}


def _ask_sshd(command: Command) -> Optional[bool]:
    timeout, program = command.find("timeout"), command.find("sshd")
    if not timeout or not program:
        return None
    result = command.run([timeout, _TIMEOUT, program, "-T"])
    return node_system_state.strict_modes(result.out) if result.rc == 0 else None


def _read_installed(tree: Tree) -> dict[str, Any]:
    """Return for Ray and k3s whether a unit of theirs is there, and which of k3s's are not ours."""
    found = {
        name: [
            path
            for folder in _UNIT_FOLDERS
            for path in (f"{folder}/{unit}.service" for unit in units)
            if tree.exists(path)
        ]
        for name, units in _UNITS.items()
    }
    foreign = [path for path in found["k3s"] if _OURS not in tree.text(path)]
    return {**{name: bool(paths) for name, paths in found.items()}, "k3s_foreign": foreign}
