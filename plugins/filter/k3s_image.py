# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: an image at a registry of one's own."""

from __future__ import annotations

DOCUMENTATION = r"""
name: k3s_image
short_description: An image at a registry of one's own
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Puts another registry in the place of the one that the image's name begins with.
  - The first part of a name is a registry when it holds a dot or a colon, or is C(localhost). Names without one are Docker Hub's.
positional: _input, registry
options:
  _input:
    description: Name of the image.
    type: str
    required: true
  registry:
    description: The registry, with a path if it has one. Empty leaves the name as it is.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show where the image is taken from
  ansible.builtin.debug:
    msg: "{{ 'nvcr.io/nvidia/k8s-device-plugin:v0.20.0' | rackforge.gpu_cluster.k3s_image('registry.example.org/mirror') }}"
"""

RETURN = r"""
_value:
  description: Name of the image.
  type: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_gpu_labels import (
    relocated_image,
)


def k3s_image(image: str, registry: str = "") -> str:
    """Return the name of the image at the registry."""
    return relocated_image(image, registry)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"k3s_image": k3s_image}
