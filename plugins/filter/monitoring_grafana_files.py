# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: Grafana's settings to the files that it reads."""

from __future__ import annotations

DOCUMENTATION = r"""
name: monitoring_grafana_files
short_description: Grafana's settings, data source and dashboards as files
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Turns where Grafana listens and keeps its data into C(grafana.ini) and the provisioning files of a data source and of dashboards.
  - It listens on one address, lets nobody in without a password, lets nobody sign up, and calls nobody on the internet.
  - Passwords are named as files, so that none stands in what is written here.
positional: _input
options:
  _input:
    description:
      - V(address), V(port), V(config_dir), V(data_dir), V(share_dir), V(user), V(password_file), V(secret_key_file), V(server_url) and
        V(interval_seconds) (between two scrapes) are needed; all files are the node's.
      - With V(certificate_file) and V(key_file) it speaks TLS, and trusts that certificate where V(server_url) is https.
        V(certificate_name) is the name in it, where that is not the server's address.
    type: dict
    required: true
  more:
    description: Keys that every file gets, such as its group and mode.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Have Grafana's files
  rackforge.gpu_cluster.text_files:
    files: "{{ settings | rackforge.gpu_cluster.monitoring_grafana_files({'group': 'prometheus', 'mode': '0640'}) }}"
"""

RETURN = r"""
_value:
  description: One entry for each file, as module text_files takes them.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping
from typing import Any, Optional

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.grafana_config import (
    grafana_files,
    settings_from,
)


def monitoring_grafana_files(
    given: Mapping[str, Any], more: Optional[Mapping[str, Any]] = None
) -> list[dict[str, Any]]:
    """Return the files; AnsibleFilterError names a setting that is missing or unknown."""
    try:
        found = grafana_files(settings_from(given))
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"monitoring_grafana_files: {error}") from error
    base = given["config_dir"]
    return [
        {"path": f"{base}/{path}", "content": text, **(more or {})} for path, text in found.items()
    ]


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"monitoring_grafana_files": monitoring_grafana_files}
