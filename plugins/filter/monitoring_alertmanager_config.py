# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: where alerts are sent, to the text of Alertmanager's configuration."""

from __future__ import annotations

DOCUMENTATION = r"""
name: monitoring_alertmanager_config
short_description: Alertmanager's configuration for a webhook, e-mail or no receiver
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Turns the inputs of role monitoring about receivers into the text of C(alertmanager.yml). Nothing that is secret stands in it; the
    webhook's address, passwords and certificates are named as files below V(secrets_dir).
  - Alerts of one cluster, name and node are one message. A node that is down keeps its other alerts back, a critical alert the lesser
    one of the same name, a GPU that failed its Xid errors, an uncorrected memory error the Xid errors of the same cause, a throttled GPU
    its heat.
  - Fails with the name of the input that is wrong or missing.
positional: _input
options:
  _input:
    description:
      - The inputs, each under its name without V(monitoring_). None is needed; without V(webhook_url) and V(email_to) what fires is shown
        and sent to nobody.
      - V(secrets_dir) is the folder on the node. Of V(webhook_password_file), V(webhook_ca_file), V(email_password_file) and
        V(email_ca_file) only counts whether they are set; their content is expected below V(secrets_dir) as C(webhook_password),
        C(webhook_ca.crt), C(email_password) and C(email_ca.crt), the address as C(webhook_url).
      - V(alert_group_wait_seconds) (30), V(alert_group_interval_seconds) (300) and V(alert_repeat_hours) (4) have the defaults of
        Alertmanager's documentation of C(route). Remarks (severity info) are repeated once a day at most.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show how alerts would be sent to a webhook
  ansible.builtin.debug:
    msg: >-
      {{ {'webhook_url': 'https://hooks.example.com/gpu', 'secrets_dir': '/etc/rackforge-monitoring/secrets'}
         | rackforge.gpu_cluster.monitoring_alertmanager_config }}
"""

RETURN = r"""
_value:
  description: The text of the file, in YAML.
  type: str
  sample: |
    # Managed by rackforge.gpu_cluster
    route:
      receiver: owner
"""

from collections.abc import Callable, Mapping
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.alertmanager_config import (
    AlertmanagerConfigError,
    alertmanager_config,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.k3s_manifests import plain

_HEADER = "# Managed by rackforge.gpu_cluster\n"


class _NoAliases(yaml.SafeDumper):
    """Writes a list that stands in two places twice, as people would."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def monitoring_alertmanager_config(inputs: Mapping[str, Any]) -> str:
    """Return the text of the file; AnsibleFilterError names the input that is wrong."""
    try:
        found = plain(alertmanager_config(inputs))
    except AlertmanagerConfigError as error:
        raise AnsibleFilterError(str(error)) from error
    text = yaml.dump(found, Dumper=_NoAliases, sort_keys=False, width=100, allow_unicode=True)
    return _HEADER + text


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"monitoring_alertmanager_config": monitoring_alertmanager_config}
