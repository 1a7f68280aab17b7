# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about why a node waits for a boot, and what a boot would end."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.boot_reasons import boot_reasons
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_work import (
    Machine,
    Process,
    Work,
    boot_obstacles,
    gpu_processes,
)

HERE = Machine("aa11", "b00t")
TRAIN = Process(7, "python3", "python3 train.py --epochs 3", ("/dev/null", "/dev/nvidia0"))
JOB = {"job_id": "raysubmit_1", "entrypoint": "python train.py"}


@pytest.mark.parametrize(
    ("process", "is_work"),
    [
        pytest.param(TRAIN, True, id="nvidia"),
        pytest.param(Process(7, "python3", "x", ("/dev/kfd",)), True, id="amd"),
        pytest.param(Process(7, "python3", "x", ("/dev/nvidiactl",)), False, id="only-asked"),
        pytest.param(Process(7, "python3", "x", ("/dev/dri/renderD128",)), False, id="desktop"),
        pytest.param(
            Process(7, "nvidia-persiste", "/usr/bin/nvidia-persistenced", ("/dev/nvidia0",)),
            False,
            id="persistence-daemon",
        ),
        pytest.param(
            Process(7, "ray::train", "ray::train()", ("/dev/nvidia0",)), False, id="task-of-ray"
        ),
        pytest.param(
            Process(7, "nvidia-device-p", "/usr/bin/nvidia-device-plugin", ("/dev/nvidia0",)),
            False,
            id="device-plugin-of-k3s",
        ),
        pytest.param(
            Process(7, "gpuagent", "gpuagent", ("/dev/kfd",), "rackforge-gpu-exporter"),
            False,
            id="own-exporter",
        ),
        pytest.param(Process(7, "python3", "x", ("/dev/kfd",), "web"), True, id="container"),
        pytest.param(Process(7, "bash", "bash", ()), False, id="no-device"),
    ],
)
def test_work_is_what_computes_on_a_gpu(process: Process, is_work: bool) -> None:
    assert gpu_processes([process]) == ((process,) if is_work else ())


@pytest.mark.parametrize(
    ("work", "connection", "jobs", "expected"),
    [
        pytest.param(Work(), "ssh", [], [], id="nothing-runs"),
        pytest.param(Work(), "ssh", None, [], id="no-cluster-yet"),
        pytest.param(
            Work(machine=HERE),
            "ssh",
            [],
            ["this is the machine that Ansible runs on, boot it yourself"],
            id="control-node-over-ssh",
        ),
        pytest.param(
            Work(),
            "local",
            [],
            ["this is the machine that Ansible runs on, boot it yourself"],
            id="local-connection",
        ),
        pytest.param(Work(machine=Machine("aa11", "other")), "ssh", [], [], id="clone"),
        pytest.param(Work(machine=Machine("", "")), "ssh", [], [], id="unknown-machine"),
        pytest.param(
            Work(ray_active=True),
            "ssh",
            [JOB],
            ["Ray jobs have not ended: raysubmit_1 python train.py"],
            id="job",
        ),
        pytest.param(Work(ray_active=True), "ssh", [], [], id="ray-without-jobs"),
        pytest.param(
            Work(ray_active=True),
            "ssh",
            None,
            ["ray.service runs here, and the head could not be asked for its jobs"],
            id="silent-head",
        ),
        pytest.param(
            Work(containers=("postgres", "web"), processes=(TRAIN,)),
            "ssh",
            [],
            [
                "containers of yours run: postgres, web",
                "programs of yours use a GPU: 7 python3 train.py --epochs 3",
            ],
            id="containers-and-programs",
        ),
    ],
)
def test_a_node_is_not_booted_under_work(
    work: Work, connection: str, jobs: list[dict[str, Any]] | None, expected: list[str]
) -> None:
    assert boot_obstacles(work, HERE, connection, jobs) == expected


def test_two_machines_that_say_nothing_are_not_one() -> None:
    assert not Machine().is_same(Machine())


def test_a_long_command_is_cut() -> None:
    assert Process(7, "x", "y" * 61).words == f"7 {'y' * 60}..."
    assert Process(7, "x").words == "7 x"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param({}, [], id="nothing-registered"),
        pytest.param(
            {
                "__os_base_kernel_command_line": {
                    "reboot_required": True,
                    "missing": ["pci=realloc"],
                }
            },
            ["kernel arguments pci=realloc"],
            id="kernel-arguments",
        ),
        pytest.param(
            {
                "__os_base_kernel_command_line": {"skipped": True},
                "__os_base_selinux_mode": {"reboot_required": True},
                "__nvidia_boot": {
                    "reboot_required": True,
                    "reboot_reasons": ["nouveau holds 0000:3b:00.0"],
                },
                "__rocm_boot": {"reboot_required": False, "reboot_reasons": []},
            },
            ["SELinux's mode", "nouveau holds 0000:3b:00.0"],
            id="selinux-and-driver",
        ),
        pytest.param({"__rocm_boot": {"reboot_required": True}}, ["AMD's driver"], id="no-words"),
    ],
)
def test_the_reasons_for_a_boot_are_those_of_the_roles(
    variables: dict[str, Any], expected: list[str]
) -> None:
    assert boot_reasons(variables) == expected
