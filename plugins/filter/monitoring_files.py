# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: files of the control node as entries of module text_files."""

from __future__ import annotations

DOCUMENTATION = r"""
name: monitoring_files
short_description: Files of the control node as entries of module text_files
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Turns pairs of a path and its text into entries for M(rackforge.gpu_cluster.text_files), so that all of them travel in one call.
positional: _input, directory
options:
  _input:
    description: Pairs of path and text.
    type: list
    elements: list
    required: true
  directory:
    description: Directory on the node.
    type: str
    required: true
  prefix:
    description: What stands before each file's own name.
    type: str
    default: ""
  more:
    description: Further options of each entry, such as its mode.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Bring dashboards
  rackforge.gpu_cluster.text_files:
    files: "{{ paths | zip(query('ansible.builtin.file', *paths)) | rackforge.gpu_cluster.monitoring_files('/srv/dashboards') }}"
  vars:
    paths: "{{ query('ansible.builtin.fileglob', 'dashboards/*.json') }}"
"""

RETURN = r"""
_value:
  description: The entries, in the order of the files' names.
  type: list
"""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Optional


def monitoring_files(
    pairs: Iterable[Sequence[str]],
    directory: str,
    prefix: str = "",
    more: Optional[dict[str, Any]] = None,
) -> list[dict[str, Any]]:
    """Return one entry for each file."""
    return [
        {"path": f"{directory}/{prefix}{os.path.basename(path)}", "content": text, **(more or {})}
        for path, text in sorted(pairs, key=lambda pair: os.path.basename(pair[0]))
    ]


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"monitoring_files": monitoring_files}
