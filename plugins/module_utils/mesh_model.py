# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values that the parts of the port mesh exchange: what is listened to, tried and seen.

Values only. Lists of ports are texts as the kernel writes them (``8076-8077,10002-20000``; see
port_list), so that ten thousand ports travel as one word.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Optional

PROTOCOLS = ("tcp", "udp")


class Verdict(str, enum.Enum):
    """What became of one port between two nodes."""

    #: Our listener has the connection, as it says itself under the nonce of this run.
    OPEN = "open"
    #: The service that was there before has the connection, as the node's kernel says.
    SERVICE = "service"
    #: Something took it, and nobody on the node could be asked who: UDP of a service, or no way to
    #: any listener of ours.
    UNPROVEN = "unproven"
    #: A reset, or ICMP port unreachable. Something listens there, so this is a firewall's doing.
    REFUSED = "refused"
    #: Nothing came back.
    FILTERED = "filtered"
    #: ICMP: net or host unreachable, or the source has no route.
    UNREACHABLE = "unreachable"
    #: ICMP: administratively prohibited.
    PROHIBITED = "prohibited"
    #: A connection was made, and the node that should have it does not have it.
    WRONG_ANSWERER = "wrong-answerer"
    #: It arrived from another address than it was sent from.
    TRANSLATED = "translated"
    #: It was not tried: nobody could listen there.
    UNTESTED = "untested"


#: Verdicts that are no fault of the path.
GOOD = frozenset({Verdict.OPEN, Verdict.SERVICE, Verdict.UNPROVEN, Verdict.UNTESTED})


@dataclass(frozen=True)
class Listener:
    """Ports of one service on one node, and who must reach them there.

    ``ports`` is all of them, ``tested`` those that are tried (the same unless sampled). ``sources``
    are names of hosts, or ``control node``.
    """

    host: str
    address: str
    protocol: str
    ports: str
    tested: str
    service: str
    profile: str
    sources: tuple[str, ...]

    def to_plain(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "sources": list(self.sources)}


def listener_from_plain(values: Mapping[str, Any]) -> Listener:
    """Return the Listener that ``to_plain`` made ``values`` from."""
    texts = ("host", "address", "protocol", "ports", "tested", "service", "profile")
    return Listener(
        **{name: str(values[name]) for name in texts},
        sources=tuple(str(each) for each in values["sources"]),
    )


@dataclass(frozen=True)
class Heard:
    """How one protocol's ports of a node stand while the mesh is up."""

    #: Ports with a listener of ours.
    ours: str = ""
    #: Ports where a service listened before, reachable at the node address.
    served: str = ""
    #: Ports where nobody could listen, with the reason of each list.
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ListenReport:
    """What a node answers when it was told to listen. ``problem`` is set when nothing listens."""

    address: str
    tcp: Heard = Heard()
    udp: Heard = Heard()
    seconds: int = 0
    problem: str = ""

    def to_plain(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def listen_report_from_plain(values: Mapping[str, Any]) -> ListenReport:
    """Return the ListenReport that ``to_plain`` made ``values`` from."""
    return ListenReport(
        address=str(values["address"]),
        tcp=_heard(values.get("tcp") or {}),
        udp=_heard(values.get("udp") or {}),
        seconds=int(values.get("seconds") or 0),
        problem=str(values.get("problem") or ""),
    )


def _heard(values: Mapping[str, Any]) -> Heard:
    return Heard(
        ours=str(values.get("ours") or ""),
        served=str(values.get("served") or ""),
        missing={str(spans): str(why) for spans, why in (values.get("missing") or {}).items()},
    )


@dataclass(frozen=True)
class Target:
    """What a node tries on another one: ports of our listeners and of services, by protocol."""

    host: str
    address: str
    tcp: str = ""
    tcp_served: str = ""
    udp: str = ""
    udp_served: str = ""

    def to_plain(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def target_from_plain(values: Mapping[str, Any]) -> Target:
    """Return the Target that ``to_plain`` made ``values`` from."""
    return Target(**{name: str(values.get(name) or "") for name in Target.__dataclass_fields__})


@dataclass(frozen=True)
class PathMtu:
    """What large packets did between two nodes; None is not known.

    ``expected`` is the MTU of the source's interface, ``sent`` and ``received`` the largest packet
    in bytes (IP header included) that arrived in each direction. ``stalled``: a packet of the full
    size was lost without a word, so that the figures were found by trying smaller ones.
    """

    expected: Optional[int] = None
    sent: Optional[int] = None
    received: Optional[int] = None
    stalled: bool = False


@dataclass(frozen=True)
class PairResult:
    """What a node saw of another one: for each verdict the ports that it holds for."""

    destination: str
    address: str
    tcp: Mapping[str, str] = field(default_factory=dict)
    udp: Mapping[str, str] = field(default_factory=dict)
    #: Round-trip time in milliseconds.
    rtt_ms: Optional[float] = None
    #: The address that the other node sees this one at.
    seen_as: str = ""
    mtu: PathMtu = PathMtu()
    #: Mbit/s in each direction, when that was asked for.
    mbit_sent: Optional[float] = None
    mbit_received: Optional[float] = None

    def to_plain(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class ProbeReport:
    """What a node saw of all others. ``cost`` says what the measurement took (see port_mesh)."""

    source: str
    address: str
    pairs: tuple[PairResult, ...] = ()
    cost: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""

    def to_plain(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "pairs": [pair.to_plain() for pair in self.pairs]}


def probe_report_from_plain(values: Mapping[str, Any]) -> ProbeReport:
    """Return the ProbeReport that ``to_plain`` made ``values`` from."""
    return ProbeReport(
        source=str(values["source"]),
        address=str(values["address"]),
        pairs=tuple(_pair(each) for each in values.get("pairs") or ()),
        cost=dict(values.get("cost") or {}),
        problem=str(values.get("problem") or ""),
    )


def _pair(values: Mapping[str, Any]) -> PairResult:
    spans = {
        name: {str(verdict): str(ports) for verdict, ports in (values.get(name) or {}).items()}
        for name in PROTOCOLS
    }
    return PairResult(
        destination=str(values["destination"]),
        address=str(values["address"]),
        tcp=spans["tcp"],
        udp=spans["udp"],
        rtt_ms=values.get("rtt_ms"),
        seen_as=str(values.get("seen_as") or ""),
        mtu=PathMtu(**(values.get("mtu") or {})),
        mbit_sent=values.get("mbit_sent"),
        mbit_received=values.get("mbit_received"),
    )
