# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about what Ray is told of a node's GPUs."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_command import (
    RayCommandError,
    gpu_count,
    unit,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_gpu import (
    RayGpus,
    accelerator_type,
    count_models,
    nvidia_accelerator_type,
    ray_gpus,
    short_models,
)

WORKER: dict[str, Any] = {
    "kind": "worker",
    "version": "2.60.0",
    "node_address": "198.18.1.11",
    "head_address": "198.18.1.10",
}


def nvidia(index: int | None, **more: Any) -> dict[str, Any]:
    """Return an H100 of the facts."""
    model = None if index is None else "NVIDIA H100 80GB HBM3"
    return {"vendor": "nvidia", "index": index, "model": model, "uuid": f"GPU-{index}", **more}


def amd(index: int | None, **more: Any) -> dict[str, Any]:
    """Return an MI300X of the facts."""
    return {"vendor": "amd", "index": index, "device_id": "0x74a1", **more}


def facts(*gpus: dict[str, Any]) -> dict[str, Any]:
    """Return gpu facts with these GPUs."""
    return {"gpus": list(gpus), "vendor": gpus[0]["vendor"] if gpus else None}


# What nvidia_gpu.py of Ray 2.60 makes of the names that NVML gives.
@pytest.mark.parametrize(
    ("model", "expected"),
    [
        pytest.param("NVIDIA H100 80GB HBM3", "H100", id="memory-after-it"),
        pytest.param("NVIDIA A100-SXM4-40GB", "A100", id="suffix"),
        pytest.param("Tesla V100-SXM2-16GB", "V100", id="old-brand"),
        pytest.param("Tesla T4", "T4", id="t4"),
        pytest.param("NVIDIA L40S", "L40S", id="letter-at-the-end"),
        pytest.param("NVIDIA RTX A6000", "RTX-A6000", id="rtx-a6000"),
        pytest.param("NVIDIA RTX 6000 Ada Generation", "RTX-6000", id="rtx-6000-ada"),
        pytest.param(
            "NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX-PRO-6000", id="three-words"
        ),
        pytest.param("Quadro RTX 6000", "RTX-6000", id="quadro"),
        pytest.param("NVIDIA GeForce RTX 4090", "GeForce-RTX-4090", id="consumer-is-taken-whole"),
        pytest.param("NVIDIA TITAN V", "TITAN-V", id="no-number"),
        pytest.param("NVIDIA GH200 480GB", "GH200", id="gh200"),
        pytest.param("GRID A100-20C", "A100", id="virtual"),
        pytest.param("NVIDIA", None, id="brand-alone"),
        pytest.param("", None, id="empty"),
    ],
)
def test_a_model_has_the_name_that_ray_gives_it(model: str, expected: str | None) -> None:
    assert nvidia_accelerator_type(model) == expected


@pytest.mark.parametrize(
    ("gpu", "expected"),
    [
        pytest.param(amd(0), "AMD-Instinct-MI300X-OAM", id="mi300x"),
        pytest.param(amd(0, device_id="0x740F"), "AMD-Instinct-MI210", id="capitals"),
        pytest.param(amd(0, device_id="0x744c"), None, id="ray-has-no-name-for-radeon-rx"),
        pytest.param(amd(0, device_id=None), None, id="unknown-device"),
        pytest.param(nvidia(0, model=None), None, id="unknown-model"),
    ],
)
def test_a_gpu_without_a_name_at_ray_gets_none(gpu: dict[str, Any], expected: str | None) -> None:
    assert accelerator_type(gpu) == expected


@pytest.mark.parametrize(
    ("gpus", "count"),
    [
        pytest.param([nvidia(0), nvidia(1)], 2, id="both-answer"),
        pytest.param([nvidia(0), nvidia(None)], 1, id="one-is-not-listed"),
        pytest.param([nvidia(0), nvidia(1, error="GPU is lost")], 1, id="one-is-lost"),
        pytest.param([nvidia(None)], 0, id="no-driver"),
        pytest.param([], 0, id="nothing-on-the-bus"),
        pytest.param([amd(0, partitions=8), amd(1, partitions=8)], 16, id="partitions-of-amd"),
        pytest.param([nvidia(0, mig={"enabled": True})], 1, id="mig-is-one-gpu-for-ray"),
        pytest.param([nvidia(0), amd(0), amd(1)], 1, id="nvidia-first-on-a-node-with-both"),
    ],
)
def test_ray_is_told_the_gpus_that_answer(gpus: list[dict[str, Any]], count: int) -> None:
    assert ray_gpus(facts(*gpus), {}).count == count


def test_without_facts_gpus_are_left_to_ray() -> None:
    assert ray_gpus(None, {}) == RayGpus()
    assert ray_gpus({}, {}) == RayGpus()
    assert gpu_count({**WORKER, "gpu": {}}) is None


def test_the_owners_vendor_counts_on_a_node_with_both() -> None:
    told = ray_gpus(facts(nvidia(0), amd(0), amd(1)), {}, vendor="amd")
    assert (told.count, told.groups) == (2, ("render", "video"))


def test_check_mode_counts_gpus_that_will_have_a_driver() -> None:
    assert ray_gpus(facts(nvidia(None), nvidia(None)), {}, predicted=True).count == 2
    assert ray_gpus(facts(nvidia(0), nvidia(None)), {}, predicted=True).count == 1


def test_gpus_that_do_not_answer_are_hidden_by_the_uuids_of_the_others() -> None:
    told = ray_gpus(facts(nvidia(0, error="GPU is lost"), nvidia(1), nvidia(2)), {})
    assert told.environment == (("CUDA_VISIBLE_DEVICES", "GPU-1,GPU-2"),)


def test_gpus_of_amd_are_hidden_by_number_and_with_hip() -> None:
    told = ray_gpus(facts(amd(0), amd(1, error="no answer")), {})
    assert told.environment == (("HIP_VISIBLE_DEVICES", "0"),)


def test_nothing_is_hidden_where_all_answer() -> None:
    assert ray_gpus(facts(nvidia(0), nvidia(1), nvidia(None)), {}).environment == ()


@pytest.mark.parametrize(
    ("value", "count"),
    [
        pytest.param("MIG-a,MIG-b,MIG-c", 1, id="not-more-than-gpus"),
        pytest.param("GPU-0", 1, id="one"),
        pytest.param("", 0, id="none"),
        pytest.param("NoDevFiles", 0, id="cuda's-word-for-none"),
    ],
)
def test_ray_is_told_no_more_than_the_owner_lets_it_see(value: str, count: int) -> None:
    environment = {"CUDA_VISIBLE_DEVICES": value}
    assert ray_gpus(facts(nvidia(0)), environment).count == count


@pytest.mark.parametrize(
    ("gpu", "mode", "options"),
    [
        pytest.param(nvidia(0), "auto", ("--device nvidia.com/gpu=all",), id="nvidia"),
        pytest.param(nvidia(0), "cdi", ("--device nvidia.com/gpu=all",), id="nvidia-cdi"),
        pytest.param(
            nvidia(0),
            "legacy",
            (
                "--runtime nvidia",
                "--env NVIDIA_VISIBLE_DEVICES=all",
                "--env NVIDIA_DRIVER_CAPABILITIES=compute,utility",
            ),
            id="nvidia-legacy",
        ),
        pytest.param(amd(0), "auto", ("--runtime amd", "--env AMD_VISIBLE_DEVICES=all"), id="amd"),
        pytest.param(nvidia(0), "none", (), id="none"),
        pytest.param(nvidia(None), "auto", (), id="no-device-that-is-not-there"),
    ],
)
def test_a_container_gets_the_devices(
    gpu: dict[str, Any], mode: str, options: tuple[str, ...]
) -> None:
    assert ray_gpus(facts(gpu), {}, mode=mode).container_options == options


def test_a_container_gets_the_groups_that_may_open_the_devices() -> None:
    told = ray_gpus(facts(amd(0)), {}, mode="none", device_gids=[992])
    assert told.container_options == ("--group-add 992",)


def test_the_unit_says_number_and_model() -> None:
    made = unit({**WORKER, "gpu": facts(nvidia(0), nvidia(1))})
    assert "--num-gpus=2" in made["arguments"]
    assert r'"--resources={\"accelerator_type:H100\": 1}"' in made["arguments"]
    assert made["groups"] == ["video"]
    assert "nvidia-cdi-refresh.service" in made["units"]


def test_the_owners_word_counts_more() -> None:
    settings = {
        **WORKER,
        "gpu": facts(nvidia(0, error="GPU is lost"), nvidia(1)),
        "num_gpus": "7",
        "resources": {"accelerator_type:H100": 7},
        "environment": {"CUDA_VISIBLE_DEVICES": "MIG-a"},
    }
    made = unit(settings)
    assert "--num-gpus=7" in made["arguments"]
    assert r'"--resources={\"accelerator_type:H100\": 7}"' in made["arguments"]
    assert "CUDA_VISIBLE_DEVICES=MIG-a" in made["environment"]
    assert gpu_count(settings) == 7


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(
            {"environment": {"ROCR_VISIBLE_DEVICES": "0"}},
            "ray_environment: saw ROCR_VISIBLE_DEVICES without HIP_VISIBLE_DEVICES, with which "
            "Ray does not start; expected HIP_VISIBLE_DEVICES with the same value in its place",
            id="rocr-alone",
        ),
        pytest.param(
            {"gpu_container_mode": "CDI"},
            "ray_gpu_container_mode: saw 'CDI', expected one of auto, cdi, legacy, amd, none",
            id="unknown-mode",
        ),
    ],
)
def test_what_ray_would_not_start_with_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(RayCommandError) as caught:
        unit({**WORKER, **given})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [
        pytest.param([nvidia(0), nvidia(1)], "2 x H100", id="two-of-one-model"),
        pytest.param([nvidia(0), nvidia(1, model="Tesla T4")], "1 x H100, 1 x T4", id="two-models"),
        pytest.param(
            [nvidia(0, model="NVIDIA GeForce RTX 4090")], "1 x GeForce RTX 4090", id="consumer"
        ),
        pytest.param(
            [amd(0, model="AMD Instinct MI300X")] * 8, "8 x Instinct MI300X", id="amd-by-model"
        ),
        pytest.param([amd(0)], "1 x GPU", id="unknown-model"),
        pytest.param([], "", id="none"),
    ],
)
def test_models_are_told_in_short(gpus: list[dict[str, Any]], expected: str) -> None:
    assert short_models(gpus) == expected


def test_models_are_counted_by_their_full_names() -> None:
    assert count_models([nvidia(0), nvidia(1), amd(0)]) == {"NVIDIA H100 80GB HBM3": 2, "GPU": 1}
