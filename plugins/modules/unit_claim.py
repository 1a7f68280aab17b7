#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refuse to take over units that are somebody else's."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unit_claim
short_description: Refuse to take over units that are somebody else's
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Fails when one of the units runs from a file that this collection did not write, and names the ways out.
  - A unit that does not run, or whose file begins with this collection's mark, is free.
extends_documentation_fragment: rackforge.gpu_cluster.attributes.read_only
options:
  names:
    description: The units, with their endings.
    type: list
    elements: str
    required: true
  others:
    description: Units of an earlier choice, with their endings. They are only looked at.
    type: list
    elements: str
    default: []
  source_input:
    description: Name of the input that says with V(existing) that the owner's own is to be used, for the message.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Find a Prometheus that is the owner's own
  rackforge.gpu_cluster.unit_claim:
    names: [prometheus.service, prometheus-alertmanager.service]
    source_input: monitoring_source
"""

RETURN = r"""
running:
  description: Units of the list that run and are this collection's.
  returned: success
  type: list
  elements: str
  sample: [prometheus.service]
left:
  description: Units of O(others) that run and are this collection's.
  returned: success
  type: list
  elements: str
  sample: [victoria-metrics.service]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import read_text
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.unit_claim import (
    Unit,
    foreign,
    parse_show,
    refusal,
)


def read_units(command: Command, names: list[str]) -> list[Unit]:
    """Return how the units stand."""
    out = command.need(["systemctl", "show", *names, "--property", "Id,ActiveState,FragmentPath"])
    return [
        Unit(name, state, path, ((read_text(path) if path else None) or "")[:80])
        for name, state, path in parse_show(out)
    ]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "others": {"type": "list", "elements": "str", "default": []},
            "source_input": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        command, others_named = Command(module), module.params["others"]
        units = read_units(command, module.params["names"])
        left = read_units(command, others_named) if others_named else []
    except (CommandError, OSError) as error:
        module.fail_json(msg=f"Could not look at the units: {error}")
        return
    others = foreign(units)
    if others:
        module.fail_json(msg=refusal(others, module.params["source_input"]))
    running = [unit.name for unit in units if unit.active_state == "active"]
    module.exit_json(
        changed=False,
        running=running,
        left=[unit.name for unit in left if unit.active_state == "active" and not foreign([unit])],
    )


if __name__ == "__main__":
    main()
