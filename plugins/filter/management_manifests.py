# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: bundles of the management profile as manifests."""

from __future__ import annotations

DOCUMENTATION = r"""
name: management_manifests
short_description: Bundles of the management profile as manifests
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Brings bundles with the document's names into the document's order; others come after them as they stand.

positional: _input
options:
  _input:
    description:
      - The bundles, each with name, src and namespace.
      - Their replicas (3), size (10Gi), vars and wait_for may be given. Templates of a bundle know V(replicas), V(size) and V(namespace).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Have the bundles
  rackforge.gpu_cluster.k3s_manifests:
    group: management
    one_by_one: true
    manifests: "{{ management_bundles | rackforge.gpu_cluster.management_manifests }}"
"""

RETURN = r"""
_value:
  description: A list for M(rackforge.gpu_cluster.k3s_manifests).
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.management_services import (
    ManagementError,
    parse_bundles,
)


def management_manifests(bundles: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the manifests; AnsibleFilterError says what is wrong with a bundle."""
    try:
        return [bundle.manifest() for bundle in parse_bundles(bundles)]
    except ManagementError as error:
        raise AnsibleFilterError(f"management_bundles: {error}") from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"management_manifests": management_manifests}
