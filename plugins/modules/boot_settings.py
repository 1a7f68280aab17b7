#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Boot like a server: no desktop, and no waiting for ports without a network."""

from __future__ import annotations

DOCUMENTATION = r"""
module: boot_settings
short_description: Boot like a server, without a desktop and without waiting for every port
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Changes what the next boot does. Nothing that runs now is stopped or started.
  - C(multi-user.target) becomes the default in place of C(graphical.target), which is the default of Debian and Ubuntu on servers too.
    A desktop that comes with some package (for remote desktops, for instance) would put an idle machine to sleep.
  - C(NetworkManager-wait-online.service) and C(systemd-networkd-wait-online.service) are masked where the next boot would wait in them. They hold
    a boot for up to two minutes when a port has no cable. To disable them, as is often advised, does not hold on Ubuntu, since
    netplan pulls systemd-networkd's in at every boot.
attributes:
  check_mode:
    support: full
    description: Says what would be changed.
  diff_mode:
    support: full
    description: Shows the default target and the services, before and after.
  idempotent:
    support: full
    description: Compares with what systemd says. A target other than C(graphical.target) was chosen by somebody and stays.
options:
  multi_user_target:
    description: Whether C(multi-user.target) replaces C(graphical.target).
    type: bool
    default: true
  wait_online_off:
    description:
      - Whether the services that wait for the network are masked.
      - What is ordered after C(network-online.target) may then start before there is a network, and has to try again by itself.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Boot without a desktop and without waiting for unplugged ports
  rackforge.gpu_cluster.boot_settings:
"""

RETURN = r"""
done:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [default target multi-user.target, NetworkManager-wait-online.service masked]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.boot_units import (
    ONLINE,
    PROPERTIES,
    WAITERS,
    BootError,
    Step,
    parse_show,
    plan_boot,
    waiters,
    words,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)


def plan(command: Command, to_server: bool, wait_for_none: bool) -> list[Step]:
    """Return what must change on this node."""
    target = command.need(["systemctl", "get-default"]).strip() if to_server else ""
    show = ["systemctl", "show", "--property", PROPERTIES, ONLINE, *WAITERS]
    services = waiters(parse_show(command.need(show))) if wait_for_none else []
    return plan_boot(target, services, to_server, wait_for_none)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "multi_user_target": {"type": "bool", "default": True},
            "wait_online_off": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    params, command = module.params, Command(module)
    try:
        steps = plan(command, params["multi_user_target"], params["wait_online_off"])
        if not module.check_mode:
            for step in steps:
                command.need(step.argv)
    except (BootError, CommandError) as error:
        module.fail_json(msg=f"Could not change how this node boots: {error}")
    before, after = words(steps)
    module.exit_json(
        changed=bool(steps),
        done=[step.after for step in steps],
        diff={"before": before, "after": after},
    )


if __name__ == "__main__":
    main()
