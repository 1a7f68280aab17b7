"""Claims about the search for the largest packet that passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import mesh_mtu
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_mtu import (
    Way,
    between,
    interface_mtu,
    search,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_talk import Place

WAY = Way(Place("10.0.0.2", 7000), is_back=False)


@pytest.mark.parametrize("limit", [576, 1280, 1377, 1400, 1458, 8999])
def test_the_largest_packet_is_found_to_eight_bytes(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def path(
        _key: bytes, _source: str, wishes: Mapping[Way, Sequence[int]]
    ) -> dict[tuple[Way, int], Optional[int]]:
        return {(way, n): n if n <= limit else None for way, all_ in wishes.items() for n in all_}

    monkeypatch.setattr(mesh_mtu, "try_sizes", path)
    found = search(b"", "10.0.0.1", [WAY], 9000)[WAY]
    assert found is not None
    assert limit - 8 <= found <= limit


def test_where_nothing_passes_there_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        mesh_mtu, "try_sizes", lambda _k, _s, w: {(way, n): None for way in w for n in w[way]}
    )
    assert search(b"", "10.0.0.1", [WAY], 1500) == {WAY: None}


def test_sizes_between_cut_the_rest_into_parts() -> None:
    assert between(1400, 1450) == [1406, 1412, 1418, 1424, 1430, 1436, 1442, 1448]


def test_the_loopback_interface_has_an_mtu() -> None:
    assert (interface_mtu("127.0.0.1") or 0) >= 1500
    assert interface_mtu("192.0.2.1") is None
