# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: what Prometheus is told, as the text of its configuration."""

from __future__ import annotations

DOCUMENTATION = r"""
name: monitoring_prometheus_config
short_description: Text of prometheus.yml
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Returns a configuration with every scrape job of this collection. Each takes its targets from files
    (C(/etc/rackforge-monitoring/targets/JOB/*.json)), so nodes come and go without a change of it.
  - vmagent reads the scrape jobs of the same file.
positional: _input
options:
  _input:
    description:
      - The settings. V(cluster), V(interval_seconds) and V(user) are needed.
      - V(external_labels) are joined with the label V(cluster). V(rule_files) are paths. V(alertmanager) is its address and port.
      - V(server_ca_file) makes the server and Alertmanager https, V(server_name) is the name in their certificate where it is not the address.
      - V(exporter_tls) and V(exporter_ca_file) are about the node exporters, V(k3s_token_file) and V(k3s_ca_file) about k3s.
      - V(extra_scrape_configs) are the owner's own jobs. V(remote_write) is a list of V(url), V(user), V(password_file), V(ca_file) and
        V(queue) (C(queue_config)); a URL without a path gets that of vminsert.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the configuration
  ansible.builtin.debug:
    msg: "{{ {'cluster': 'lab', 'interval_seconds': 15, 'user': 'admin'} | rackforge.gpu_cluster.monitoring_prometheus_config }}"
"""

RETURN = r"""
_value:
  description: The file's text.
  type: str
"""

from collections.abc import Callable, Mapping
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.prometheus_config import (
    PrometheusConfigError,
    prometheus_config,
    settings_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import HEADER
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.plain_values import plain


def monitoring_prometheus_config(values: Mapping[str, Any]) -> str:
    """Return the text; AnsibleFilterError says which setting is wrong."""
    try:
        config = prometheus_config(settings_of(plain(values)))
    except PrometheusConfigError as error:
        raise AnsibleFilterError(str(error)) from error
    return HEADER + yaml.safe_dump(config, sort_keys=False, width=1000, allow_unicode=True)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"monitoring_prometheus_config": monitoring_prometheus_config}
