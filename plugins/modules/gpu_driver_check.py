#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judge a node's GPUs: those on the PCI bus, in the driver and in a container."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_driver_check
short_description: Judge a node's GPUs, their driver and their way into containers
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Compares the GPUs on the PCI bus with those that the driver lists and those that a container sees, and says for each difference
    what was seen, what was expected and what to type about it.
  - Judges the driver's version, whether module, library and package agree, nouveau, Secure Boot, fabric manager, container toolkit,
    PCI Express links, and what ECC, row remapping, MIG and the kernel log tell of each GPU. All findings stand in
    docs/gpu-findings.md of the collection.
  - A finding that another one explains is left out. Without a driver no GPU is missing in the driver.
  - Whatever cannot be read is not judged.
attributes:
  check_mode:
    support: partial
    description: Reads and judges the same; no container is run.
  diff_mode:
    support: N/A
    description: Changes nothing, so there is nothing to compare.
  idempotent:
    support: N/A
    description: Changes nothing. The image and the container that it makes with O(container=docker) are removed again.
options:
  gpu:
    description:
      - What M(rackforge.gpu_cluster.gpu_info) returned as C(ansible_facts.gpu), so that nothing is read twice.
      - When not set, the node is read.
    type: dict
  host:
    description: The node's name in findings; its own host name when not set.
    type: str
  leads:
    description:
      - Groups or hosts that a run of C(provision.yml) needs beside the node. The commands in findings name them.
      - When not set, C(ray_head) and C(k3s_server), each where the inventory has a host in it.
    type: list
    elements: str
  min_version:
    description:
      - Lowest version of NVIDIA's driver. It counts with as many parts as it has, so V(530) allows 530.30.02, and V(535.104.05) is
        exact. 530 and 590 are the bounds of the Neutree documentation for static node clusters.
      - An empty text bounds nothing, as does null in a playbook's variable.
    type: str
    default: "530"
  max_version:
    description:
      - Highest version of NVIDIA's driver, itself included, with as many parts as it has. V(590) allows 590.48.01 and not 591.1.
      - An empty text bounds nothing.
    type: str
    default: "590"
  vendor:
    description: Whose GPUs are judged. When not set, those that are found.
    type: str
    choices: [nvidia, amd]
  expect_gpus:
    description: Whether a node without a GPU on its PCI bus is an error.
    type: bool
    default: true
  driver:
    description: V(optional) judges the hardware only, as before an installation; V(required) judges everything.
    type: str
    choices: [required, optional]
    default: required
  toolkit_min_version:
    description:
      - Lowest version of the NVIDIA container toolkit. Containers can break out of older ones; 1.16.2 closed CVE-2024-0132, 1.17.4
        CVE-2025-23359 and 1.17.8 CVE-2025-23266 (NVIDIA's security bulletins).
      - An empty text bounds nothing.
    type: str
    default: 1.17.8
  container:
    description: V(docker) runs a container that asks for every GPU and counts what it sees. Not in check mode.
    type: str
    choices: [none, docker]
    default: none
  container_mode:
    description:
      - How the container asks. V(cdi) with C(--device nvidia.com/gpu=all), V(legacy) with C(--runtime=nvidia), V(amd) with
        C(--runtime=amd).
      - On a node with AMD's GPUs it is always V(amd).
    type: str
    choices: [cdi, legacy, amd]
    default: cdi
  container_image:
    description:
      - Image that has C(nvidia-smi) from the runtime, or C(ls) for AMD. It is pulled if the node does not have it, and stays.
      - When empty, an image is made on the node from the loader and the libraries that the program needs, without any download, and
        removed again.
    type: str
    default: ""
  container_timeout:
    description: Seconds that the container has for its answer.
    type: int
    default: 120
  fail_on:
    description: The least severity of a finding at which the module fails. V(never) only returns the findings.
    type: str
    choices: [error, warning, never]
    default: error
"""

EXAMPLES = r"""
- name: Have every GPU of the node work in containers
  rackforge.gpu_cluster.gpu_driver_check:
    container: docker

- name: Judge the hardware before the driver is installed
  rackforge.gpu_cluster.gpu_driver_check:
    gpu: "{{ ansible_facts['gpu'] }}"
    host: "{{ inventory_hostname }}"
    driver: optional

- name: Collect the findings of all nodes
  rackforge.gpu_cluster.gpu_driver_check:
    host: "{{ inventory_hostname }}"
    fail_on: never
"""

RETURN = r"""
findings:
  description: All that is to be said, errors first; empty when all is well.
  returned: always
  type: list
  elements: dict
  contains:
    severity:
      description: error, warning or note.
      type: str
      sample: error
    code:
      description: What the finding is about.
      type: str
      sample: library-mismatch
    host:
      description: The node.
      type: str
      sample: gpu01
    message:
      description: The finding in words.
      type: str
      sample: The kernel runs another version of NVIDIA's driver than the one whose library is installed.
    seen:
      description: What was seen.
      type: str
      sample: module 580.95.05, library 580.105.08, package 580.105.08
    expected:
      description: What was expected.
      type: str
      sample: one version
    fix:
      description: The next command to type.
      type: str
      sample: ansible -i inv.ini gpu01 --become -m ansible.builtin.reboot
    variable:
      description: The variable of the inventory that it is about, empty where none is.
      type: str
      sample: ""
summary:
  description: One line about the node.
  returned: always
  type: str
  sample: "gpu01: 8 GPUs, 1 error, 2 warnings"
report:
  description: The findings for a terminal; empty when there are none.
  returned: when the check did not fail
  type: str
  sample: "SEVERITY  HOST   FINDING\nERROR     gpu01  library-mismatch"
ansible_facts:
  description: C(gpu) as M(rackforge.gpu_cluster.gpu_info) returns it, with what the container saw.
  returned: when the check did not fail
  type: dict
  sample: {"gpu": {"count": 8, "usable_count": 8, "vendor": "nvidia", "container": {"gpus": 8, "error": null}}}
"""

import platform
from dataclasses import replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
    plural,
    render_findings,
    summarise,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_container import AMD, MODES
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_container_run import (
    ContainerCheck,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge import (
    container_vendor,
    judge,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge_case import (
    Expectation,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    GpuNode,
    Vendor,
    from_plain,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_read import read_gpu_node

ARGUMENTS: dict[str, Any] = {
    "gpu": {"type": "dict"},
    "host": {"type": "str"},
    "leads": {"type": "list", "elements": "str", "default": []},
    "min_version": {"type": "str", "default": "530"},
    "max_version": {"type": "str", "default": "590"},
    "vendor": {"type": "str", "choices": ["nvidia", "amd"]},
    "expect_gpus": {"type": "bool", "default": True},
    "driver": {"type": "str", "choices": ["required", "optional"], "default": "required"},
    "toolkit_min_version": {"type": "str", "default": "1.17.8"},
    "container": {"type": "str", "choices": ["none", "docker"], "default": "none"},
    "container_mode": {"type": "str", "choices": list(MODES), "default": "cdi"},
    "container_image": {"type": "str", "default": ""},
    "container_timeout": {"type": "int", "default": 120},
    "fail_on": {"type": "str", "choices": ["error", "warning", "never"], "default": "error"},
}


def expectation(params: dict[str, Any]) -> Expectation:
    """Return what the arguments ask for."""
    return Expectation(
        min_version=params["min_version"] or None,
        max_version=params["max_version"] or None,
        vendor=Vendor(params["vendor"]) if params["vendor"] else None,
        expect_gpus=params["expect_gpus"],
        driver_required=params["driver"] == "required",
        toolkit_min_version=params["toolkit_min_version"] or None,
        container=params["container"] == "docker",
        container_mode=params["container_mode"],
    )


def read(module: AnsibleModule, command: Command) -> GpuNode:
    """Return the node's GPUs, from the argument or from the node itself."""
    facts = module.params["gpu"]
    if facts is None:
        return read_gpu_node(command)
    try:
        return from_plain(GpuNode, facts)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        module.fail_json(
            msg=f"The option gpu is not what gpu_info returns as ansible_facts.gpu: {error}. Leave "
            "it out to have the node read"
        )
        raise AssertionError from error


def ask_container(
    module: AnsibleModule, command: Command, node: GpuNode, expected: Expectation
) -> tuple[GpuNode, Expectation]:
    """Return the node with what a container sees, where a GPU works and a container was wanted."""
    vendor = container_vendor(node, expected)
    if vendor is None or not expected.container or not expected.driver_required:
        return node, expected
    mode = AMD if vendor is Vendor.AMD else expected.container_mode
    if module.check_mode:
        return node, replace(expected, container_mode=mode)
    view = ContainerCheck(command, module.tmpdir).ask(
        mode,
        module.params["container_image"],
        module.params["container_timeout"],
        [gpu.pci_address for gpu in node.of_vendor(vendor)],
    )
    return replace(node, container=view), replace(expected, container_mode=mode)


def is_failure(findings: list[Finding], fail_on: str) -> bool:
    """Return whether a finding is as severe as ``fail_on`` or more."""
    if fail_on == "never":
        return False
    return any(finding.severity.rank <= Severity(fail_on).rank for finding in findings)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    command, host = Command(module), module.params["host"] or platform.node()
    node, expected = ask_container(
        module, command, read(module, command), expectation(module.params)
    )
    findings = judge(node, expected, host, module.params["leads"])
    summary = f"{host}: {plural(len(node.gpus), 'GPU')}, {summarise(findings)}"
    report = render_findings(findings)
    result = {
        "findings": [finding.to_dict() for finding in findings],
        "summary": summary,
        "report": report,
        "ansible_facts": {"gpu": node.to_facts()},
    }
    if is_failure(findings, module.params["fail_on"]):
        # On a terminal everything that is returned follows the message: the facts would bury it.
        del result["ansible_facts"], result["report"]
        module.fail_json(msg=f"{summary}. Nothing was changed.\n\n{report}", **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
