# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: where a service of the port catalogue listens on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: catalogue_port
short_description: Where a service of the port catalogue listens on a host
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - The port that the host's variable gives, or the variable's name in another document (C(http_port) for C(k3s_http_port)), or the
    number that the catalogue has. Of a range, the first port.
positional: _input, service
options:
  _input:
    description: Variables of one host (an entry of C(hostvars)).
    type: dict
    required: true
  service:
    description: The row's name, as docs/ports.md has it.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show where web pages are served
  ansible.builtin.debug:
    msg: "{{ hostvars[inventory_hostname] | rackforge.gpu_cluster.catalogue_port('k3s-http') }}"
"""

RETURN = r"""
_value:
  description: The port.
  type: int
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import CATALOGUE
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_rules import span_of


def catalogue_port(variables: Mapping[str, Any], service: str) -> int:
    """Return the port; AnsibleFilterError says which variable is no port, or which row there is not."""
    rows = [port for port in CATALOGUE if port.name == service]
    if not rows:
        raise AnsibleFilterError(f"saw the service {service!r}, expected a row of docs/ports.md")
    try:
        return span_of(rows[0], variables)[0]
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"catalogue_port": catalogue_port}
