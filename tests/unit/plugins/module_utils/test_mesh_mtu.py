"""Claims about the search for the largest packet that passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import mesh_mtu
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import PathMtu
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_mtu import (
    Way,
    between,
    interface_mtu,
    measure,
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


Answer = dict[tuple[Way, int], Optional[int]]
Passes = dict[tuple[str, bool], list[Optional[int]]]


class Path:
    """The ways to some places and back; of each the packets that pass, try by try."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        passes: Passes,
    ) -> None:
        self._passes = {way: list(sizes) for way, sizes in passes.items()}
        self.tries: list[list[tuple[str, bool]]] = []
        self.searched: list[tuple[str, bool]] = []
        monkeypatch.setattr(mesh_mtu, "interface_mtu", lambda _address: 1500)
        monkeypatch.setattr(mesh_mtu, "try_sizes", self._try)
        monkeypatch.setattr(mesh_mtu, "search", self._search)

    def _try(self, _key: bytes, _source: str, wishes: Mapping[Way, Sequence[int]]) -> Answer:
        self.tries.append([(way.place.address, way.is_back) for way in wishes])
        return {(way, 0): self._passes[way.place.address, way.is_back].pop(0) for way in wishes}

    def _search(
        self, _key: bytes, _source: str, ways: Sequence[Way], top: int
    ) -> dict[Way, Optional[int]]:
        assert top == 1500
        self.searched += [(way.place.address, way.is_back) for way in ways]
        return dict.fromkeys(ways, 1396)

    def measured(self, *addresses: str) -> list[PathMtu]:
        """Return what came of the places."""
        places = {number: Place(each, 7000) for number, each in enumerate(addresses)}
        found = measure(b"", "10.0.0.1", places)
        return [found[number] for number in places]


def test_full_packets_that_pass_are_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(monkeypatch, {("n2", False): [1500], ("n2", True): [1500]})
    assert path.measured("n2") == [PathMtu(1500, 1500, 1500, stalled=False)]
    assert (path.tries, path.searched) == ([[("n2", False), ("n2", True)]], [])


@pytest.mark.parametrize(
    "is_back", [pytest.param(False, id="there"), pytest.param(True, id="back")]
)
def test_a_full_packet_that_arrives_at_the_second_try_is_no_black_hole(
    monkeypatch: pytest.MonkeyPatch, is_back: bool
) -> None:
    passes: Passes = {("n2", is_back): [None, 1500], ("n2", not is_back): [1500]}
    path = Path(monkeypatch, passes)
    assert path.measured("n2") == [PathMtu(1500, 1500, 1500, stalled=False)]
    assert path.tries[1:] == [[("n2", is_back)]]
    assert path.searched == []


def test_a_full_packet_that_is_lost_twice_is_a_black_hole_whose_size_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = Path(monkeypatch, {("n2", False): [None, None], ("n2", True): [1500]})
    assert path.measured("n2") == [PathMtu(1500, 1396, 1500, stalled=True)]
    assert path.searched == [("n2", False)]


def test_of_many_black_holes_the_size_of_three_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["n2", "n3", "n4", "n5", "n6"]
    passes: Passes = {(name, back): [None, None] for name in names for back in (False, True)}
    path = Path(monkeypatch, passes)
    sized, unsized = PathMtu(1500, 1396, 1396, True), PathMtu(1500, None, None, True)
    assert path.measured(*names) == [sized, sized, sized, unsized, unsized]
