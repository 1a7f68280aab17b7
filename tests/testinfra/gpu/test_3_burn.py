# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A short stress test of the two simulated GPUs, which the stand-in of CUDA pretends to load."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.testinfra.gpu_faults import GpuNode, gpu_node

SECONDS = "gpu_burn_seconds=3"
PASSED = r"{} +NVIDIA H100 80GB HBM3 +passed +[0-9.]+ +0 +33 to 33 C +116 of 700 W +0/0 +none"
HOLDER = "import os, time; os.open('/dev/nvidia0', os.O_PATH); time.sleep(10**6)"


@pytest.fixture(scope="module")
def node(inventory: Path) -> Iterator[GpuNode]:
    """The node with GPUs, without Ray, whose memory and devices are all free."""
    found = gpu_node(inventory)
    with found.ray_stopped():
        yield found


@pytest.fixture
def broken(node: GpuNode) -> Iterator[GpuNode]:
    """The node, whose settings are as before after the test."""
    with node.faults():
        yield node


@contextmanager
def program_at_work(node: GpuNode) -> Iterator[str]:
    """Have a program keep a GPU open for the block; the value is its process id."""
    node.run(f'systemd-run --quiet --unit=work /usr/bin/python3 -c "{HOLDER}"')
    try:
        pid = node.run("systemctl show --property=MainPID --value work.service").strip()
        node.run(f"until ls -l /proc/{pid}/fd | grep --quiet nvidia0; do sleep 0.1; done")
        yield pid
    finally:
        node.run("systemctl stop work.service")


def count_passed(done: subprocess.CompletedProcess[str]) -> int:
    """Return how many rows of the table say that a healthy GPU passed."""
    return sum(bool(re.search(PASSED.format(gpu), done.stdout)) for gpu in range(2))


def test_healthy_gpus_pass(node: GpuNode) -> None:
    done = node.play("gpu_burn.yml", SECONDS)
    assert done.returncode == 0, done.stdout
    assert re.search(rf"{node.name}, 3 s from [0-9:]+: 2 of 2 GPUs passed", done.stdout)
    assert count_passed(done) == 2


def test_wrong_numbers_and_a_failed_launch_are_told_of_their_gpus(broken: GpuNode) -> None:
    broken.set({"gpu.0.compute_errors": "3", "gpu.1.compute_failure": "719"})
    done = broken.play("gpu_burn.yml", SECONDS)
    assert done.returncode == 2
    assert ": 0 of 2 GPUs passed" in done.stdout
    assert "GPU 0: 3 numbers changed, expected none: its memory or its arithmetic fails" in (
        done.stdout
    )
    assert "GPU 1: cuCtxSynchronize: CUDA_ERROR_LAUNCH_FAILED (719)" in done.stdout


def test_hot_gpu_fails_and_the_other_passes(broken: GpuNode) -> None:
    broken.set({"gpu.1.temperature_c": "97"})
    done = broken.play("gpu_burn.yml", SECONDS)
    assert done.returncode == 2
    assert ": 1 of 2 GPUs passed" in done.stdout
    assert count_passed(done) == 1
    assert "GPU 1: 97 degrees C, expected at most 90 (gpu_burn_temperature_limit_c)" in done.stdout


def test_gpu_in_use_is_loaded_only_on_demand(node: GpuNode) -> None:
    with program_at_work(node) as pid:
        refused = node.play("gpu_burn.yml", SECONDS)
        forced = node.play("gpu_burn.yml", SECONDS, "gpu_burn_force=true")
    assert refused.returncode == 2
    assert (
        f"{node.name}: programs of yours use a GPU: {pid} /usr/bin/python3 -c import os, time; "
        "os.open('/dev/nvidia0',.... Nothing was loaded. Wait for them, end them, or say "
        "-e gpu_burn_force=true to load the GPUs beside them."
    ) in refused.stdout
    assert forced.returncode == 0, forced.stdout
    assert count_passed(forced) == 2
