# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: what is wrong with the inputs of role monitoring."""

from __future__ import annotations

DOCUMENTATION = r"""
name: monitoring_input_problems
short_description: What is wrong with the inputs of role monitoring
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Judges the inputs together, before anything is changed, and looks at the files of the control node that they name.
positional: _input
options:
  _input:
    description:
      - The inputs, each under its name without V(monitoring_), V(os_family) of the node and V(releases), the entries for
        M(rackforge.gpu_cluster.release_archive).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ {'retention_days': 0, 'storage_dir': 'data'} | rackforge.gpu_cluster.monitoring_input_problems }}"
"""

RETURN = r"""
_value:
  description: One sentence for each input that is wrong, with what was seen and what is expected.
  type: list
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.monitoring_files import (
    problems_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.plain_values import plain


def monitoring_input_problems(inputs: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each input that is wrong."""
    return problems_of(plain(inputs))


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"monitoring_input_problems": monitoring_input_problems}
