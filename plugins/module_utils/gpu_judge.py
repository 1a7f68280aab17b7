# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a node's GPUs: one function over one value.

Nothing here reads or writes anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import Finding
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge_amd import judge_amd
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge_case import (
    Case,
    Expectation,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge_count import (
    judge_container,
    judge_generation,
    judge_in_driver,
    judge_lost,
    judge_toolkit,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge_driver import (
    judge_agreement,
    judge_answer,
    judge_fabric_manager,
    judge_headers,
    judge_installed,
    judge_range,
    judge_secure_boot,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge_hardware import (
    judge_hardware,
    judge_presence,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge_health import (
    judge_health,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge_log import judge_log
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    GpuNode,
    Vendor,
)


def judge(
    node: GpuNode, expected: Expectation, host: str, leads: Sequence[str] = ()
) -> list[Finding]:
    """Return all that is to be said about a node's GPUs, errors first, nothing when all is well.

    A finding that another one explains is left out: without a driver no GPU is missing in it.
    ``leads`` are what a run of provision.yml needs beside ``host``; commands in findings name them.
    """
    case = Case(node, expected, host, tuple(leads))
    findings = list(judge_presence(case))
    for vendor in case.vendors:
        findings += judge_hardware(case, vendor)
        if expected.driver_required:
            findings += _software(case, vendor)
        else:
            findings += judge_secure_boot(case, vendor)
    return sorted(set(findings), key=lambda finding: (*finding.sort_key, finding.message))


def container_vendor(node: GpuNode, expected: Expectation) -> Optional[Vendor]:
    """Return whose GPUs a container can be asked for: one of them works. None where none does."""
    case = Case(node, expected, "")
    working = [v for v in case.vendors if case.has_answered(v) and case.usable(v)]
    return working[0] if working else None


def _software(case: Case, vendor: Vendor) -> Iterator[Finding]:
    if not case.free(vendor):
        return  # Another module holds them all; the driver can have none.
    if vendor is Vendor.NVIDIA:
        yield from _nvidia(case)
    else:
        yield from judge_amd(case, case.stack(vendor))
    if case.is_loaded(vendor):
        yield from judge_lost(case, vendor)
        yield from judge_in_driver(case, vendor)
        yield from judge_health(case, vendor)
        yield from judge_log(case, vendor)
        if vendor is (container_vendor(case.node, case.expected) or vendor):
            yield from judge_toolkit(case, vendor)
            yield from judge_container(case, vendor)


def _nvidia(case: Case) -> Iterator[Finding]:
    stack = case.stack(Vendor.NVIDIA)
    yield from judge_installed(case, stack)
    yield from judge_range(case, stack)
    if not case.is_loaded(Vendor.NVIDIA):
        return
    yield from judge_headers(case, Vendor.NVIDIA)
    yield from judge_agreement(case, stack)
    yield from judge_fabric_manager(case, stack)
    yield from judge_answer(case, stack)
    yield from judge_generation(case)
