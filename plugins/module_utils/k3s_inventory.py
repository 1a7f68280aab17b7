# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says of the nodes of a k3s cluster, in the form that modules take."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Optional

#: The resource by which the vendor's device plugin offers GPUs.
RESOURCES: Mapping[str, str] = {"nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu"}
#: Values of k3s_nvidia_mig_strategy with which NVIDIA's plugin offers parts of GPUs.
PARTED = ("single", "mixed")


class InventoryError(ValueError):
    """A variable of a host that has not the form it must have."""


def node_name(host: str, variables: Mapping[str, Any]) -> str:
    """Return the host's name in Kubernetes, as the role k3s has it by default."""
    return str(variables.get("k3s_node_name") or host.lower().replace("_", "-"))


def members(
    hostvars: Mapping[str, Any],
    hosts: Sequence[str],
    extra: Optional[Mapping[str, Mapping[str, str]]] = None,
) -> list[dict[str, Any]]:
    """Return name, labels and taints of each host, for the module k3s_node.

    ``extra`` has more labels by host; what the inventory says of the same label counts more.
    """
    rows = []
    for host in hosts:
        variables = hostvars[host]
        more = dict((extra or {}).get(host) or {})
        rows.append(
            {
                "name": node_name(host, variables),
                "labels": {**more, **read_labels(variables.get("k3s_labels"), host)},
                "taints": read_taints(variables.get("k3s_taints"), host),
            }
        )
    return rows


def read_labels(value: Any, host: str) -> dict[str, Any]:
    """Return a host's k3s_labels: a mapping, or as an INI file has it, text such as a=b,c=d."""
    found = _written_out(value)
    if isinstance(found, str):
        parts = [part.strip() for part in found.split(",") if part.strip()]
        if all("=" in part for part in parts):
            found = dict(part.split("=", 1) for part in parts)
    if found is None or found == "":
        return {}
    if not isinstance(found, Mapping):
        raise InventoryError(
            f"{host}: k3s_labels is {value!r}, expected a mapping, or text such as "
            "registry=yes,disk=ssd"
        )
    return {str(key): each for key, each in found.items()}


def read_taints(value: Any, host: str) -> list[str]:
    """Return a host's k3s_taints: a list, or as an INI file has it, text with commas."""
    found = _written_out(value)
    if isinstance(found, str):
        found = [part.strip() for part in found.split(",") if part.strip()]
    if found is None:
        return []
    if isinstance(found, Mapping) or not isinstance(found, Sequence):
        raise InventoryError(
            f"{host}: k3s_taints is {value!r}, expected a list such as ['dedicated=gpu:NoSchedule']"
        )
    return [str(each) for each in found]


def _written_out(value: Any) -> Any:
    """Return what a text in the form of JSON or of Python stands for, any other value as it is."""
    text = str(value).strip() if isinstance(value, str) else ""
    if text[:1] not in ("{", "["):
        return text if isinstance(value, str) else value
    with suppress(ValueError):
        return json.loads(text)
    with suppress(ValueError, SyntaxError):
        return ast.literal_eval(text)
    return text


def expected(
    hostvars: Mapping[str, Any],
    servers: Sequence[str],
    agents: Sequence[str],
    version: str = "",
    with_gpus: bool = True,
) -> list[dict[str, Any]]:
    """Return how each host must show in its cluster, for the module k3s_cluster_info."""
    kinds = {**dict.fromkeys(agents, "agent"), **dict.fromkeys(servers, "server")}
    names = [*servers, *(agent for agent in agents if agent not in servers)]
    return [_expected(host, hostvars[host], kinds[host], version, with_gpus) for host in names]


def _expected(
    host: str, variables: Mapping[str, Any], kind: str, version: str, with_gpus: bool
) -> dict[str, Any]:
    facts = variables.get("ansible_facts") or {}
    address = (facts.get("gpu_cluster") or {}).get("node_address")
    row = {
        "name": node_name(host, variables),
        "host": host,
        "kind": kind,
        "version": version or variables.get("k3s_version") or "",
        "address": address or "",
    }
    gpus = _gpus(facts.get("gpu"), variables)
    return {**row, **gpus} if with_gpus and truth(variables.get("has_gpu")) else row


def _gpus(found: Any, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many GPUs of which resource a node must offer; nothing where it was not asked.

    Nothing either where parts of GPUs are offered, whose number the facts do not tell.
    """
    if not isinstance(found, Mapping):
        return {}
    vendor = str(variables.get("gpu_vendor") or found.get("vendor") or "")
    if vendor not in RESOURCES:
        return {}
    if offers_parts(vendor, variables):
        return {}
    gpus = [gpu for gpu in found.get("gpus") or () if gpu.get("vendor") == vendor]
    return {"gpus": len(gpus), "gpu_resource": RESOURCES[vendor]}


def offers_parts(vendor: str, variables: Mapping[str, Any]) -> bool:
    """Return whether a host offers parts of its GPUs, whose number no fact tells."""
    return vendor == "nvidia" and variables.get("k3s_nvidia_mig_strategy") in PARTED


def truth(value: Any) -> bool:
    """Return whether a variable of the inventory says yes; an INI file has words for it."""
    if isinstance(value, str):
        return value.strip().lower() in ("true", "yes", "on", "1", "y", "t")
    return bool(value)
