# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: where the servers of the monitoring host are."""

from __future__ import annotations

DOCUMENTATION = r"""
name: monitoring_urls
short_description: Where the servers of the monitoring host are
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Addresses of what the host in the group C(monitoring) runs, by its variables and the node address that
    M(rackforge.gpu_cluster.node_probe) found.
  - With C(monitoring_certificate_file) all of them are https.
positional: _input, groups
options:
  _input:
    description: Variables of all hosts (C(hostvars)).
    type: dict
    required: true
  groups:
    description: Groups of the inventory and their hosts (C(groups)).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show where the panels are
  ansible.builtin.debug:
    msg: "{{ (hostvars | rackforge.gpu_cluster.monitoring_urls(groups)).panels }}"
"""

RETURN = r"""
_value:
  description:
    - C(server), C(panels), C(alertmanager) and C(grafana); C(prometheus) is C(server) where that is Prometheus. Null where there is none,
      or where nobody has asked the host for its address in this run.
  type: dict
  sample:
    server: http://198.18.1.13:9090
    prometheus: http://198.18.1.13:9090
    panels: http://198.18.1.13:9090/user/
    alertmanager: http://198.18.1.13:9093
    grafana: null
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    port_named,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_rules import span_of


def monitoring_urls(
    hostvars: Mapping[str, Any], groups: Mapping[str, Sequence[str]]
) -> dict[str, Optional[str]]:
    """Return the addresses by name; AnsibleFilterError says which input is no port."""
    hosts = groups.get("monitoring") or []
    own: Mapping[str, Any] = hostvars[hosts[0]] if hosts else {}
    node = own.get("ansible_facts", {}).get("gpu_cluster", {})
    address = node.get("node_address")
    names = ("server", "prometheus", "panels", "alertmanager", "grafana")
    if not address:
        return dict.fromkeys(names)
    scheme = "https" if own.get("monitoring_certificate_file") else "http"

    def place(service: str) -> str:
        try:
            return f"{scheme}://{address}:{span_of(port_named(service), own)[0]}"
        except ValueError as error:
            raise AnsibleFilterError(str(error)) from error

    is_theirs = own.get("monitoring_source") == "existing"
    given = str(own.get("monitoring_external_url") or "").rstrip("/")
    server = given if is_theirs and given else place("monitoring-server")
    is_prometheus = (own.get("monitoring_server") or "prometheus") == "prometheus"
    has_grafana = own.get("monitoring_grafana") in ("repository", "archive")
    grafana = place("grafana") if has_grafana else None
    return {
        "server": server,
        # The owner's own knows no user of Ray's.
        "prometheus": server if is_prometheus and not is_theirs else None,
        # VictoriaMetrics serves no files, so the panels are in Grafana, where there is one.
        "panels": f"{server}/user/" if is_prometheus else grafana or server,
        "alertmanager": place("alertmanager"),
        "grafana": grafana,
    }


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"monitoring_urls": monitoring_urls}
