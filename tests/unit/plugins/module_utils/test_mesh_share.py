"""Claims about sharing a probe among processes, with real agents on loopback."""

from __future__ import annotations

import os

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    Target,
    Verdict,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_rows import Destination
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_share import (
    divide,
    run_shared,
    workers_for,
)


class Probe:
    """Stands for TcpProbe: finds every port open, and counts."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.met = 0

    def run(self, destinations: list[Destination], _deadline: float) -> None:
        for to in destinations:
            to.verdicts.update(dict.fromkeys(to.ports, Verdict.OPEN))
            self.seen += to.ports

    def meet(self, destinations: list[Destination]) -> None:
        self.met = len(destinations)

    def cost(self) -> dict[str, int]:
        return {"tried": len(self.seen)}

    def add_cost(self, other: dict[str, int]) -> None:
        self.seen += [0] * other["tried"]


class Dying(Probe):
    """Ends at once where it is not the process that asked."""

    asker = os.getpid()

    def run(self, destinations: list[Destination], deadline: float) -> None:
        if os.getpid() != self.asker:
            os._exit(1)
        super().run(destinations, deadline)


def two() -> list[Destination]:
    return [
        Destination(Target("a", "10.0.0.1", tcp="80,1000-1999"), frozenset({22})),
        Destination(Target("b", "10.0.0.2", tcp="7000-7003")),
    ]


def test_each_port_is_in_one_share_and_services_are_in_the_first() -> None:
    shares = divide(two(), 3)
    by_node = [sorted(port for share in shares for port in share[each].ports) for each in (0, 1)]
    assert by_node == [[22, 80, *range(1000, 2000)], [7000, 7001, 7002, 7003]]
    assert [22 in share[0].ports for share in shares] == [True, False, False]


def test_a_share_is_a_whole_stretch() -> None:
    (first, second) = divide([Destination(Target("a", "10.0.0.1", tcp="1-100"))], 2)
    assert (first[0].ports, second[0].ports) == ([*range(1, 51)], [*range(51, 101)])


@pytest.mark.parametrize("probe", [Probe, Dying], ids=["answering", "dying"])
def test_every_port_is_judged_also_when_a_process_dies(
    probe: type[Probe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dying, "asker", os.getpid())
    destinations = two()
    done = run_shared(probe, destinations, 0.0, 3)  # type: ignore[arg-type]
    assert [set(to.verdicts) for to in destinations] == [
        {22, 80, *range(1000, 2000)},
        {7000, 7001, 7002, 7003},
    ]
    assert (len(done.seen), done.met) == (1006, 2)  # type: ignore[attr-defined]


def test_a_small_probe_stays_in_one_process() -> None:
    assert workers_for(two()) == 1
