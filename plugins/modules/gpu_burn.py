#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Load every GPU of the node for a while, and say how each did."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_burn
short_description: Load every GPU of the node for a while, and say how each did
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - The stress test that the CVGL document asks for after the set-up of a node. All GPUs compute at once, each in a process of its own.
  - Needs no program besides the vendor's driver. NVIDIA's compiles the small kernel itself (libcuda.so.1); AMD's needs
    C(libamdhip64.so) and C(libhiprtc.so) of ROCm's HIP runtime.
  - Most of a GPU's memory is filled with numbers that are computed anew and compared in every pass, so wrong memory and wrong arithmetic
    show. The kernel uses single-precision multiply-adds, no tensor cores; the power that it draws is below the highest that a GPU can draw.
  - Meanwhile temperature, power and ECC counters are read from the driver. Afterwards the kernel's log is searched for new Xid messages.
  - A GPU fails when it computes wrongly or not at all, gets hotter than O(temperature_limit), has uncorrectable ECC errors or an Xid.
    The module then fails with the table of all GPUs.
  - Whoever computes on these GPUs meanwhile is slowed down and may run out of memory; M(rackforge.gpu_cluster.node_work) tells who does.
attributes:
  check_mode:
    support: none
    description: Does nothing in check mode, and says so.
  diff_mode:
    support: none
    description: Changes nothing.
  idempotent:
    support: none
    description: Each call loads the GPUs again.
options:
  seconds:
    description: How long the GPUs are loaded. A GPU that gives no answer for 30 seconds more is given up.
    type: int
    default: 60
  memory_fraction:
    description: Part of each GPU's free memory that is filled, above 0 and at most 0.95.
    type: float
    default: 0.9
  temperature_limit:
    description: Degrees Celsius above which a GPU fails. Data centre GPUs slow down between about 85 and 95.
    type: int
    default: 90
  host:
    description: Name of the node in the report; its own host name when not given.
    type: str
  interval:
    description: Seconds between two readings of the driver.
    type: int
    default: 2
"""

EXAMPLES = r"""
- name: Load every GPU for a minute
  rackforge.gpu_cluster.gpu_burn:

- name: Load every GPU for an hour
  rackforge.gpu_cluster.gpu_burn:
    seconds: 3600
"""

RETURN = r"""
reports:
  description: One entry for each GPU, or for each MIG device of a partitioned one.
  returned: when GPUs were loaded
  type: list
  elements: dict
  contains:
    gpu:
      description: The driver's index; with a point and a number for a MIG device.
      type: str
      returned: always
      sample: "0"
    model:
      description: The product.
      type: str
      returned: always
      sample: NVIDIA L40S
    pci_address:
      description: Where it is on the PCI bus.
      type: str
      returned: always
      sample: 0000:3b:00.0
    passed:
      description: Whether there was no problem.
      type: bool
      returned: always
      sample: true
    problems:
      description: One sentence for each problem.
      type: list
      elements: str
      returned: always
      sample: []
    seconds:
      description: Seconds from the first pass to the end of the last.
      type: float
      returned: always
      sample: 60.2
    passes:
      description: Passes over the memory.
      type: int
      returned: always
      sample: 281
    memory_mib:
      description: MiB of memory that were filled.
      type: int
      returned: always
      sample: 41210
    teraflops:
      description: 10^12 single-precision operations a second; null when no pass was finished.
      type: float
      returned: always
      sample: 61.4
    wrong_numbers:
      description: Numbers that differed from the first pass.
      type: int
      returned: always
      sample: 0
    temperature_c_start:
      description: Degrees Celsius before; null when the driver does not tell.
      type: int
      returned: always
      sample: 34
    temperature_c_max:
      description: The highest reading in degrees Celsius, or null.
      type: int
      returned: always
      sample: 71
    power_w_max:
      description: The highest reading in watts, or null.
      type: float
      returned: always
      sample: 312.4
    power_w_limit:
      description: The limit in watts that the GPU is set to, or null.
      type: float
      returned: always
      sample: 350.0
    ecc_corrected:
      description: Corrected memory errors that came meanwhile; null without ECC.
      type: int
      returned: always
      sample: 0
    ecc_uncorrected:
      description: Uncorrectable ones, likewise.
      type: int
      returned: always
      sample: 0
    xids:
      description: Numbers of the Xid messages that the kernel logged about it meanwhile.
      type: list
      elements: int
      returned: always
      sample: []
left_out:
  description: A sentence for each GPU that could not be loaded.
  returned: when GPUs were loaded
  type: list
  elements: str
  sample: []
text:
  description: The reports as a table.
  returned: when GPUs were loaded
  type: str
  sample: |-
    gpu01, 60 s from 10:57:07: 1 of 1 GPUs passed
    GPU  MODEL        RESULT  TFLOP/S  ERRORS  TEMPERATURE  POWER         ECC C/U  XID
    0    NVIDIA L40S  passed  61.4     0       34 to 71 C   312 of 350 W  0/0      none
"""

import platform
import time
from collections.abc import Sequence
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_ask import (
    amd_views,
    nvidia_views,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_burn import (
    Readings,
    Report,
    Target,
    choose_targets,
    judge,
    new_lines,
    render,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_join import best_view
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverGpu,
    GpuNode,
    Vendor,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_read import read_gpu_node
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_workers import run_all
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_xid import parse_xids

#: Seconds that one reading may take; a driver that hangs must not hold up the end of the test.
READING_LIMIT = 10.0
ASK = {Vendor.NVIDIA: nvidia_views, Vendor.AMD: amd_views}
Key = tuple[Vendor, int]


class Watch:
    """The readings of all GPUs, taken again and again."""

    def __init__(self, command: Command, targets: Sequence[Target]) -> None:
        self._command = command
        self._vendors = sorted({target.vendor for target in targets})
        self.readings: dict[Key, Readings] = {}
        for key, gpu in self._read().items():
            self.readings[key] = Readings(gpu)

    def take(self) -> None:
        """Add what the driver says now."""
        for key, gpu in self._read().items():
            known = self.readings.get(key)
            self.readings[key] = known.with_sample(gpu) if known else Readings(gpu)

    def of(self, target: Target) -> Readings:
        """Return the readings of one GPU."""
        return self.readings.get((target.vendor, target.index), Readings(DriverGpu(target.index)))

    def _read(self) -> dict[Key, DriverGpu]:
        views = {
            vendor: best_view(ASK[vendor](self._command, READING_LIMIT)) for vendor in self._vendors
        }
        return {
            (vendor, gpu.index): gpu
            for vendor, view in views.items()
            if view is not None
            for gpu in view.gpus
        }


def burn(command: Command, node: GpuNode, params: dict[str, Any]) -> tuple[list[Report], list[str]]:
    """Return a report for each GPU that was loaded, and why others were not."""
    targets, left_out = choose_targets(node.gpus)
    watch = Watch(command, targets)
    loads = run_all(
        targets, params["seconds"], params["memory_fraction"], watch.take, params["interval"]
    )
    watch.take()
    fresh = parse_xids(new_lines(node.kernel_log, read_gpu_node(command).kernel_log))
    reports = [
        judge(
            target,
            loads[target],
            watch.of(target),
            [event.number for event in fresh if event.address == target.pci_address],
            params["temperature_limit"],
        )
        for target in targets
    ]
    return reports, left_out


def wrong_argument(params: dict[str, Any]) -> Optional[str]:
    """Return what is wrong with the options, None when nothing is."""
    if not 0 < params["memory_fraction"] <= 0.95:
        return (
            f"memory_fraction: saw {params['memory_fraction']}, expected above 0 and at most 0.95"
        )
    for name in ("seconds", "interval"):
        if params[name] < 1:
            return f"{name}: saw {params[name]}, expected 1 or more"
    return None


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "seconds": {"type": "int", "default": 60},
            "memory_fraction": {"type": "float", "default": 0.9},
            "temperature_limit": {"type": "int", "default": 90},
            "interval": {"type": "int", "default": 2},
            "host": {"type": "str"},
        },
        supports_check_mode=True,
    )
    wrong = wrong_argument(module.params)
    if wrong:
        module.fail_json(msg=wrong)
    if module.check_mode:
        module.exit_json(changed=False, skipped=True, msg="GPUs are not loaded in check mode")
    started, command = time.strftime("%H:%M:%S"), Command(module)
    node = read_gpu_node(command)
    if not choose_targets(node.gpus)[0]:
        reasons = [stack.error for stack in node.stacks if stack.error]
        reasons += choose_targets(node.gpus)[1] or ["there is none on the PCI bus"]
        module.fail_json(
            msg=f"No GPU can be loaded: {'; '.join(reasons)}. What is wrong, and what to do, says "
            "provision.yml's GPU check (module gpu_driver_check)"
        )
    reports, left_out = burn(command, node, module.params)
    host = module.params["host"] or platform.node()
    text = render(f"{host}, {module.params['seconds']} s from {started}", reports, left_out)
    failed = left_out or not all(report.passed for report in reports)
    module.exit_json(
        changed=False,
        failed=bool(failed),
        msg=text,
        text=text,
        reports=[report.to_dict() for report in reports],
        left_out=left_out,
    )


if __name__ == "__main__":
    main()
