# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: a URL and an operating system to Docker's repository as the package manager names it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: docker_repository
short_description: Docker's package repository for an operating system
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Names the repository below a URL, for apt or for dnf.
  - The URL may end with the folder of a distribution. The folder of another distribution with apt is exchanged for the right one.
positional: _input, system
options:
  _input:
    description: The URL of Docker's repository or of a mirror of it.
    type: str
    required: true
  system:
    description: The C(os) fact of M(rackforge.gpu_cluster.node_probe).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show which key signs the repository
  ansible.builtin.debug:
    msg: "{{ ('https://mirror.example/linux' | rackforge.gpu_cluster.docker_repository(ansible_facts['gpu_cluster']['os'])).key_url }}"
"""

RETURN = r"""
_value:
  description:
    - C(key_url) and C(key_file), where the signing key is fetched from and written to.
    - C(path) and C(text) of the file that names the repository.
  type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_repository import (
    RepositoryError,
    repository,
)


def docker_repository(url: str, system: Mapping[str, str]) -> dict[str, str]:
    """Return the repository; AnsibleFilterError says why there is none."""
    try:
        return repository(url, system).to_dict()
    except RepositoryError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"docker_repository": docker_repository}
