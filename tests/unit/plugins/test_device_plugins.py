"""Claims about the manifests of the vendors' device plugins, as their templates make them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, StrictUndefined

TEMPLATES = Path(__file__).parents[3] / "roles/k3s/templates"


def pod(vendor: str) -> dict[str, Any]:
    """Return the pod that a vendor's DaemonSet makes on each node."""
    environment = Environment(undefined=StrictUndefined)  # noqa: S701 - YAML, not HTML
    environment.filters |= {
        "to_json": json.dumps,
        "rackforge.gpu_cluster.k3s_image": lambda image, _registry: image,
    }
    text = (TEMPLATES / f"{vendor}-device-plugin.yaml.j2").read_text()
    made = yaml.safe_load(
        environment.from_string(text).render(
            k3s_amd_device_plugin_image="amd:1",
            k3s_nvidia_device_plugin_image="nvidia:1",
            k3s_image_registry="",
            k3s_nvidia_mig_strategy="none",
        )
    )
    return dict(made["spec"]["template"]["spec"])


@pytest.mark.parametrize("vendor", ["nvidia", "amd"])
def test_no_taint_keeps_a_device_plugin_from_a_node_with_gpus(vendor: str) -> None:
    assert pod(vendor)["tolerations"] == [{"operator": "Exists"}]


@pytest.mark.parametrize("vendor", ["nvidia", "amd"])
def test_a_device_plugin_runs_on_nodes_with_our_label_only(vendor: str) -> None:
    made = pod(vendor)
    required = {
        "nvidia": {
            "nodeSelectorTerms": [
                {
                    "matchExpressions": [
                        {"key": "rackforge.io/gpu-nvidia", "operator": "In", "values": ["true"]}
                    ]
                }
            ]
        },
        "amd": None,
    }
    affinity = made.get("affinity", {}).get("nodeAffinity", {})
    assert affinity.get("requiredDuringSchedulingIgnoredDuringExecution") == required[vendor]
    labels = made.get("nodeSelector", {})
    assert labels.get("rackforge.io/gpu-amd") == ("true" if vendor == "amd" else None)
