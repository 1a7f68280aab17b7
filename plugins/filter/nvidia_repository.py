# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters: URLs and an operating system to NVIDIA's repositories as the package manager names them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nvidia_repository
short_description: NVIDIA's package repository for an operating system
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Names NVIDIA's CUDA repository, in which the drivers are, or with V(toolkit) that of the container toolkit, for apt or for dnf.
positional: _input, kind, system, architecture
options:
  _input:
    description: The URL of the repository or of a mirror of it.
    type: str
    required: true
  kind:
    description: What is wanted of it.
    type: str
    choices: [driver, toolkit]
    required: true
  system:
    description: The C(os) fact of M(rackforge.gpu_cluster.node_probe).
    type: dict
    required: true
  architecture:
    description: The processor, C(x86_64) or C(aarch64).
    type: str
    default: x86_64
  stream:
    description: Stream of the module nvidia-driver on EL 8 and 9, such as V(580-open).
    type: str
  fingerprint:
    description: The fingerprint of the key, instead of NVIDIA's own for this system.
    type: str
"""

EXAMPLES = r"""
- name: Show which key signs the drivers
  ansible.builtin.debug:
    msg: >-
      {{ ('https://developer.download.nvidia.com/compute/cuda/repos'
          | rackforge.gpu_cluster.nvidia_repository('driver', ansible_facts['gpu_cluster']['os'])).fingerprint }}
"""

RETURN = r"""
_value:
  description:
    - C(uri) of the repository, C(key_url), C(key_file) and C(fingerprint) of its key.
    - C(files) that name it to the package manager, by their path.
  type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any, Optional

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_repository import (
    RepositoryError,
    driver_repository,
    toolkit_repository,
)


def nvidia_repository(
    url: str,
    kind: str,
    system: Mapping[str, str],
    architecture: str = "x86_64",
    stream: Optional[str] = None,
    fingerprint: Optional[str] = None,
) -> dict[str, object]:
    """Return the repository; AnsibleFilterError says why there is none."""
    try:
        if kind == "toolkit":
            return toolkit_repository(url, system, fingerprint).to_dict()
        return driver_repository(url, system, architecture, stream, fingerprint).to_dict()
    except RepositoryError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"nvidia_repository": nvidia_repository}
