# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the inputs of the role rocm and a node's facts to what is installed, from where."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rocm_plan
short_description: What of AMD's driver, ROCm and container toolkit comes to a node, from where
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Looks up which driver fits a release of ROCm, and whether AMD makes both for the node's operating system.
  - An error says what does not fit, and which versions do.
  - With O(fail_on=never) that error comes back as a finding instead.
positional: _input, facts
options:
  _input:
    description:
      - The inputs of the role without the role's name before them. These are V(version), V(driver_source), V(driver_version), V(system),
        V(packages), V(package_dir), V(repository_url), V(toolkit_source), V(toolkit_version), V(toolkit_package_dir),
        V(toolkit_repository_url), V(container_engines) and V(secure_boot_enrolled).
    type: dict
    required: true
  facts:
    description: The facts C(gpu_cluster) of M(rackforge.gpu_cluster.node_probe) and C(gpu) of M(rackforge.gpu_cluster.gpu_info), in one map.
    type: dict
    required: true
  fail_on:
    description: V(error) fails where the node cannot be as asked. V(never) returns the reason in C(findings), and nothing else of the plan.
    type: str
    choices: [error, never]
    default: error
  host:
    description: The node's name in findings.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show which driver goes with a release of ROCm
  ansible.builtin.debug:
    msg: "{{ (inputs | rackforge.gpu_cluster.rocm_plan(ansible_facts)).driver_version }}"
  vars:
    inputs:
      version: 7.2.1
      driver_source: repository
      packages: [rocm-core]
      repository_url: https://repo.radeon.com
      toolkit_source: repository
      container_engines: [docker]
"""

RETURN = r"""
_value:
  description:
    - C(packages) that can be installed at once, and C(toolkit_packages), which their own scripts refuse before the driver is loaded.
    - C(key_url) and C(key_file), where the signing key is fetched from and written to, and C(files) that name the repositories, by path.
    - C(driver_version) and C(rocm_version), as AMD's folders are named; the first is null where the driver does not come from there.
    - C(prefix), the folder on the node in which ROCm lies.
    - C(findings), with O(fail_on=never). Empty where the node can be as asked.
  type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.rocm_plan import as_plan
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.rocm_versions import RocmError


def rocm_plan(
    inputs: Mapping[str, Any], facts: Mapping[str, Any], fail_on: str = "error", host: str = ""
) -> dict[str, Any]:
    """Return the plan; AnsibleFilterError says what does not fit, unless it is to be a finding."""
    try:
        plan = as_plan(inputs, facts)
    except RocmError as error:
        if fail_on == "never":
            return {"findings": [error.finding(host).to_dict()]}
        raise AnsibleFilterError(str(error)) from error
    return {**plan, "findings": []} if fail_on == "never" else plan


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"rocm_plan": rocm_plan}
