#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have name servers, through whatever program keeps a node's resolver."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dns_servers
short_description: Have name servers, through whatever program keeps the node's resolver
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - With systemd-resolved, a drop-in in C(/etc/systemd/resolved.conf.d), and the service is restarted.
  - With NetworkManager, a drop-in in C(/etc/NetworkManager/conf.d), and its configuration is read again; no connection goes down.
  - Else C(/etc/resolv.conf) itself, whose options stay. A DHCP client that writes this file without either program writes it again later.
  - Before anything is written each new server is asked one question over UDP. When none answers, the module fails and the node is left as it was.
  - When the program does not take the new servers, the file is put back.
attributes:
  check_mode:
    support: full
    description: Says what would be written. The servers are asked all the same.
  diff_mode:
    support: full
    description: Shows the file before and after.
  idempotent:
    support: full
    description: An equal file that is older than the program's start is left alone, and no server is asked.
options:
  servers:
    description: Addresses of the name servers, in order. When empty, those of the node stay.
    type: list
    elements: str
    default: []
  search:
    description: Domains to look names up in. When empty, those of the node stay.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait for a server's answer; each is asked twice.
    type: float
    default: 2.0
"""

EXAMPLES = r"""
- name: Use the name servers of the laboratory
  rackforge.gpu_cluster.dns_servers:
    servers: [192.0.2.53, 192.0.2.54]
    search: [lab.example]
"""

RETURN = r"""
keeper:
  description: Who keeps the node's resolver.
  returned: success
  type: str
  sample: systemd-resolved
path:
  description: The file through which it is told.
  returned: success
  type: str
  sample: /etc/systemd/resolved.conf.d/60-rackforge.conf
silent:
  description: New servers that did not answer, while others did. Empty when nothing was asked.
  returned: success
  type: list
  elements: str
  sample: [192.0.2.54]
"""

import os
import random
import socket
import time
from typing import Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.resolver import (
    Keeper,
    ResolverError,
    Seen,
    as_shown,
    check_servers,
    explain_silence,
    find_keeper,
    is_answer,
    question,
    render,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    place_text,
    read_text,
    shown,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.unit_read import (
    read_unit,
    youngest,
)

RESOLV_CONF = "/etc/resolv.conf"
PATHS = {
    Keeper.RESOLVED: "/etc/systemd/resolved.conf.d/60-rackforge.conf",
    Keeper.NETWORK_MANAGER: "/etc/NetworkManager/conf.d/60-rackforge.conf",
    Keeper.NOBODY: RESOLV_CONF,
}
TELL = {
    Keeper.RESOLVED: ["systemctl", "restart", "systemd-resolved.service"],
    Keeper.NETWORK_MANAGER: ["nmcli", "general", "reload"],
}
PORT = 53
TRIES = 2
SETTLE_SECONDS = 10.0
POLL_SECONDS = 0.2


def look(command: Command) -> Seen:
    """Return how the node resolves names."""
    active = {
        unit: command.run(["systemctl", "is-active", "--quiet", unit]).rc == 0
        for unit in ("systemd-resolved.service", "NetworkManager.service")
    }
    link = os.readlink(RESOLV_CONF) if os.path.islink(RESOLV_CONF) else ""
    resolved, manager = active.values()
    return Seen(link, read_text(RESOLV_CONF) or "", resolved, manager)


def answers(server: str, timeout: float) -> bool:
    """Return whether a name server answers a question over UDP."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    for _try in range(TRIES):
        number = random.SystemRandom().randrange(65536)
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as wire:
                wire.settimeout(timeout)
                wire.connect((server, PORT))
                wire.send(question(number))
                if is_answer(wire.recv(4096), number):
                    return True
        except OSError:
            continue
    return False


def ask(servers: list[str], timeout: float) -> list[str]:
    """Return the servers that keep silent; raise ResolverError when all do."""
    silent = [server for server in servers if not answers(server, timeout)]
    if silent and len(silent) == len(servers):
        raise ResolverError(explain_silence(silent, timeout))
    return silent


def is_told(command: Command, keeper: Keeper, path: str, servers: list[str]) -> bool:
    """Return whether the program runs with what lies in its file."""
    if keeper is Keeper.RESOLVED:
        return youngest([path]) <= read_unit(command, "systemd-resolved.service").started_at
    return keeper is Keeper.NOBODY or as_shown(read_text(RESOLV_CONF) or "", servers) is None


def tell(command: Command, keeper: Keeper, servers: list[str]) -> None:
    """Have the program read its file again; raise CommandError when that does not help."""
    if keeper is Keeper.NOBODY:
        return
    command.need(TELL[keeper])
    deadline = time.monotonic() + SETTLE_SECONDS
    while keeper is Keeper.NETWORK_MANAGER:
        wrong = as_shown(read_text(RESOLV_CONF) or "", servers)
        if wrong is None:
            return
        if time.monotonic() >= deadline:
            raise CommandError(f"{SETTLE_SECONDS:g} s after 'nmcli general reload' {wrong}")
        time.sleep(POLL_SECONDS)


def apply(
    module: AnsibleModule, command: Command, keeper: Keeper, before: Optional[str], text: str
) -> None:
    """Write the file and have it read; put it back when the program does not take it."""
    path, servers = PATHS[keeper], module.params["servers"]
    if before != text:
        place_text(module, path, text)
    try:
        tell(command, keeper, servers)
    except CommandError as error:
        place_text(module, path, before)
        command.run(TELL[keeper])
        raise CommandError(f"{error}; {path} was put back as it was") from None


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "servers": {"type": "list", "elements": "str", "default": []},
            "search": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "float", "default": 2.0},
        },
        supports_check_mode=True,
    )
    params, command = module.params, Command(module)
    servers, search = params["servers"], params["search"]
    try:
        check_servers(servers, search)
        seen = look(command)
        keeper = find_keeper(seen)
        path = PATHS[keeper]
        before, text = read_text(path), render(keeper, seen.text, servers, search)
        changed = before != text or not is_told(command, keeper, path, servers)
        silent = ask(servers, params["timeout"]) if before != text else []
        if changed and not module.check_mode:
            apply(module, command, keeper, before, text)
    except (ResolverError, CommandError, OSError) as error:
        module.fail_json(msg=f"Could not set the name servers: {error}")
    module.exit_json(
        changed=changed,
        keeper=keeper.value,
        path=path,
        silent=silent,
        diff=shown(path, before, text),
    )


if __name__ == "__main__":
    main()
