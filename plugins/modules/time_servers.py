#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have time servers, through the program that keeps a node's clock."""

from __future__ import annotations

DOCUMENTATION = r"""
module: time_servers
short_description: Have time servers, through the program that keeps the node's clock
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - With chrony, a file in C(/etc/chrony/sources.d) where its configuration names that folder (Debian, Ubuntu); else (Red Hat's family) a marked
    block in its configuration file. The servers come beside those that the owner has there, and are preferred.
  - With systemd-timesyncd, a drop-in in C(/etc/systemd/timesyncd.conf.d), whose servers replace all others.
  - The service is enabled and runs afterwards. It is restarted when the file is younger than its start. A unit that its owner masked is told, and not started.
  - A node without either is left alone, and RV(client) is empty; install chrony and call again.
attributes:
  check_mode:
    support: full
    description: Says what would be written, enabled, started or restarted.
  diff_mode:
    support: full
    description: Shows the file before and after, and what is done to the service.
  idempotent:
    support: full
    description: Compares with the running service, so an interrupted run is made good by the next.
options:
  servers:
    description: Names or addresses of the time servers.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Follow the clock of the laboratory
  rackforge.gpu_cluster.time_servers:
    servers: [ntp1.lab.example, ntp2.lab.example]
"""

RETURN = r"""
client:
  description: The program that keeps the clock, empty when the node has none.
  returned: success
  type: str
  sample: chrony
path:
  description: The file through which it is told, empty when the node has no such program.
  returned: success
  type: str
  sample: /etc/chrony/sources.d/60-rackforge.sources
done:
  description: What was done to the service.
  returned: success
  type: list
  elements: str
  sample: [restarted]
"""

import os
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    place_text,
    read_text,
    shown,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.time_sources import (
    CHRONY,
    Client,
    TimeSourceError,
    check_servers,
    find_client,
    render,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.unit_read import (
    read_unit,
    youngest,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.unit_state import plan_unit

#: A unit may be masked without its program being there, so the program is looked for.
TIMESYNCD_PROGRAMS = ("/usr/lib/systemd/systemd-timesyncd", "/lib/systemd/systemd-timesyncd")
OTHERS = ("ntpd", "ntpsec", "openntpd")
VERBS = {"enabled": "enable", "started": "start", "restarted": "restart"}


def look(command: Command) -> Optional[Client]:
    """Return the program that keeps this node's clock."""
    configs = {path: text for path in CHRONY if (text := read_text(path)) is not None}
    timesyncd = any(os.path.exists(path) for path in TIMESYNCD_PROGRAMS)
    others = [name for name in OTHERS if command.find(name)]
    return find_client(bool(command.find("chronyd")), configs, timesyncd, others)


def steps_for(command: Command, client: Client, changed: bool) -> list[str]:
    """Return what must be done to the service."""
    state = read_unit(command, client.unit)
    if state.file_state.startswith("masked"):
        return []
    return plan_unit(state, youngest([client.path]), changed)


def apply(
    module: AnsibleModule, command: Command, client: Client, before: Optional[str], text: str
) -> None:
    """Write the file and bring the service to it; put the file back when it does not start."""
    if before != text:
        place_text(module, client.path, text)
    try:
        for step in steps_for(command, client, before != text):
            command.need(["systemctl", VERBS[step], client.unit])
    except CommandError as error:
        if before != text:
            place_text(module, client.path, before)
            command.run(["systemctl", "try-restart", client.unit])
        raise CommandError(
            f"{error}; {client.path} was put back as it was. See 'journalctl --unit {client.unit}'"
        ) from None


def have(module: AnsibleModule, command: Command, servers: list[str]) -> dict[str, Any]:
    """Bring the node to ``servers`` and return the module's result."""
    client = look(command)
    if client is None:
        return {"changed": False, "client": "", "path": "", "done": [], "diff": {}}
    before = read_text(client.path)
    text = render(client, before or "", servers)
    steps = steps_for(command, client, before != text)
    if not module.check_mode:
        apply(module, command, client, before, text)
    diff = shown(client.path, before, text)
    diff["after"] += "".join(f"({client.unit}) {step}\n" for step in steps)
    return {
        "changed": before != text or bool(steps),
        "client": client.name,
        "path": client.path,
        "done": steps,
        "diff": diff,
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"servers": {"type": "list", "elements": "str", "required": True}},
        supports_check_mode=True,
    )
    servers = module.params["servers"]
    try:
        check_servers(servers)
        result = have(module, Command(module), servers)
    except (TimeSourceError, CommandError, OSError) as error:
        module.fail_json(msg=f"Could not set the time servers: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
