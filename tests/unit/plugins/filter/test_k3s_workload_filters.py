"""Claims about the small filters of the k3s workloads."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.filter.k3s_extra_labels import (
    k3s_extra_labels,
)
from ansible_collections.rackforge.gpu_cluster.plugins.filter.k3s_gpu_labels import k3s_gpu_labels
from ansible_collections.rackforge.gpu_cluster.plugins.filter.k3s_image import k3s_image
from ansible_collections.rackforge.gpu_cluster.plugins.filter.k3s_ingress_ports import (
    k3s_ingress_ports,
)

A100 = {"vendors": ["nvidia"], "usable_count": 8, "models": ["NVIDIA A100-SXM4-80GB"]}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param({}, {}, id="no-gpu"),
        pytest.param({**A100, "usable_count": 0}, {}, id="none-usable"),
        pytest.param({**A100, "vendors": ["intel"]}, {}, id="no-plugin-for-it"),
        pytest.param(
            A100,
            {
                "rackforge.io/gpu-nvidia": "true",
                "nvidia.com/gpu.present": "true",
                "rackforge.io/gpu-count": "8",
                "rackforge.io/gpu-model": "NVIDIA-A100-SXM4-80GB",
            },
            id="nvidia",
        ),
        pytest.param(
            {"vendors": ["amd"], "usable_count": 1, "models": ["(Instinct) MI300X/" + "x" * 70]},
            {
                "rackforge.io/gpu-amd": "true",
                "rackforge.io/gpu-count": "1",
                "rackforge.io/gpu-model": "Instinct-MI300X-" + "x" * 46,
            },
            id="amd-with-a-long-name",
        ),
        pytest.param(
            {"vendors": ["nvidia", "amd"], "usable_count": 2, "models": ["a", "b"]},
            {
                "rackforge.io/gpu-nvidia": "true",
                "rackforge.io/gpu-amd": "true",
                "nvidia.com/gpu.present": "true",
                "rackforge.io/gpu-count": "2",
                "rackforge.io/gpu-model": "mixed",
            },
            id="both",
        ),
        pytest.param(
            {"vendors": ["amd"], "usable_count": 1, "models": []},
            {"rackforge.io/gpu-amd": "true", "rackforge.io/gpu-count": "1"},
            id="model-unknown",
        ),
    ],
)
def test_a_nodes_gpus_as_labels(facts: dict[str, Any], expected: dict[str, str]) -> None:
    assert k3s_gpu_labels(facts) == expected


def test_labels_of_gpus_and_of_the_profile_come_together() -> None:
    gpu = {"vendors": ["amd"], "usable_count": 1, "models": []}
    hostvars = {"a": {"has_gpu": "true", "ansible_facts": {"gpu": gpu}}, "b": {}}
    assert k3s_extra_labels(hostvars, ["a", "b"], {"a": {"registry": "yes"}}) == {
        "a": {"rackforge.io/gpu-amd": "true", "rackforge.io/gpu-count": "1", "registry": "yes"},
        "b": {},
    }


def test_a_host_whose_gpus_were_not_looked_at_is_refused() -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        k3s_extra_labels({"a": {"has_gpu": True}}, ["a"])
    assert str(caught.value) == (
        "a has has_gpu, but the facts of its GPUs are missing: it could not be reached, or --limit "
        "or --start-at-task left it out. Try 'ansible a -m ping', then run the whole playbook again"
        " without these options"
    )


@pytest.mark.parametrize(
    ("image", "registry", "expected"),
    [
        pytest.param("nvcr.io/nvidia/x:1", "", "nvcr.io/nvidia/x:1", id="its-own"),
        pytest.param("nvcr.io/nvidia/x:1", "r:5000", "r:5000/nvidia/x:1", id="another"),
        pytest.param("nvcr.io/nvidia/x:1", "r/m/", "r/m/nvidia/x:1", id="with-a-path"),
        pytest.param("rocm/x:1", "r", "r/rocm/x:1", id="docker-hub"),
        pytest.param("busybox:1", "r", "r/library/busybox:1", id="docker-hubs-own"),
        pytest.param("localhost/x:1", "r", "r/x:1", id="localhost"),
        pytest.param("host:5000/a/x@sha256:ab", "r", "r/a/x@sha256:ab", id="digest"),
    ],
)
def test_an_image_at_another_registry(image: str, registry: str, expected: str) -> None:
    assert k3s_image(image, registry) == expected


@pytest.mark.parametrize(
    ("http", "https", "disabled"),
    [
        pytest.param(80, 443, [], id="the-usual-ones"),
        pytest.param(9000, 9443, ["traefik"], id="no-traefik"),
    ],
)
def test_nothing_is_moved_without_need(http: int, https: int, disabled: list[str]) -> None:
    assert k3s_ingress_ports(http, https, disabled) == []


def test_the_ingress_gets_its_ports() -> None:
    (found,) = k3s_ingress_ports(9000, 443)
    definition = found["definition"]
    assert (definition["kind"], definition["metadata"]["name"]) == ("HelmChartConfig", "traefik")
    assert yaml.safe_load(definition["spec"]["valuesContent"]) == {
        "ports": {"web": {"exposedPort": 9000}, "websecure": {"exposedPort": 443}}
    }
