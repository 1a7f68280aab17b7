"""Claims about the start of the agent that need no process of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import mesh_start
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_listen import (
    Listeners,
    Wish,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_start import (
    PROCESS_NAME,
    agent_runs,
    start_agent,
)

from tests.unit.plugins.module_utils.mesh_nodes import KEY, PORTS, agent, new_address, stranger

MODULE = mesh_start.__name__


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[int], list[int]]]:
    """Return the TCP and UDP ports that an agent in this process came to serve."""
    ports: list[tuple[list[int], list[int]]] = []

    class Watched:
        """An agent that says what it would serve."""

        def __init__(self, _key: bytes, listeners: Listeners, _deadline: float) -> None:
            self._listeners = listeners

        def run(self) -> None:
            """Note the ports, and leave."""
            ports.append((list(self._listeners.tcp), list(self._listeners.udp)))
            self._listeners.close()

    monkeypatch.setattr(mesh_start, "Agent", Watched)
    monkeypatch.setattr(mesh_start, "raise_file_limit", lambda _wanted: 1024)
    return ports


def told(wish: Wish) -> dict[str, Any]:
    """Return what the process that shall listen tells its parent."""
    read_end, write_end = os.pipe()
    mesh_start._serve(KEY, wish, write_end)
    with os.fdopen(read_end, encoding="utf-8") as pipe:
        report: dict[str, Any] = json.load(pipe)
    return report


def test_where_services_have_every_port_the_agent_leaves_at_once(
    served: list[tuple[list[int], list[int]]],
) -> None:
    address = new_address()
    with stranger(address, 23000):
        report = told(Wish(address, "23000", "", 60))
    assert (report["problem"], report["tcp"]["ours"], report["tcp"]["served"]) == ("", "", "23000")
    assert served == []


@pytest.mark.parametrize(
    ("tcp", "udp", "expected"),
    [
        pytest.param("", "", [], id="nothing-to-listen-to"),
        pytest.param("23000", "", [([23000], [])], id="a-tcp-port"),
        pytest.param("", "23000", [([], [23000])], id="only-a-udp-port"),
    ],
)
def test_an_agent_serves_as_long_as_it_has_any_listener(
    served: list[tuple[list[int], list[int]]],
    tcp: str,
    udp: str,
    expected: list[tuple[list[int], list[int]]],
) -> None:
    report = told(Wish(new_address(), tcp, udp, 60))
    assert (report["problem"], served) == ("", expected)


def test_an_address_of_another_node_is_told_and_nothing_is_served(
    served: list[tuple[list[int], list[int]]],
) -> None:
    report = told(Wish("192.0.2.1", "23000", "", 60))
    assert report["problem"] == "cannot listen at 192.0.2.1: Cannot assign requested address"
    assert served == []


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what makes the names of a node's processes."""

    def name_them(*names: bytes) -> None:
        files = [tmp_path / str(number) for number in range(len(names))]
        for file, name in zip(files, names, strict=True):
            file.write_bytes(name)
        gone = str(tmp_path / "ended-meanwhile")
        monkeypatch.setattr(f"{MODULE}.glob.glob", lambda _pattern: [gone, *map(str, files)])

    return name_them


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param([], False, id="none-that-can-be-read"),
        pytest.param([b"systemd\n", b"sshd\n"], False, id="others"),
        pytest.param([b"systemd\n", b"rackforge-mesh\n"], True, id="an-agent"),
        pytest.param([b"rackforge-mesh2\n"], False, id="a-longer-name"),
        pytest.param([b"\xff\xfe\n", b"rackforge-mesh\n"], True, id="beside-a-name-in-no-encoding"),
    ],
)
def test_an_agent_is_known_by_the_name_of_its_process(
    processes: Callable[..., None], names: list[bytes], expected: bool
) -> None:
    processes(*names)
    assert agent_runs() is expected


def test_the_kernel_keeps_the_whole_name() -> None:
    assert len(PROCESS_NAME.encode()) <= 15


def test_a_real_agent_is_found() -> None:
    with agent():
        assert agent_runs() is True


def test_nobody_is_asked_where_no_agent_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def find(_key: bytes, address: str, _tcp: str) -> None:
        asked.append(address)

    monkeypatch.setattr(mesh_start, "find_agent", find)
    monkeypatch.setattr(mesh_start, "agent_runs", lambda: False)
    report = start_agent(KEY, Wish("192.0.2.1", PORTS, "", 60))
    assert report.problem == "cannot listen at 192.0.2.1: Cannot assign requested address"
    assert asked == []
    monkeypatch.setattr(mesh_start, "agent_runs", lambda: True)
    start_agent(KEY, Wish("192.0.2.1", PORTS, "", 60))
    assert asked == ["192.0.2.1"]
