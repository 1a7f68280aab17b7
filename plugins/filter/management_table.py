# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the table of the management profile's services."""

from __future__ import annotations

DOCUMENTATION = r"""
name: management_table
short_description: The table of the management profile's services
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - One line for each service of the list, with its URL inside the cluster, the one at a NodePort, and how many of its pods are ready.
  - Where the cluster has the service, its own name stands in the URL, else the document's.

positional: _input, kubectl, address
options:
  _input:
    description: The services, each with name, namespace and port; node_port where it is exposed, host where the document's URL has another name.
    type: list
    elements: dict
    required: true
  kubectl:
    description:
      - The answer of C(kubectl get services,pods -A) with the columns that the role k3s asks for with C(-o jsonpath), a line for each. These are
        kind, namespace, name, labels, selector, ports, phase and whether the pod is ready, with a tab between two of them. Labels, selector and
        ports are JSON, and a column that an object has not is empty.
    type: str
    required: true
  address:
    description: Address of a node, for the URLs at NodePorts.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the services
  ansible.builtin.debug:
    msg: "{{ (services | rackforge.gpu_cluster.management_table(answer.stdout, '192.0.2.10')).lines }}"
"""

RETURN = r"""
_value:
  description: The lines of the table as C(lines), and their values as C(rows).
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.management_services import (
    ManagementError,
    parse_seen,
    parse_services,
    service_rows,
    table,
)


def management_table(
    services: Sequence[Mapping[str, Any]], kubectl: str, address: str
) -> dict[str, Any]:
    """Return the table; AnsibleFilterError says which input makes no sense."""
    try:
        rows = service_rows(parse_services(services), parse_seen(kubectl), address)
    except ManagementError as error:
        raise AnsibleFilterError(f"the management profile: {error}") from error
    return {"lines": table(rows), "rows": [row.to_dict() for row in rows]}


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"management_table": management_table}
