# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the numbers of the alerts to the text of a file of rules."""

from __future__ import annotations

DOCUMENTATION = r"""
name: monitoring_alert_rules
short_description: The alert rules for Prometheus or vmalert
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Turns the numbers from which an alert fires into the text of a file of rules, which Prometheus and vmalert read alike.
  - Fails with the name of the input of role monitoring that is unknown, no number or out of range.
positional: _input
options:
  _input:
    description:
      - The numbers, each under the name of its input of role monitoring without V(monitoring_alert_). What is left out has its default.
      - V(hold_seconds) (120, eight scrapes at the usual 15 seconds, so that one slow scrape alarms nobody), V(gpu_temperature_celsius)
        (85; data centre GPUs slow down from about 87 degrees Celsius, see nvidia-smi -q -d TEMPERATURE), V(gpu_memory_percent) (95;
        vLLM takes 90 by default), V(gpu_xid_minutes) (30, our own), V(memory_percent) (90; Ray kills tasks at 95).
      - V(disk_free_percent) (10, our own), V(disk_hours) and V(disk_predict_percent) (24 and 40, the numbers of the Kubernetes
        mixin's NodeFilesystemSpaceFillingUp), V(certificate_days) (21; ACME clients renew at 30, so that at 21 it did not work),
        V(clock_skew_seconds) (2, as preflight warns), V(collector_seconds) (300, our own, several runs of the collector).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the rules with a lower temperature
  ansible.builtin.debug:
    msg: "{{ {'gpu_temperature_celsius': 80} | rackforge.gpu_cluster.monitoring_alert_rules }}"
"""

RETURN = r"""
_value:
  description: The text of the file, in YAML.
  type: str
  sample: |
    # Managed by rackforge.gpu_cluster
    groups:
    - name: nodes
      rules:
      - alert: NodeDown
        expr: max by (cluster, node) (up) == 0
        for: 120s
"""

from collections.abc import Callable, Mapping
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.alert_model import (
    AlertError,
    thresholds_from,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.alert_rules import rule_groups

_HEADER = "# Managed by rackforge.gpu_cluster\n"


def monitoring_alert_rules(thresholds: Mapping[str, Any]) -> str:
    """Return the text of the file; AnsibleFilterError names the input that is wrong."""
    try:
        groups = rule_groups(thresholds_from(thresholds))
    except AlertError as error:
        raise AnsibleFilterError(str(error)) from error
    return _HEADER + yaml.safe_dump(groups, sort_keys=False, width=100, allow_unicode=True)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"monitoring_alert_rules": monitoring_alert_rules}
