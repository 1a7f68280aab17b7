# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: how VictoriaMetrics, vmagent and vmalert are started, and what vmagent scrapes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: monitoring_victoriametrics
short_description: How VictoriaMetrics, vmagent and vmalert are started
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Returns the words of three command lines and the text of vmagent's configuration, which has the scrape jobs of Prometheus' one.
  - No word holds a password; programs read them from files.
  - A field of a job of the owner's own that vmagent does not know stays in the text, so that vmagent refuses it by name.
positional: _input
options:
  _input:
    description:
      - The settings. V(address), V(port), V(agent_port), V(alerter_port), V(user), V(password_file), V(storage_dir), V(retention_days),
        V(interval_seconds), V(external_url), V(agent_config) and V(buffer_size) are needed.
      - V(certificate_file) and V(key_file) make the server https, V(server_name) is the name in the certificate where it is not the address.
      - V(alertmanager) is its address and port. Rules and labels are those of O(prometheus).
    type: dict
    required: true
  prometheus:
    description: The settings of filter P(rackforge.gpu_cluster.monitoring_prometheus_config#filter), for what is scraped and sent on.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show how vmagent is started
  ansible.builtin.debug:
    msg: "{{ (victoria | rackforge.gpu_cluster.monitoring_victoriametrics(prometheus)).vmagent | join(' ') }}"
  vars:
    prometheus: {cluster: lab, interval_seconds: 15, user: admin}
    victoria:
      address: 10.0.0.5
      port: "{{ monitoring_server_port }}"
      agent_port: "{{ monitoring_vmagent_port }}"
      alerter_port: "{{ monitoring_vmalert_port }}"
      user: admin
      password_file: /etc/rackforge-monitoring/secrets/server_password
      storage_dir: /var/lib/rackforge-monitoring
      retention_days: 15
      interval_seconds: 15
      external_url: http://monitor.example
      agent_config: /etc/rackforge-monitoring/vmagent.yml
      buffer_size: 10GB
"""

RETURN = r"""
_value:
  description: The words after each program's name, as a unit's ExecStart takes them, and vmagent's configuration.
  type: dict
  sample:
    victoria-metrics: [-httpListenAddr=10.0.0.5:9090]
    vmagent: [-promscrape.config=/etc/rackforge-monitoring/vmagent.yml]
    vmalert: [-evaluationInterval=15s]
    config: "global:\n  scrape_interval: 15s\n"
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
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.victoriametrics import (
    Settings,
    VictoriaError,
    agent_flags,
    alerter_flags,
    server_flags,
    unit_word,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.vmagent_config import (
    vmagent_config,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.plain_values import plain

PROGRAMS = {"victoria-metrics": server_flags, "vmagent": agent_flags, "vmalert": alerter_flags}


def monitoring_victoriametrics(
    values: Mapping[str, Any], prometheus: Mapping[str, Any]
) -> dict[str, Any]:
    """Return words and text; AnsibleFilterError says which setting is wrong."""
    try:
        whole = prometheus_config(settings_of(plain(prometheus)))
        receivers = whole.get("remote_write") or [None]
        given = {**plain(values), "labels": whole["global"]["external_labels"]}
        given["rule_files"] = tuple(whole["rule_files"])
        settings = Settings(**given, remote_write=receivers[0])
        words = {
            name: [unit_word(word) for word in flags(settings)] for name, flags in PROGRAMS.items()
        }
    except (PrometheusConfigError, VictoriaError) as error:
        raise AnsibleFilterError(str(error)) from error
    text = yaml.safe_dump(vmagent_config(whole), sort_keys=False, width=1000, allow_unicode=True)
    return {**words, "config": HEADER + text}


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"monitoring_victoriametrics": monitoring_victoriametrics}
