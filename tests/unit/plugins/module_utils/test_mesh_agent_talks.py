"""Claims about whom the agent keeps, with real connections and a clock that tests turn."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import mesh_agent
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_agent import (
    SILENT_SECONDS,
    STRANGER_SECONDS,
    Agent,
    Talk,
    read_held,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_listen import Listeners
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import ListenReport
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_wire import (
    FRAME_BYTES,
    WELCOME_BYTES,
    Channel,
    Ends,
    Kind,
    Message,
    make_hello,
    read_welcome,
)

from tests.unit.plugins.module_utils.mesh_nodes import KEY, new_address

NONCE = bytes(16)
DEADLINE = 1e6
#: Seconds that a test waits for what must come; on a good day it takes none.
PATIENCE = 30
Step = Callable[[], bool]


class Prober:
    """The other end of a talk."""

    def __init__(self, listener: socket.socket) -> None:
        self.sock = socket.create_connection(listener.getsockname(), PATIENCE)
        self.channel: Channel | None = None

    def hello(self) -> None:
        """Say that the secret is known."""
        self.sock.sendall(make_hello(KEY, NONCE))

    def welcomed(self) -> None:
        """Take the agent's answer to the hello."""
        nonce, _ends = read_welcome(KEY, NONCE, self._receive(WELCOME_BYTES))
        self.channel = Channel(KEY, NONCE, nonce, is_agent=False)

    def ask(self) -> None:
        """Ask something that has an empty answer."""
        assert self.channel is not None
        self.sock.sendall(self.channel.pack(Kind.LARGE, b""))

    def answered(self) -> Kind:
        """Return what the answer is about."""
        assert self.channel is not None
        answer = self.channel.take(bytearray(self._receive(FRAME_BYTES)))
        assert answer is not None
        return answer.kind

    @property
    def is_kept(self) -> bool:
        """Return whether the agent has not closed the connection."""
        readable, _, _ = select.select([self.sock], [], [], 0)
        if not readable:
            return True
        try:
            return self.sock.recv(1, socket.MSG_PEEK) != b""
        except ConnectionResetError:
            return False

    def _receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.sock.recv(size - len(data))
            assert part
            data += part
        return data


class Stage:
    """An agent in this process: between two of its turns, the next step of a test is done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, listener: socket.socket) -> None:
        self.now = 0.0
        self.listener = listener
        self.probers: list[Prober] = []
        self._steps: Iterator[Step] = iter(())
        self._epoll = select.epoll()
        fake = SimpleNamespace(epoll=lambda: self, EPOLLIN=select.EPOLLIN, EPOLLOUT=select.EPOLLOUT)
        monkeypatch.setattr(mesh_agent, "select", fake)
        monkeypatch.setattr(mesh_agent, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.register = self._epoll.register
        self.unregister = self._epoll.unregister
        self.modify = self._epoll.modify

    def poll(self, _seconds: float, most: int) -> list[tuple[int, int]]:
        """Do the next step; return what came of it, or end the agent after the last."""
        step = next(self._steps, None)
        if step is None:
            self.now = DEADLINE
            return []
        if not step():
            return []
        events = self._epoll.poll(PATIENCE, most)
        assert events
        return events

    def run(self, *steps: Step) -> None:
        """Let the agent serve through all steps."""
        self._steps = iter(steps)
        listeners = Listeners(ListenReport("127.0.0.1"), {0: self.listener}, {})
        with closing(self._epoll):
            Agent(KEY, listeners, DEADLINE).run()

    def comes(self, at: float) -> Step:
        """Have somebody connect."""

        def step() -> bool:
            self.now = at
            self.probers.append(Prober(self.listener))
            return True

        return step

    def greets(self, number: int) -> Step:
        """Have somebody say hello."""

        def step() -> bool:
            self.probers[number].hello()
            return True

        return step

    def asks(self, number: int) -> Step:
        """Have somebody take the welcome, and ask something."""

        def step() -> bool:
            self.probers[number].welcomed()
            self.probers[number].ask()
            return True

        return step

    def turns(self, to: float) -> Step:
        """Turn the clock; the agent looks at its talks after it."""

        def step() -> bool:
            self.now = to
            return False

        return step

    def notes(self, into: list[list[bool]], gone: int | None = None) -> Step:
        """Note who is kept, as soon as ``gone`` has been told that it is not."""

        def step() -> bool:
            if gone is not None:
                select.select([self.probers[gone].sock], [], [], PATIENCE)
            into.append([each.is_kept for each in self.probers])
            return False

        return step


@contextmanager
def listening() -> Iterator[socket.socket]:
    """Return a listener as the agent has them."""
    with socket.socket() as listener:
        listener.bind((new_address(), 0))
        listener.listen(64)
        listener.setblocking(False)
        yield listener


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Return an agent that a test leads through its steps."""
    with listening() as listener:
        made = Stage(monkeypatch, listener)
        yield made
        for each in made.probers:
            each.sock.close()


def test_who_says_nothing_is_dropped_after_a_second(stage: Stage) -> None:
    kept: list[list[bool]] = []
    stage.run(
        stage.comes(at=0.0),
        stage.turns(to=STRANGER_SECONDS),
        stage.notes(kept),
        stage.turns(to=STRANGER_SECONDS + 0.1),
        stage.notes(kept, gone=0),
    )
    assert kept == [[True], [False]]


def test_who_says_hello_and_nothing_more_is_dropped_later(stage: Stage) -> None:
    kept: list[list[bool]] = []

    def takes_the_welcome() -> bool:
        stage.probers[0].welcomed()
        return False

    stage.run(
        stage.comes(at=0.0),
        stage.greets(0),
        takes_the_welcome,
        stage.turns(to=SILENT_SECONDS),
        stage.notes(kept),
        stage.turns(to=SILENT_SECONDS + 0.1),
        stage.notes(kept, gone=0),
    )
    assert kept == [[True], [False]]


def test_who_asked_once_may_ask_again_at_any_time(stage: Stage) -> None:
    answers: list[Kind] = []

    def hears() -> bool:
        answers.append(stage.probers[0].answered())
        return False

    def asks_again() -> bool:
        stage.probers[0].ask()
        return True

    stage.run(
        stage.comes(at=0.0),
        stage.greets(0),
        stage.asks(0),
        hears,
        stage.turns(to=100 * SILENT_SECONDS),
        asks_again,
        hears,
    )
    assert answers == [Kind.LARGE, Kind.LARGE]


def test_beyond_the_most_the_oldest_that_proved_nothing_goes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mesh_agent, "MOST_TALKS", 3)
    kept: list[list[bool]] = []
    stage.run(
        stage.comes(at=0.0),
        stage.greets(0),
        stage.asks(0),
        stage.comes(at=0.1),
        stage.comes(at=0.2),
        stage.notes(kept),
        stage.comes(at=0.3),
        stage.notes(kept, gone=1),
    )
    assert kept == [[True, True, True], [True, False, True, True]]


def test_beyond_the_most_the_oldest_goes_when_all_have_proven_something(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mesh_agent, "MOST_TALKS", 2)
    kept: list[list[bool]] = []

    def hears_all() -> bool:
        for each in stage.probers:
            each.answered()
        return False

    stage.run(
        *(stage.comes(at=0.0), stage.greets(0), stage.asks(0)),
        *(stage.comes(at=0.1), stage.greets(1), stage.asks(1)),
        hears_all,
        stage.comes(at=0.2),
        stage.notes(kept, gone=0),
    )
    assert kept == [[False, True, True]]


def test_the_unproven_are_worth_less_than_the_proven_and_the_older_less_than_the_newer() -> None:
    ends = Ends(("10.0.0.1", 40000), ("10.0.0.2", 7000))
    nobody = cast(socket.socket, None)
    talks = {
        "proven, new": Talk(nobody, 9.0, ends, is_proven=True),
        "unproven, new": Talk(nobody, 8.0, ends),
        "proven, old": Talk(nobody, 1.0, ends, is_proven=True),
        "unproven, old": Talk(nobody, 2.0, ends),
    }
    assert sorted(talks, key=lambda name: talks[name].worth) == [
        "unproven, old",
        "unproven, new",
        "proven, old",
        "proven, new",
    ]


ASKER, SEEN = b"\x0a\0\0\1", b"\x0a\0\0\x63"
ONE, TWO = b"\x1b\x58\x9c\x40", b"\x1b\x59\x9c\x41"
Table = Mapping[bytes, set[bytes]]


class Kernel:
    """The tables of a kernel, and which of them were read, for whom."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **tables: Table) -> None:
        self.read: list[str] = []
        self.peers: list[set[bytes]] = []
        self.tables = tables
        monkeypatch.setattr(mesh_agent, "read_connections", self._connections)
        monkeypatch.setattr(mesh_agent, "read_handed_on", self._handed_on)

    def _connections(self, peers: set[bytes], family: int = socket.AF_INET) -> Any:
        name = "ipv4" if family == socket.AF_INET else "ipv6"
        self.read.append(name)
        self.peers.append(set(peers))
        return self._table(name)

    def _handed_on(self, address: str) -> Any:
        self.read.append(f"handed on to {address}")
        return self._table("onward")

    def _table(self, name: str) -> dict[bytes, set[bytes]]:
        return {peer: set(pairs) for peer, pairs in self.tables.get(name, {}).items()}


def question(*pairs: bytes, seen_from: str = "10.0.0.1") -> tuple[Ends, Message]:
    """Return a question after pairs of the asker's."""
    ends = Ends((seen_from, 40000), ("10.0.0.2", 7000))
    return ends, Message(Kind.WITNESS, ASKER + b"".join(pairs))


def test_one_table_is_enough_when_it_has_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, ipv4={ASKER: {ONE, TWO}})
    assert read_held([question(ONE), question(TWO)]) == ({ASKER: {ONE, TWO}}, {})
    assert kernel.read == ["ipv4"]


def test_services_with_ipv6_are_looked_for_when_something_is_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = Kernel(monkeypatch, ipv4={ASKER: {ONE}}, ipv6={ASKER: {TWO}})
    assert read_held([question(ONE, TWO)]) == ({ASKER: {ONE, TWO}}, {})
    assert kernel.read == ["ipv4", "ipv6"]


def test_connections_of_containers_are_looked_for_when_something_is_missed_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = Kernel(monkeypatch, ipv4={ASKER: {ONE}}, onward={ASKER: {TWO}})
    assert read_held([question(ONE, TWO)]) == ({ASKER: {ONE}}, {ASKER: {TWO}})
    assert kernel.read == ["ipv4", "ipv6", "handed on to 10.0.0.2"]


def test_a_translated_asker_is_looked_for_at_both_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = Kernel(monkeypatch, ipv4={SEEN: {ONE}})
    assert read_held([question(ONE, seen_from="10.0.0.99")]) == ({SEEN: {ONE}}, {})
    assert (kernel.read, kernel.peers) == (["ipv4"], [{ASKER, SEEN}])


def test_no_table_is_read_when_nobody_asks_who_holds_what(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, ipv4={ASKER: {ONE}})
    ends = Ends(("10.0.0.1", 40000), ("10.0.0.2", 7000))
    assert read_held([(ends, Message(Kind.LARGE, bytes(100)))]) == ({}, {})
    assert kernel.read == []
