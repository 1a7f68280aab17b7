# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the manifest that moves the ports of k3s's ingress."""

from __future__ import annotations

DOCUMENTATION = r"""
name: k3s_ingress_ports
short_description: The manifest that moves the ports of k3s's ingress
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - k3s brings Traefik as a chart, and a HelmChartConfig of the same name changes the chart's values (k3s documentation, Helm).
  - It sets C(ports.web.exposedPort) and C(ports.websecure.exposedPort). These are names of the C(values.yaml) of Traefik's chart
    (traefik-helm-chart); k3s's documentation (Networking Services) refers to the one in the version that comes with each k3s.
  - They were not tried with the chart of each k3s. C(k3s kubectl -n kube-system get service traefik) shows the ports that the ingress has.
  - Nothing is needed where the ports are those of the chart, or where Traefik is switched off.
positional: _input, https, disabled
options:
  _input:
    description: Port for HTTP.
    type: int
    required: true
  https:
    description: Port for HTTPS.
    type: int
    required: true
  disabled:
    description: Components of k3s that are switched off.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Move the ports
  rackforge.gpu_cluster.k3s_manifests:
    group: ingress
    manifests: "{{ 9000 | rackforge.gpu_cluster.k3s_ingress_ports(9443) }}"
"""

RETURN = r"""
_value:
  description: A list for M(rackforge.gpu_cluster.k3s_manifests), with one manifest or none.
  type: list
  elements: dict
"""

from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import port_named


def k3s_ingress_ports(http: int, https: int, disabled: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the manifest in a list, which is empty when nothing has to move."""
    usual = (port_named("k3s-http").number, port_named("k3s-https").number)
    if (int(http), int(https)) == usual or "traefik" in disabled:
        return []
    values = f"ports:\n  web:\n    exposedPort: {int(http)}\n  websecure:\n    exposedPort: {int(https)}\n"
    definition = {
        "apiVersion": "helm.cattle.io/v1",
        "kind": "HelmChartConfig",
        "metadata": {"name": "traefik", "namespace": "kube-system"},
        "spec": {"valuesContent": values},
    }
    return [{"name": "ingress-ports", "definition": definition}]


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"k3s_ingress_ports": k3s_ingress_ports}
