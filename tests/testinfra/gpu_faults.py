# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node whose simulated GPUs are broken and mended, and what the collection says of them.

The node is changed past SSH and Ansible, and judged through ``ansible`` as a user types it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import lab
from tests.lab.paths import ROOT
from tests.lab.shell import LabError
from tests.testinfra.lifecycle.support import clean_environment

ANSIBLE = Path(sys.executable).parent / "ansible"
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
MODULE = "rackforge.gpu_cluster.gpu_driver_check"
#: How findings call the node, whatever the scenario calls it.
HOST = "gpu01"
BOOT = f"ansible -i inv.ini {HOST} --become -m ansible.builtin.reboot"
PROVISION = f"ansible-playbook -i inv.ini playbooks/provision.yml --limit ray_head,{HOST}"
NO_RAY = "Ray would report 0 GPUs on this node and give no reason."
#: The driver that provision.yml installed, and one that the stand-in repository has besides.
DRIVER = "580.105.08"
NEWER = "590.48.01"
KERNEL_LOG = "/run/lab-hardware/kernel.log"
DESCRIBE = "nvidia-ctk --quiet cdi generate --output=/var/run/cdi/nvidia.yaml"


@dataclass(frozen=True)
class Judged:
    """What gpu_driver_check returned."""

    findings: list[dict[str, str]]
    gpu: dict[str, Any]
    summary: str


@dataclass(frozen=True)
class GpuNode:
    """The scenario's node with GPUs, by its name in the inventory."""

    inventory: Path
    name: str

    @property
    def lab(self) -> str:
        """Return the name of the lab that the node is of."""
        return self.inventory.parent.name

    def run(self, script: str, timeout: float = 120) -> str:
        """Return what a shell script prints as root on the node; a failure fails the test."""
        done = lab.exec(self.name, ["sh", "-ec", script], lab=self.lab, timeout=timeout)
        assert done.rc == 0, f"{script}: exit status {done.rc}: {done.stdout}{done.stderr}"
        return done.stdout

    def set(self, settings: Mapping[str, str]) -> None:
        """Change what needs no power cycle: the machine is as healthy as it was, but for this."""
        lab.gpus(self.name, settings, reset=True, lab=self.lab)

    def judge(self, **options: Any) -> Judged:
        """Return what the collection says of the node's GPUs."""
        arguments = {"host": HOST, "fail_on": "never", **options}
        argv = [str(ANSIBLE), f"--inventory={self.inventory}", self.name, "--become"]
        argv += [f"--module-name={MODULE}", f"--args={json.dumps(arguments)}"]
        done = _ansible(argv)
        assert done.returncode == 0, done.stdout + done.stderr
        result = json.loads(done.stdout.partition(" => ")[2])
        return Judged(result["findings"], result["ansible_facts"]["gpu"], result["summary"])

    def play(self, playbook: str, *variables: str) -> subprocess.CompletedProcess[str]:
        """Return how a playbook of the collection ended that was limited to this node."""
        argv = [str(PLAYBOOK), f"--inventory={self.inventory}", f"--limit={self.name}"]
        argv += [f"--extra-vars={each}" for each in variables]
        return _ansible([*argv, str(ROOT / "playbooks" / playbook)])

    def power_cycle(self, settings: Mapping[str, str]) -> None:
        """Switch the machine off and on again, healthy but for these settings."""
        self.set(settings)
        lab.power_off(self.name, lab=self.lab)
        try:
            lab.power_on(self.name, lab=self.lab)
        except LabError as error:
            # The toolkit's own unit fails at boot where the driver does not run.
            if "degraded" not in str(error):
                raise

    def mend(self) -> None:
        """Make the machine healthy, with a power cycle if one of its parts was changed."""
        self.set({})
        parts = "/run/lab-hardware/booted.conf /var/lib/lab-hardware/healthy.conf"
        if self.run(f"cmp -s {parts} && echo same || echo other").strip() == "other":
            self.power_cycle({})

    @contextmanager
    def ray_stopped(self) -> Iterator[None]:
        """Keep Ray away: without GPUs it cannot start, and it uses them."""
        has_ray = "[ ! -e /etc/systemd/system/ray.service ] || "
        self.run(f"{has_ray}systemctl disable --quiet --now ray.service")
        try:
            yield
        finally:
            self.run(f"{has_ray}systemctl enable --quiet --now ray.service")

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Take back, at the end, what the settings and the kernel log were made to say."""
        self.run(f"cp {KERNEL_LOG} {KERNEL_LOG}.kept")
        try:
            yield
        finally:
            self.set({})
            self.run(f"mv {KERNEL_LOG}.kept {KERNEL_LOG}")

    @contextmanager
    def program(self, path: str, script: str | None) -> Iterator[None]:
        """Have another script in a program's place for the block, or (None) nothing."""
        self.run(f"mv {path} {path}.kept")
        try:
            if script is not None:
                text = script.replace("'", "'\\''")
                self.run(f"printf '%s' '{text}' >{path} && chmod 755 {path}")
            yield
        finally:
            self.run(f"mv {path}.kept {path}")

    @contextmanager
    def described(self, before: str, after: str = ":") -> Iterator[None]:
        """Have containers handed what was there between two scripts; all GPUs at the end.

        The list of devices is made after ``before``, so what that takes away is not on it.
        """
        self.run(f"{before} && {DESCRIBE} && {after}")
        try:
            yield
        finally:
            self.run(DESCRIBE)

    @contextmanager
    def module_unloaded(self) -> Iterator[None]:
        """Have the driver's module out of the kernel for the block."""
        self.unload()
        try:
            yield
        finally:
            self.load()

    def unload(self) -> None:
        """Take the driver's module out of the kernel."""
        self.run("systemctl stop nvidia-persistenced.service && rmmod nvidia")

    def load(self) -> None:
        """Load the driver's module and describe its GPUs to containers, as a boot does."""
        self.run(
            "rmmod nouveau 2>&- || true; modprobe nvidia && "
            f"systemctl start nvidia-persistenced.service && {DESCRIBE}"
        )

    @contextmanager
    def packages(self, version: str, *names: str) -> Iterator[None]:
        """Have packages in another version for the block, whatever else depends on them."""
        kept = self.run(f"dpkg-query --show --showformat='${{Package}}=${{Version}} ' {names[0]}")
        before = kept.strip().partition("=")[2]
        self.unpack(version, *names)
        try:
            yield
        finally:
            self.unpack(before, *names)

    @contextmanager
    def added(self, version: str, name: str) -> Iterator[None]:
        """Have a package for the block that the node does not have."""
        self.unpack(version, name)
        try:
            yield
        finally:
            self.run(f"dpkg --purge {name}")

    def unpack(self, version: str, *names: str) -> None:
        """Install packages in a version, whatever else depends on them."""
        wanted = " ".join(f"{name}={version}" for name in names)
        self.run(
            "cd $(mktemp -d) && apt-get download -qq "
            f"{wanted} && dpkg --install --force-depends --force-confold ./*.deb && "
            "rm -r $PWD"
        )


def gpu_node(inventory: Path) -> GpuNode:
    """Return the node of an inventory that has GPUs."""
    found = re.search(r"^(\S+) .*\bhas_gpu=true\b", inventory.read_text(), re.MULTILINE)
    assert found, f"{inventory}: no node has has_gpu=true"
    return GpuNode(inventory, found.group(1))


def _ansible(argv: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def finding(
    severity: str,
    code: str,
    message: str,
    seen: str,
    expected: str,
    fix: str,
    variable: str = "",
) -> dict[str, str]:
    """Return a finding as the module returns it."""
    return {
        "severity": severity,
        "code": code,
        "host": HOST,
        "message": message,
        "seen": seen,
        "expected": expected,
        "fix": fix,
        "variable": variable,
    }
