# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts that plant faults on nodes, and that none of them stays."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

import pytest

from tests.lab import faults, stranger
from tests.lab.faults import Fault, planted
from tests.lab.shell import LabError

SYN = "tcp flags & (syn | ack) == syn"


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The scripts that were run, in their order; ``fail`` fails."""
    seen: list[str] = []

    def run(_lab: str, node: int, script: str) -> str:
        seen.append(f"{node}: {script}")
        if script == "fail":
            raise LabError(script)
        return ""

    monkeypatch.setattr(faults, "in_network", run)
    monkeypatch.setattr(faults, "on_node", run)
    return seen


def test_what_was_planted_last_goes_first(scripts: list[str]) -> None:
    with planted("x", Fault(1, "a", "undo a"), Fault(2, "b", "undo b", inside=True)):
        scripts.append("block")
    assert scripts == ["1: a", "2: b", "block", "2: undo b", "1: undo a"]


def test_faults_go_when_the_block_fails(scripts: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), planted("x", Fault(1, "a", "undo a")):
        raise ZeroDivisionError
    assert scripts == ["1: a", "1: undo a"]


def test_a_fault_that_cannot_be_planted_takes_the_others_back(scripts: list[str]) -> None:
    with (
        pytest.raises(LabError, match="fail"),
        planted("x", Fault(1, "a", "undo a"), Fault(2, "fail", "undo b")),
    ):
        pytest.fail("the block ran")
    assert scripts == ["1: a", "2: fail", "2: undo b", "1: undo a"]


def test_a_fault_that_stays_is_told(scripts: list[str]) -> None:
    with pytest.raises(LabError, match="fail"), planted("x", Fault(1, "a", "fail")):
        pass
    assert scripts == ["1: a", "1: fail"]


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        pytest.param(
            faults.dropped(2, "8076"), f'iifname "eth1" {SYN} tcp dport {{ 8076 }} drop', id="drop"
        ),
        pytest.param(
            faults.dropped(2, "1-9", "udp", "198.19.7.13"),
            'iifname "eth1" ip saddr 198.19.7.13 udp dport { 1-9 } drop',
            id="one-direction-udp",
        ),
        pytest.param(
            faults.rejected(2, "8076", "tcp reset"),
            f'iifname "eth1" {SYN} tcp dport {{ 8076 }} reject with tcp reset',
            id="reset",
        ),
        pytest.param(
            faults.black_hole(2, 1300)[0],
            'iifname "eth1" meta length > 1300 drop',
            id="what-comes-in",
        ),
        pytest.param(
            faults.black_hole(2, 1300)[1],
            'oifname "eth1" meta length > 1300 drop',
            id="what-goes-out",
        ),
    ],
)
def test_rules_hold_one_fault_in_a_table_that_goes_whole(fault: Fault, line: str) -> None:
    table = re.search(r"table (inet \w+)", fault.plant)
    assert table
    assert fault.plant.splitlines()[4].strip() == line
    assert fault.undo == f"nft delete table {table[1]}"


def test_two_faults_of_a_node_have_tables_of_their_own() -> None:
    undone = [faults.dropped(2, ports).undo for ports in ("8076", "8077")]
    assert len(set(undone)) == 2


def test_translation_is_made_where_the_kernel_translates() -> None:
    address, rules = faults.translated(3, "198.19.7.203")
    assert address.undo == "ip address del 198.19.7.203/24 dev eth1"
    assert "type nat hook postrouting priority 100;" in rules.plant


async def talk(port: int) -> bytes:
    """Return what comes back within a moment of a word sent to a port of this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"word")
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


@contextlib.asynccontextmanager
async def serving(handler: object) -> AsyncIterator[int]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)  # type: ignore[arg-type]
    async with server:
        yield server.sockets[0].getsockname()[1]


def test_the_stranger_takes_connections_and_says_nothing() -> None:
    async def main() -> bytes:
        async with serving(stranger.swallow) as port:
            return await talk(port)

    assert asyncio.run(main()) == b""


def test_the_faithful_stranger_passes_on_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())
        writer.close()

    async def main() -> bytes:
        async with serving(shout) as far, serving(stranger.pass_on) as port:
            monkeypatch.setattr(stranger, "original_destination", lambda _: ("127.0.0.1", far))
            return await talk(port)

    assert asyncio.run(main()) == b"WORD"
