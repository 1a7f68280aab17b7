"""Claims about the range of ports of Ray's workers on a host."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.filter.ray_worker_ports import (
    FilterModule,
    ray_worker_ports,
)


@pytest.mark.parametrize(
    ("groups", "variables", "first", "last"),
    [
        pytest.param(["ray_worker"], {}, 10002, 20000, id="ray-alone"),
        pytest.param(["k3s_agent", "gpu"], {}, 10002, 20000, id="k3s-alone"),
        pytest.param(["ray_worker", "k3s_agent"], {}, 10300, 20000, id="workers-of-both"),
        pytest.param(["ray_head", "k3s_server"], {}, 10300, 20000, id="head-and-server"),
        pytest.param(
            ["ray_head", "k3s_agent"],
            {"ray_min_worker_port": 12000, "ray_max_worker_port": "13000"},
            12000,
            "13000",
            id="the-owners",
        ),
        pytest.param(
            ["ray_head", "k3s_agent"], {"ray_min_worker_port": None}, 10300, 20000, id="not-set"
        ),
    ],
)
def test_workers_keep_off_the_ports_of_k3s(
    groups: list[str], variables: dict[str, object], first: object, last: object
) -> None:
    assert ray_worker_ports(variables, groups) == {
        "ray_min_worker_port": first,
        "ray_max_worker_port": last,
    }


def test_the_filter_is_loaded_under_its_name() -> None:
    assert FilterModule().filters() == {"ray_worker_ports": ray_worker_ports}
