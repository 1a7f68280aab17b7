# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts simulated GPUs into lab nodes, changes them, and serves the packages of their vendors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lab.gpu import build
from tests.lab.gpu.machine import (
    Model,
    cards_of,
    changed,
    machine_settings,
    model_called,
    parse,
    render,
)
from tests.lab.shell import LabError, check, run

HERE = Path(__file__).resolve().parent
FOLDER = "/var/lib/lab-hardware"
CONFIG = f"{FOLDER}/hardware.conf"
HEALTHY = f"{FOLDER}/healthy.conf"
KIT = "/var/lib/lab-hardware/kit"
SERVED = "/srv/lab-gpu-repository"
PORT = 8090
SERVICE = "lab-gpu-repository.service"
UNIT = f"""[Unit]
Description=Stand-in for the package repositories of GPU vendors (tests/lab/gpu)
After=network.target
Conflicts=shutdown.target

[Service]
ExecStart=/usr/bin/python3 -m http.server {PORT} --directory {SERVED}/www
StandardOutput=null
StandardError=null

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Repository:
    """Where a lab node serves the stand-ins of the vendors' repositories."""

    address: str
    key: Path
    fingerprint: str

    def inputs(self) -> dict[str, str]:
        """Return the roles' inputs that name it."""
        base = f"http://{self.address}:{PORT}"
        return {
            "nvidia_repository_url": f"{base}/compute/cuda/repos",
            "nvidia_repository_key_fingerprint": self.fingerprint,
            "nvidia_toolkit_repository_url": f"{base}/libnvidia-container",
            "nvidia_toolkit_repository_key_fingerprint": self.fingerprint,
            "rocm_repository_url": base,
            "rocm_repository_key_fingerprint": self.fingerprint,
        }


def read_config(container: str) -> dict[str, str]:
    """Return a node's settings, nothing where it has no simulated hardware."""
    done = run(["docker", "exec", container, "cat", CONFIG])
    return parse(done.stdout) if done.ok else {}


def _write(container: str, path: str, text: str) -> None:
    check(["docker", "exec", "-i", container, "sh", "-c", f"cat >{path}"], stdin=text)


def ensure_gpus(container: str, model: str, count: int) -> int:
    """Return how many GPUs a node has, after it was given those that it lacks altogether.

    A node that has some already keeps them with all their settings.
    """
    there = len(cards_of(read_config(container)))
    if there and there != count:
        raise LabError(
            f"{container} has {there} simulated GPUs, not {count}; take its lab down first, or use "
            "`python3 -m tests.lab gpu`"
        )
    if count and not there:
        install(container, [model_called(model)] * count)
    return count


def install(container: str, models: Iterable[Model]) -> None:
    """Put GPUs into a node, which finds them as if it had just been switched on."""
    settings = render(machine_settings(container, models))
    check(["docker", "exec", container, "rm", "-rf", KIT])
    check(["docker", "exec", container, "mkdir", "-p", FOLDER])
    check(["docker", "cp", f"{HERE / 'node'}", f"{container}:{KIT}"])
    check(["docker", "exec", container, "sh", f"{KIT}/install"])
    _write(container, HEALTHY, settings)
    _write(container, CONFIG, settings)
    check(["docker", "exec", container, "systemctl", "restart", "lab-hardware.service"])


def change(container: str, wishes: Mapping[str, str], *, reset: bool = False) -> dict[str, str]:
    """Return a node's settings after a change; what needs no power cycle holds at once."""
    path = HEALTHY if reset else CONFIG
    done = run(["docker", "exec", container, "cat", path])
    if not done.ok:
        raise LabError(
            f"{container} has no simulated GPUs; boot the lab with --gpus N (after a `down`)"
        )
    settings = changed(parse(done.stdout), wishes)
    _write(container, CONFIG, render(settings))
    check(["docker", "exec", container, "/usr/local/sbin/lab-hardware", "apply"])
    return settings


def serve(container: str, address: str) -> Repository:
    """Return the vendors' repositories, which the node serves from now on and after each boot."""
    folder = build.ensure_repository()
    check(["docker", "exec", container, "sh", "-c", f"rm -rf {SERVED} && mkdir -p {SERVED}"])
    check(["docker", "cp", f"{folder / 'www'}", f"{container}:{SERVED}/www"])
    _write(container, f"/etc/systemd/system/{SERVICE}", UNIT)
    for words in (["daemon-reload"], ["enable", "--quiet", SERVICE], ["restart", SERVICE]):
        check(["docker", "exec", container, "systemctl", *words])
    answers = f"(: </dev/tcp/127.0.0.1/{PORT}) 2>/dev/null"
    wait = f"for _ in $(seq 100); do {answers} && exit; sleep 0.1; done; exit 1"
    check(["docker", "exec", container, "bash", "-c", wait])
    return Repository(address, folder / "key.asc", (folder / "fingerprint").read_text().strip())
