# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs of one host that do not go together, and Docker's subnets.

What a single value may be is for input_rules.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_pools import (
    Blocked,
    PoolError,
    asked_pools,
    parse_reserved,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_lists import list_slip
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import is_boolean
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
)


@dataclass(frozen=True)
class Need:
    """A value of an input that needs others to be set; ``only`` says for which hosts it counts."""

    variable: str
    value: str
    needs: tuple[str, ...]
    sample: str
    only: Callable[[Host], bool]


def has_gpu(host: Host) -> bool:
    """Return whether the inventory promises GPUs."""
    return _is_true(host, "has_gpu", False)


def _gets_docker(host: Host) -> bool:
    return _is_true(host, "install_docker", True)


def _gets_driver(host: Host) -> bool:
    return has_gpu(host) and _is_true(host, "install_nvidia_driver", True)


def _is_true(host: Host, name: str, default: bool) -> bool:
    value = host.values.get(name, default)
    return str(value).strip().lower() == "true" if is_boolean(value) else default


NEEDS = (
    Need(
        "docker_source", "packages", ("docker_package_dir",), "/srv/docker-packages", _gets_docker
    ),
    Need("nvidia_driver_source", "runfile", ("nvidia_runfile",), "PATH", _gets_driver),
    Need("nvidia_driver_source", "runfile", ("nvidia_runfile_sha256",), "SUM", _gets_driver),
    Need(
        "nvidia_toolkit_source",
        "packages",
        ("nvidia_toolkit_package_dir",),
        "/srv/nvidia-packages",
        has_gpu,
    ),
)


def check_inputs(inventory: Inventory) -> list[Finding]:
    """Return a finding for each set of inputs of a node that cannot go together."""
    return [
        finding
        for host in inventory.nodes
        for finding in (*_missing(host), *_docker_subnets(host), *_driver_version(host))
    ]


def _missing(host: Host) -> Iterator[Finding]:
    """Yield the inputs that another one needs and that are not set."""
    for need in NEEDS:
        chosen = host.values.get(need.variable) == need.value
        name = need.needs[0]
        if not chosen or name in host.variable_names or not need.only(host):
            continue
        yield Finding(
            Severity.ERROR,
            "value-missing",
            host.name,
            f"{need.variable}={need.value} needs {name}.",
            seen=f"{name} is not set",
            expected=f"{name}, on the control node" if need.sample != "SUM" else name,
            fix=f"{name}={need.sample}",
            variable=name,
        )


def _docker_subnets(host: Host) -> Iterator[Finding]:
    """Yield what Docker cannot use of the subnets that it is given; routes are judged elsewhere."""
    pools = host.values.get("docker_address_pools")
    reserved = host.values.get("docker_reserved_subnets")
    if isinstance(reserved, str) and list_slip(reserved, takes_text=True) is None:
        reserved = reserved.split(",")
    given = [str(each) for each in reserved] if isinstance(reserved, (list, tuple)) else []
    problem = _problem(lambda: parse_reserved(given))
    if problem:
        yield _subnet_finding(host, "docker_reserved_subnets", problem, "['172.20.0.0/16']")
    blocked = [] if problem else parse_reserved(given)
    if isinstance(pools, (list, tuple)) and all(isinstance(each, Mapping) for each in pools):
        problem = _problem(lambda: asked_pools(pools, blocked))
        if problem:
            sample = f"[{{'base': '{_free(blocked)}', 'size': 24}}]"
            yield _subnet_finding(host, "docker_address_pools", problem, sample)


def _free(reserved: Sequence[Blocked]) -> str:
    """Return a private range that is not reserved; which routes a node has is not known here."""
    ranges = (ipaddress.IPv4Network(f"10.{second}.0.0/16") for second in range(240, 256))
    taken = [each.subnet for each in reserved]
    free = (each for each in ranges if not any(each.overlaps(other) for other in taken))
    return str(next(free, "BASE"))


def _problem(judge: Callable[[], Any]) -> str:
    try:
        judge()
    except PoolError as error:
        return str(error)
    return ""


def _subnet_finding(host: Host, name: str, problem: str, sample: str) -> Finding:
    before = problem.partition(". Nothing was changed")[0]
    seen, _, expected = before.removeprefix(f"{name}: ").partition(", expected ")
    return Finding(
        Severity.ERROR,
        "value-invalid",
        host.name,
        f"{name} has a subnet that Docker cannot use.",
        seen=seen,
        expected=expected or "private IPv4 subnets that are apart from each other",
        fix=f'{name}="{sample}"   (below [all:vars] without the outer quotes)',
        variable=name,
    )


def _driver_version(host: Host) -> Iterator[Finding]:
    """Yield that an exact driver version is of another branch than the one beside it."""
    branch, version = _text(host, "nvidia_driver_branch"), _text(host, "nvidia_driver_version")
    if not has_gpu(host) or branch is None or version is None:
        return
    if version == branch or version.startswith(f"{branch}."):
        return
    yield Finding(
        Severity.WARNING,
        "driver-version-of-another-branch",
        host.name,
        f"nvidia_driver_version={version} is not of nvidia_driver_branch={branch}. The version "
        "counts, and the branch is not read.",
        seen=f"nvidia_driver_version={version}, nvidia_driver_branch={branch}",
        expected=f"a version that begins with {branch}., or its own branch",
        fix=f"nvidia_driver_branch={version.split('.')[0]}",
        variable="nvidia_driver_version",
    )


def _text(host: Host, name: str) -> Optional[str]:
    """Return the text of an input that is set."""
    value = host.values.get(name)
    return None if value is None or str(value).strip() == "" else str(value).strip()
