# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: an input with release archives as entries of module release_archive."""

from __future__ import annotations

DOCUMENTATION = r"""
name: monitoring_releases
short_description: Release archives as entries of module release_archive
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Turns the archives, each with C(file) or C(url) and C(checksum), into entries for M(rackforge.gpu_cluster.release_archive). What is
    missing is left to that module to name.
positional: _input, programs
options:
  _input:
    description: The archives by name.
    type: dict
    required: true
  programs:
    description: Programs that are wanted of each release, by its name.
    type: dict
    required: true
  given_by:
    description: Name of the input, for messages.
    type: str
    default: monitoring_archives
"""

EXAMPLES = r"""
- name: Have Prometheus from its release
  rackforge.gpu_cluster.release_archive:
    dest: /opt/rackforge-monitoring
    architecture: x86_64
    releases: "{{ monitoring_archives | rackforge.gpu_cluster.monitoring_releases({'prometheus': ['prometheus', 'promtool']}) }}"
"""

RETURN = r"""
_value:
  description: The entries, one for each release whose programs are wanted.
  type: list
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def monitoring_releases(
    archives: Mapping[str, Mapping[str, str]],
    programs: Mapping[str, Sequence[str]],
    given_by: str = "monitoring_archives",
) -> list[dict[str, Any]]:
    """Return one entry for each release whose programs are wanted."""
    found = []
    for name, wanted in programs.items():
        given = archives.get(name) or {}
        entry = {
            "name": name,
            "source": given.get("file") or given.get("url") or "",
            "checksum": given.get("checksum") or "",
            "programs": list(wanted),
            "input": f"{given_by}.{name}",
        }
        found.append(entry)
    return found


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"monitoring_releases": monitoring_releases}
