# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the directory on the control node for a cluster's secrets."""

from __future__ import annotations

DOCUMENTATION = r"""
name: secrets_directory
short_description: The directory on the control node for a cluster's secrets
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Without a wish, the secrets lie in C(secrets/<cluster>) beside the inventory's file.
  - Where C(-i) names a directory, they lie beside that directory, since Ansible takes every file within it for a part of the inventory.
  - Where the inventory is no file, they lie below the directory in which the command is run.
  - Fails, with the command that moves them, where they lie within such a directory and not beside it.
positional: _input, inventory_dir, sources, cluster
options:
  _input:
    description: The directory that the user wants, C(cluster_secrets_dir) in a playbook. It is returned as it is; empty for none.
    type: str
    required: true
  inventory_dir:
    description: C(inventory_dir) of the host. None where the host stands in no file.
    type: str
    required: true
  sources:
    description: What C(-i) names, C(ansible_inventory_sources) in a playbook.
    type: list
    elements: str
    required: true
  cluster:
    description: Name of the cluster.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show where the secrets of a cluster lie
  ansible.builtin.debug:
    msg: "{{ '' | rackforge.gpu_cluster.secrets_directory(inventory_dir, ansible_inventory_sources, 'research') }}"
"""

RETURN = r"""
_value:
  description: The directory.
  type: str
  sample: /home/me/cluster/secrets/research
"""

from collections.abc import Callable, Iterable
from typing import Any, Optional

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils import beside_inventory


def secrets_directory(
    wish: Optional[str], inventory_dir: Optional[str], sources: Iterable[str], cluster: str
) -> str:
    """Return the directory; AnsibleFilterError when the secrets lie within the inventory."""
    try:
        return beside_inventory.secrets_directory(wish, inventory_dir, sources, cluster)
    except beside_inventory.SecretsWithinError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"secrets_directory": secrets_directory}
