"""Claims about which ports are tried, and when; nobody is connected to, and no time passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import mesh_tcp
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_budget import Tracking
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_connect import (
    Attempts,
    Connector,
    RawSocket,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    Target,
    Verdict,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_port_text import compress
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_rows import Destination
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_talk import Place, Talk
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_tcp import (
    Item,
    TcpProbe,
    pack_pairs,
    proven,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_wire import (
    Ends,
    Held,
    Kind,
    Message,
)

SOURCE, NODE, OTHER = "10.0.0.1", "10.0.0.2", "10.0.0.3"
NEVER = 1e9


class Clock:
    """A clock that stands still until somebody waits; it remembers for how long."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, _read: Any, _write: Any, _errors: Any, seconds: float) -> None:
        """Stand in for a select that waits for nothing."""
        self.waits.append(seconds)
        self.now += seconds


class HeldSocket:
    """A connection that was made."""

    def getsockname(self) -> tuple[str, int]:
        """Return the own end."""
        return SOURCE, 40000

    def close(self) -> None:
        """Reset it."""


class FakeConnector:
    """Makes the connections to places that answer, and remembers what it was asked for."""

    def __init__(self, answers: Mapping[str, object], clock: Clock, seconds: float) -> None:
        self._answers = answers
        self._clock = clock
        self._seconds = seconds
        self.turns: list[list[int]] = []

    def connect(self, places: Sequence[Place], _patience: float) -> Attempts:
        """Return what became of the places."""
        self._clock.now += self._seconds
        self.turns.append([place.port for place in places])
        attempts = Attempts([None] * len(places), [None] * len(places))
        for index, place in enumerate(places):
            answer = self._answers.get(place.address)
            if answer == "made":
                attempts.sockets[index] = cast(RawSocket, HeldSocket())
            elif answer == "no file":
                attempts.untried.add(index)
            elif isinstance(answer, Verdict):
                attempts.failed[index] = answer
        return attempts


class Bench:
    """A probe of one node whose ways are made up."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        answers: Mapping[str, object],
        room: int | None = None,
        window: int = 256,
        seconds: float = 0.0,
    ) -> None:
        self.clock = Clock()
        self.connector = FakeConnector(answers, self.clock, seconds)
        tracking = Tracking(room, self.clock)
        self.probe = TcpProbe(b"", SOURCE, cast(Connector, self.connector), tracking, window)
        monkeypatch.setattr(mesh_tcp, "time", SimpleNamespace(monotonic=self.clock))
        monkeypatch.setattr(mesh_tcp, "select", SimpleNamespace(select=self.clock.wait))
        monkeypatch.setattr(mesh_tcp, "open_talks", self._open)
        monkeypatch.setattr(mesh_tcp, "converse", self._answer)
        monkeypatch.setattr(mesh_tcp, "is_asked_for", lambda _address: False)

    @staticmethod
    def _open(_key: bytes, places: Mapping[Place, Place], *_: Any, **__: Any) -> dict[Place, Talk]:
        """Return talks with agents that have everything."""
        ends = Ends((SOURCE, 40000), (NODE, 7000))
        return {
            each: cast(Talk, SimpleNamespace(ends=ends, problem="", close=lambda: None))
            for each in places
        }

    @staticmethod
    def _answer(questions: Mapping[int, Any], _seconds: float) -> dict[int, Message]:
        """Say of each connection that the node's kernel has it."""
        return {
            place: Message(Kind.WITNESS, bytes([Held.HERE]) * ((len(payload) - 4) // 4))
            for place, (_talk, _kind, payload) in questions.items()
        }

    def run(self, *destinations: Destination, deadline: float = NEVER) -> None:
        """Try everything."""
        self.probe.run(destinations, deadline)


def node(tcp: str, address: str = NODE, name: str = "n2") -> Destination:
    """Return a destination of which nothing is known."""
    return Destination(Target(name, address, tcp=tcp))


def seen(to: Destination) -> dict[Verdict, str]:
    """Return the ports of each verdict."""
    return {
        verdict: compress(port for port, each in to.verdicts.items() if each is verdict)
        for verdict in dict.fromkeys(to.verdicts.values())
    }


def test_pairs_travel_as_two_words_in_network_order() -> None:
    assert pack_pairs([(7000, 40000), (1, 2)]) == b"\x1b\x58\x9c\x40\x00\x01\x00\x02"


def test_without_connection_tracking_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, to = Bench(monkeypatch, {NODE: "made"}), node("10000-10999")
    bench.run(to)
    assert seen(to) == {Verdict.OPEN: "10000-10999"}
    assert [len(turn) for turn in bench.connector.turns] == [256, 256, 256, 232]
    assert (bench.clock.waits, bench.probe.notes) == ([], [])


def test_connections_that_were_reset_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, to = Bench(monkeypatch, {NODE: "made"}, room=300), node("10000-10767")
    bench.run(to)
    assert bench.clock.waits == [10.0, 10.0]
    assert seen(to) == {Verdict.OPEN: "10000-10767"}
    assert [len(turn) for turn in bench.connector.turns] == [256, 256, 256]
    assert bench.probe.notes == []


def test_no_more_is_tried_at_once_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, to = Bench(monkeypatch, {NODE: "made"}, room=600, window=1024), node("10000-10999")
    bench.run(to)
    assert [len(turn) for turn in bench.connector.turns] == [600, 400]
    assert seen(to) == {Verdict.OPEN: "10000-10999"}


def test_of_a_silent_node_64_ports_stand_for_what_there_is_no_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench, to = Bench(monkeypatch, {}, room=300), node("10000-12559")
    bench.run(to)
    first, stand_ins = bench.connector.turns[:2]
    assert first == list(range(10000, 10256))
    assert (len(stand_ins), stand_ins[0], stand_ins[-1]) == (64, 10256, 12559)
    verdicts = {port: to.verdicts[port] for port in range(10000, 12560)}
    assert {port for port, each in verdicts.items() if each is Verdict.FILTERED} == {
        *first,
        *stand_ins,
    }
    assert set(verdicts.values()) == {Verdict.FILTERED, Verdict.UNTESTED}


def test_what_there_was_no_room_for_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, to = Bench(monkeypatch, {}, room=300), node("10000-12559")
    bench.run(to)
    (note,) = bench.probe.notes
    assert note.startswith("n2 tcp 10257-10291,10293-10328,")
    assert note.endswith("-12558 not tried: connection tracking is full")


def test_a_node_that_answers_is_tried_in_full_beside_a_silent_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch, {OTHER: "made"}, room=300)
    silent, sound = node("10000-12559"), node("10000-10999", OTHER, "n3")
    bench.run(silent, sound)
    assert seen(sound) == {Verdict.OPEN: "10000-10999"}
    assert [note.partition(" ")[0] for note in bench.probe.notes] == ["n2"]


def test_nothing_is_tried_after_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, to = Bench(monkeypatch, {NODE: "made"}), node("10000-10009,10020")
    bench.run(to, deadline=bench.clock.now)
    assert seen(to) == {Verdict.UNTESTED: "10000-10009,10020"}
    assert bench.probe.notes == ["n2 tcp 10000-10009,10020 not tried: the time was over"]
    assert bench.connector.turns == []


def test_what_was_tried_before_the_deadline_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, {NODE: "made", OTHER: "made"}, seconds=5.0)
    here, there = node("10000-10299"), node("10000-10019", OTHER, "n3")
    bench.run(here, there, deadline=bench.clock.now + 5.0)
    assert seen(here) == {Verdict.OPEN: "10000-10255", Verdict.UNTESTED: "10256-10299"}
    assert seen(there) == {Verdict.UNTESTED: "10000-10019"}
    assert bench.probe.notes == [
        "n2 tcp 10256-10299 not tried: the time was over",
        "n3 tcp 10000-10019 not tried: the time was over",
    ]


def test_silent_ports_are_not_looked_at_again_after_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench, to = Bench(monkeypatch, {}, seconds=5.0), node("10000-10009")
    bench.run(to, deadline=bench.clock.now + 5.0)
    assert seen(to) == {Verdict.FILTERED: "10000-10009"}
    assert len(bench.connector.turns) == 1


def test_a_port_that_this_node_had_no_file_for_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, to = Bench(monkeypatch, {NODE: "no file"}), node("10000-10009")
    bench.run(to)
    assert seen(to) == {Verdict.UNTESTED: "10000-10009"}
    assert bench.probe.notes == [
        "n2 tcp 10000-10009 not tried: this node has no free port or file for it"
    ]


def test_what_came_back_at_once_is_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, to = Bench(monkeypatch, {NODE: Verdict.PROHIBITED}), node("10000-10009")
    bench.run(to)
    assert seen(to) == {Verdict.PROHIBITED: "10000-10009"}


def test_the_cost_of_processes_that_worked_at_once_is_added(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench, to = Bench(monkeypatch, {NODE: "made"}, seconds=2.0), node("10000-10009")
    bench.run(to)
    bench.probe.add_cost(
        {
            "connections": 5,
            "most_held": 4,
            "seconds": {"connect": 1.0, "meet": 3.0},
            "notes": ["n3 tcp 10000 not tried: the time was over"],
        }
    )
    assert bench.probe.cost() == {
        "connections": 15,
        "most_held": 14,
        "seconds": {"connect": 2.0, "prove": 0.0, "close": 0.0, "meet": 3.0},
        "notes": ["n3 tcp 10000 not tried: the time was over"],
    }


def item(
    peer: str = "", served: bool = False, is_stranger: bool = False, is_gone: bool = False
) -> Item:
    """Return a port of a node that sees us at ``peer``; without one there is no talk."""
    ends = Ends((peer, 40000), (NODE, 7000)) if peer else None
    return Item(
        Destination(
            Target("n2", NODE, tcp="7000"),
            served=frozenset({7000} if served else ()),
            talk=cast(Talk, SimpleNamespace(ends=ends)) if peer else None,
            is_stranger=is_stranger,
            is_gone=is_gone,
        ),
        7000,
    )


@pytest.mark.parametrize(
    ("port", "held", "expected"),
    [
        pytest.param(item(SOURCE), Held.HERE, Verdict.OPEN, id="ours-has-it"),
        pytest.param(item(SOURCE, served=True), Held.HERE, Verdict.SERVICE, id="a-service-has-it"),
        pytest.param(item(SOURCE), Held.HANDED_ON, Verdict.SERVICE, id="a-container-has-it"),
        pytest.param(item(SOURCE), Held.NOWHERE, Verdict.WRONG_ANSWERER, id="nobody-there-has-it"),
        pytest.param(
            item("10.0.0.99"), Held.TRANSLATED, Verdict.TRANSLATED, id="from-another-address"
        ),
        pytest.param(
            item(NODE), Held.TRANSLATED, Verdict.WRONG_ANSWERER, id="from-the-node's-own-address"
        ),
        pytest.param(item(SOURCE, served=True), Held.NOWHERE, Verdict.UNPROVEN, id="of-a-service"),
        pytest.param(item(SOURCE), None, Verdict.UNPROVEN, id="the-agent-said-nothing"),
        pytest.param(item(is_stranger=True), None, Verdict.WRONG_ANSWERER, id="no-agent-there"),
        pytest.param(
            item(is_stranger=True, is_gone=True), None, Verdict.REFUSED, id="the-agent-has-gone"
        ),
        pytest.param(
            item(served=True, is_stranger=True), None, Verdict.UNPROVEN, id="nobody-to-ask"
        ),
    ],
)
def test_what_the_node_says_of_a_connection_decides(
    port: Item, held: Held | None, expected: Verdict
) -> None:
    assert proven(port, held) is expected


def test_what_was_not_tried_is_no_cause_of_the_silence_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench, to = Bench(monkeypatch, {}, room=300), node("10000-10599")
    bench.run(to)
    tried = {port for turn in bench.connector.turns for port in turn}
    assert len(tried) == 320
    assert {to.verdicts[port] for port in tried} == {Verdict.FILTERED}
