# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about what is thought of the GPUs that Ray offers."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_gpu_view import (
    RayGpuView,
    judge_gpus,
    needs_a_look,
    parse_gpu_view,
)

LABELS = {"ray.io/node-id": "75c507f3", "ray.io/accelerator-type": "H100"}
LOST = RayGpuView(error="NVMLError_LibraryNotFound: NVML Shared Library Not Found")


def row(gpus: float, labels: dict[str, str], state: str = "ALIVE") -> dict[str, Any]:
    """Return a node as the head has it."""
    resources = {"CPU": 2.0, **({"GPU": gpus} if gpus else {})}
    return {"address": "198.18.1.11", "state": state, "resources": resources, "labels": labels}


def want(gpus: int | None, vendor: str = "nvidia") -> dict[str, Any]:
    """Return what a node should be."""
    return {"address": "198.18.1.11", "version": "2.60.0", "gpus": gpus, "gpu_vendor": vendor}


@pytest.mark.parametrize(
    ("wanted", "rows", "expected"),
    [
        pytest.param(want(2), [row(2.0, LABELS)], False, id="as-told-and-reached"),
        pytest.param(want(2), [row(2.0, {})], True, id="as-told-without-ray's-own-label"),
        pytest.param(want(2, "amd"), [row(2.0, {})], False, id="amd-has-no-label-anyway"),
        pytest.param(want(2), [row(1.0, LABELS)], True, id="fewer"),
        pytest.param(want(0), [row(1.0, LABELS)], True, id="more"),
        pytest.param(want(0), [row(0, {})], False, id="none-and-none"),
        pytest.param(want(None), [row(1.0, {})], False, id="not-judged"),
        pytest.param(want(2), [row(0, {}, "DEAD")], False, id="dead-is-another-problem"),
        pytest.param(want(2), [], False, id="unknown-to-the-head"),
    ],
)
def test_ray_is_asked_only_where_there_is_doubt(
    wanted: dict[str, Any], rows: list[dict[str, Any]], expected: bool
) -> None:
    assert needs_a_look(wanted, rows) is expected


@pytest.mark.parametrize(
    ("wanted", "rows", "view", "expected"),
    [
        pytest.param(want(2), [row(2.0, LABELS)], RayGpuView(), [], id="well"),
        pytest.param(want(2), [row(2.0, {})], RayGpuView(count=2), [], id="well-without-a-name"),
        pytest.param(want(None), [row(1.0, {})], RayGpuView(), [], id="not-judged"),
        pytest.param(want(2), [row(1.0, {}, "DEAD")], RayGpuView(), [], id="dead"),
        pytest.param(
            want(2),
            [row(0, {})],
            LOST,
            [
                "n2: Ray offers 0 GPUs, expected 2 (those that answer their driver, unless "
                "ray_num_gpus says otherwise). Ray's own look at the driver ended with: "
                "NVMLError_LibraryNotFound: NVML Shared Library Not Found. "
                "Run provision.yml again: it starts Ray with the GPUs that are there"
            ],
            id="fewer-and-why",
        ),
        pytest.param(
            want(2),
            [row(2.0, {})],
            RayGpuView(count=1),
            [
                "n2: Ray offers 2 GPUs as it was told, but tasks would not find them. Ray's own "
                "look at the driver finds 1. See 'docker exec ray nvidia-smi -L' "
                "(ray_runtime=container) or 'nvidia-smi -L' on the node, then run provision.yml "
                "again"
            ],
            id="offered-and-not-there",
        ),
        pytest.param(
            want(2),
            [row(2.0, {})],
            LOST,
            [
                "n2: Ray offers 2 GPUs as it was told, but tasks would not find them. Ray's own "
                "look at the driver ended with: NVMLError_LibraryNotFound: NVML Shared Library Not "
                "Found. See 'docker exec ray nvidia-smi -L' (ray_runtime=container) or "
                "'nvidia-smi -L' on the node, then run provision.yml again"
            ],
            id="offered-and-unreachable",
        ),
    ],
)
def test_a_difference_is_told_with_both_numbers_and_rays_reason(
    wanted: dict[str, Any], rows: list[dict[str, Any]], view: RayGpuView, expected: list[str]
) -> None:
    assert judge_gpus("n2", wanted, rows, view) == expected


@pytest.mark.parametrize(
    ("rc", "out", "err", "expected"),
    [
        pytest.param(0, '{"count": 2}\n', "", RayGpuView(count=2), id="counts"),
        pytest.param(0, 'a warning\n{"count": 0}\n', "", RayGpuView(count=0), id="zero"),
        pytest.param(
            0,
            '{"error": "NVMLError_DriverNotLoaded: Driver Not Loaded"}',
            "",
            RayGpuView(error="NVMLError_DriverNotLoaded: Driver Not Loaded"),
            id="says-why",
        ),
        pytest.param(
            1,
            "",
            "Error response from daemon: No such container: ray\n",
            RayGpuView(error="exit status 1, Error response from daemon: No such container: ray"),
            id="no-container",
        ),
        pytest.param(124, "", "", RayGpuView(error="exit status 124, no output"), id="hangs"),
        pytest.param(0, "[]\n", "", RayGpuView(error="exit status 0, []"), id="garbage"),
    ],
)
def test_rays_answer_is_read_whatever_it_is(
    rc: int, out: str, err: str, expected: RayGpuView
) -> None:
    assert parse_gpu_view(rc, out, err) == expected
