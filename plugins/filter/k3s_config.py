# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: a k3s node's settings to the keys of its configuration file."""

from __future__ import annotations

DOCUMENTATION = r"""
name: k3s_config
short_description: What a k3s node's configuration file must say
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Turns a node's settings into the keys and values of C(/etc/rancher/k3s/config.yaml), whose names are those of k3s's flags.
  - Fails with the name of the variable when a key in V(extra) is one that another variable decides.
positional: _input
options:
  _input:
    description:
      - The settings. V(kind) (V(server) or V(agent)), V(node_name), V(node_address), V(node_interface) and V(api_port) are needed; an agent needs
        V(join_address), the address of a server.
      - A server needs V(cluster_cidr), V(service_cidr), V(node_port_first), V(node_port_last), V(flannel_backend) and V(secrets_encryption).
      - V(ha), V(tls_sans), V(disable), V(protect_kernel_defaults) and V(default_registry_endpoint_enabled) may be left out.
        V(audit) maps arguments of the API server to their values.
      - V(default_runtime) is taken where V(gpu_vendors), the vendors of the node's GPUs, has it.
      - V(extra) are the owner's own keys. Of a key that ends in C(-arg) both lists are taken. Of an agent's, those are taken that agents
        know (k3s pkg/cli/cmds/agent.go); a server with C(bind-address) is refused.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show how an agent would be configured
  ansible.builtin.debug:
    msg: >-
      {{ {'kind': 'agent', 'node_name': 'gpu-02', 'node_address': '192.0.2.12', 'node_interface': 'eth1',
          'join_address': '192.0.2.11', 'api_port': 6443} | rackforge.gpu_cluster.k3s_config }}
"""

RETURN = r"""
_value:
  description: The keys and values.
  type: dict
  sample: {node-name: gpu-02, node-ip: 192.0.2.12, flannel-iface: eth1, server: "https://192.0.2.11:6443", token-file: /etc/rancher/k3s/token}
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_config import (
    K3sConfigError,
    config,
)


def k3s_config(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration; AnsibleFilterError says which setting is wrong."""
    try:
        return config(settings)
    except K3sConfigError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"k3s_config": k3s_config}
