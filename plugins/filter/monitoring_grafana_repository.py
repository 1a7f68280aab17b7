# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: Grafana's package repository as a node's package manager wants it named."""

from __future__ import annotations

DOCUMENTATION = r"""
name: monitoring_grafana_repository
short_description: Grafana's package repository, or a mirror of it
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Gives the address of the repository's key, and the file that names the repository to apt or dnf.
positional: _input
options:
  _input:
    description: The family of the node's operating system, V(Debian) or V(RedHat).
    type: str
    required: true
  url:
    description: Address of a mirror. When not set, that of Grafana's own repository (apt.grafana.com, rpm.grafana.com).
    type: str
"""

EXAMPLES = r"""
- name: Show the repository
  ansible.builtin.debug:
    msg: "{{ 'Debian' | rackforge.gpu_cluster.monitoring_grafana_repository }}"
"""

RETURN = r"""
_value:
  description: C(key_url), C(key_file), C(path) and C(text).
  type: dict
  sample: {key_url: "https://apt.grafana.com/gpg.key", key_file: /etc/apt/keyrings/grafana.asc}
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.grafana_config import (
    grafana_repository,
)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {
            "monitoring_grafana_repository": lambda family, url="": grafana_repository(family, url)
        }
