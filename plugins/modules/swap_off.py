#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have no swap, now and after the next boot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: swap_off
short_description: Have no swap, now and after the next boot
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Takes all swap out of use and masks C(swap.target), so that no entry of C(/etc/fstab), no partition and no zram device that systemd knows
    comes back at boot. C(zramswap.service) of Debian's zram-tools is masked too where it is enabled. C(/etc/fstab) is not edited.
  - A node that has no swap is left alone.
  - Fails, with nothing masked, when what lies in swap does not fit into memory.
attributes:
  check_mode:
    support: full
    description: Says what would be taken out of use and masked.
  diff_mode:
    support: full
    description: Shows areas and units before and after.
  idempotent:
    support: full
    description: Compares with the kernel and with systemd, so an interrupted run is made good by the next.
options: {}
"""

EXAMPLES = r"""
- name: Do without swap, as the kubelet wants it
  rackforge.gpu_cluster.swap_off:
"""

RETURN = r"""
areas:
  description: Swap that was taken out of use, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/dev/sda3]
masked:
  description: Units that were masked, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [swap.target]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.boot_units import parse_show
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.swap import (
    PROPERTIES,
    STARTERS,
    SwapError,
    SwapPlan,
    parse_swaps,
    plan_swap,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import read_text

SWAPS = "/proc/swaps"


def apply(command: Command, plan: SwapPlan) -> None:
    """Take swap out of use first: that is what may fail."""
    if plan.areas:
        result = command.run(["swapoff", "--all"])
        left = parse_swaps(read_text(SWAPS) or "")
        if result.rc != 0 or left:
            raise CommandError(
                f"{result.explain()}; {', '.join(left) or 'no area'} is still in use. Is there memory for "
                f"what lies in it (see 'free --mebi')? Stop what uses it and run again; nothing was masked"
            )
    if plan.mask:
        command.need(["systemctl", "mask", *plan.mask])


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    command = Command(module)
    try:
        units = parse_show(command.need(["systemctl", "show", "--property", PROPERTIES, *STARTERS]))
        plan = plan_swap(parse_swaps(read_text(SWAPS) or ""), units)
        if not module.check_mode:
            apply(command, plan)
    except (SwapError, CommandError, OSError) as error:
        module.fail_json(msg=f"Could not switch swap off: {error}")
    module.exit_json(
        changed=bool(plan.areas or plan.mask),
        areas=list(plan.areas),
        masked=list(plan.mask),
        diff={
            "before": "".join(f"swap {area}\n" for area in plan.areas),
            "after": "".join(f"{unit} masked\n" for unit in plan.mask),
        },
    )


if __name__ == "__main__":
    main()
