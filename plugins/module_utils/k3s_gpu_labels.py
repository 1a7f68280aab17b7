# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a node's GPUs its labels in Kubernetes tell, and where images are taken from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_inventory import truth

#: Chosen by the device plugins, and by whoever wants GPUs of a vendor.
VENDOR_LABEL = "rackforge.io/gpu-{vendor}"
#: The label by which NVIDIA's own charts know nodes with GPUs.
NVIDIA_PRESENT = "nvidia.com/gpu.present"
MODEL_LABEL = "rackforge.io/gpu-model"
COUNT_LABEL = "rackforge.io/gpu-count"
_VENDORS = ("nvidia", "amd")
#: The most characters of a label's value (Kubernetes, Labels and Selectors).
_MOST = 63


class GpuLabelError(ValueError):
    """A host whose labels cannot be told."""


def gpu_labels(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels for a node by ``ansible_facts.gpu``, none where it has no usable GPU."""
    vendors = [each for each in facts.get("vendors") or [] if each in _VENDORS]
    count = facts.get("usable_count") or 0
    if not vendors or not count:
        return {}
    labels = {VENDOR_LABEL.format(vendor=vendor): "true" for vendor in vendors}
    if "nvidia" in vendors:
        labels[NVIDIA_PRESENT] = "true"
    labels[COUNT_LABEL] = str(count)
    model = _model([str(each) for each in facts.get("models") or []])
    return {**labels, MODEL_LABEL: model} if model else labels


def _model(models: list[str]) -> str:
    """Return the model as the value of a label; ``mixed`` where a node has several."""
    if len(models) > 1:
        return "mixed"
    value = re.sub(r"[^A-Za-z0-9._-]+", "-", models[0] if models else "")
    return value[:_MOST].strip("-._")


def relocated_image(image: str, registry: str) -> str:
    """Return the image at another registry, which may have a path; its own where none is given.

    The first part of a name is a registry when it holds a dot or a colon, or is localhost; names
    without one are Docker Hub's, whose own images lie under ``library``.
    """
    if not registry:
        return image
    first, slash, rest = image.partition("/")
    has_registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
    path = rest if has_registry else (image if slash else f"library/{image}")
    return f"{registry.rstrip('/')}/{path}"


def labels_of_hosts(
    hostvars: Mapping[str, Any],
    hosts: Sequence[str],
    more: Mapping[str, Mapping[str, str]],
) -> dict[str, dict[str, str]]:
    """Return the labels of each host's GPUs and those that ``more`` has for it, by host.

    GpuLabelError names a host that should have GPUs and was not asked: without its labels the
    device plugin would leave it.
    """
    found = {}
    for host in hosts:
        variables = hostvars[host]
        facts = (variables.get("ansible_facts") or {}).get("gpu")
        if facts is None and truth(variables.get("has_gpu")):
            raise GpuLabelError(
                f"{host} has has_gpu, but the facts of its GPUs are missing: it could not be "
                "reached, or --limit or --start-at-task left it out. Try "
                f"'ansible {host} -m ping', then run the whole playbook again without these options"
            )
        found[host] = {**gpu_labels(facts or {}), **more.get(host, {})}
    return found
