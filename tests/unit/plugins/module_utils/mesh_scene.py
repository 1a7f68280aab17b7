"""A mesh as its nodes would report it, healthy at first, for tests to plant faults in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    mesh_judge_ports as port_sets,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import Finding
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge import judge_mesh
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_nodes import (
    NodeView,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_matrix import (
    Matrix,
    matrix,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    Heard,
    Listener,
    ListenReport,
    PairResult,
    PathMtu,
    ProbeReport,
)

CONTROL = "control node"
WORKERS = "10002-20000"
#: service, protocol, ports, who must reach it ("nodes", "head", "workers" or the control node),
#: and whether only the head has it.
RAY = (
    ("ray-workers", "tcp", WORKERS, "nodes", False),
    ("ray-node-manager", "tcp", "8077", "nodes", False),
    ("ray-object-manager", "tcp", "8076", "nodes", False),
    ("ray-dashboard-agent", "tcp", "52365", "head", False),
    ("ray-metrics", "tcp", "54311", CONTROL, False),
    ("ray-dashboard", "tcp", "8265", CONTROL, True),
    ("ray-gcs", "tcp", "6379", "workers", True),
)
FLANNEL = (("k3s-flannel", "udp", "8472", "nodes", False),)

Tries = dict[tuple[str, str], dict[str, dict[str, str]]]


class Scene:
    """Nodes ``node1`` (the head) to ``nodeN``, what they listen to and what they saw."""

    def __init__(
        self,
        count: int = 3,
        services: tuple[tuple[str, str, str, str, bool], ...] = RAY + FLANNEL,
        control: bool = False,
        tested: Optional[Callable[[str], str]] = None,
    ) -> None:
        self.members = [f"node{number}" for number in range(1, count + 1)]
        self.address = {
            name: f"198.19.1.{number}" for number, name in enumerate(self.members, start=11)
        }
        self.views = {
            name: NodeView(address=address, interface="eth1", network="198.19.1.0/24", firewall="")
            for name, address in self.address.items()
        }
        self.listeners = [
            self._listener(row, host, control, tested or (lambda ports: ports))
            for row in services
            for host in (self.members[:1] if row[4] else self.members)
        ]
        self.tries: Tries = {}
        for each in self.listeners:
            for source in each.sources:
                seen = self.tries.setdefault((source, each.host), {"tcp": {}, "udp": {}})
                mine = seen[each.protocol]
                mine["open"] = port_sets.union([mine.get("open", ""), each.tested])
        self.mtu: dict[tuple[str, str], PathMtu] = {}
        self.seen_as: dict[tuple[str, str], str] = {}
        self.listens = {name: self._heard(name) for name in self.members}
        self.cost: dict[str, dict[str, object]] = {}
        self.without: set[str] = set()
        self.problems: dict[str, str] = {}

    def _listener(
        self,
        row: tuple[str, str, str, str, bool],
        host: str,
        control: bool,
        tested: Callable[[str], str],
    ) -> Listener:
        service, protocol, ports, clients, _head = row
        names = {
            "nodes": self.members,
            "head": self.members[:1],
            "workers": self.members[1:],
            CONTROL: [CONTROL] if control else [],
        }[clients]
        return Listener(
            host=host,
            address=self.address[host],
            protocol=protocol,
            ports=ports,
            tested=tested(ports) if "-" in ports else ports,
            service=service,
            profile="ray",
            sources=tuple(name for name in names if name != host),
        )

    def _heard(self, name: str) -> ListenReport:
        def ports(protocol: str) -> str:
            mine = [each for each in self.listeners if each.host == name and each.sources]
            return port_sets.union(each.tested for each in mine if each.protocol == protocol)

        return ListenReport(
            self.address[name], Heard(ours=ports("tcp")), Heard(ours=ports("udp")), seconds=60
        )

    def fail(
        self,
        source: str,
        destination: str,
        verdict: str,
        tcp: str = "1-65535",
        udp: str = "1-65535",
    ) -> None:
        """Have the ports that were open between two nodes (``*`` for all) seen as ``verdict``."""
        for (a, b), seen in self.tries.items():
            if source not in (a, "*") or destination not in (b, "*"):
                continue
            if source == "*" and a == CONTROL:
                continue
            for protocol, ports in (("tcp", tcp), ("udp", udp)):
                mine = seen[protocol]
                hit = port_sets.common(mine.get("open", ""), ports)
                mine["open"] = port_sets.without(mine.get("open", ""), hit)
                mine[verdict] = port_sets.union([mine.get(verdict, ""), hit])

    @property
    def reports(self) -> dict[str, ProbeReport]:
        """Return what the nodes report."""
        sources = sorted({a for a, _b in self.tries} | set(self.members))
        return {
            name: ProbeReport(
                source=name,
                address=self.address.get(name, "198.18.0.1"),
                pairs=tuple(self._pair(a, b) for a, b in self.tries if a == name),
                cost=self.cost.get(name, {}),
                problem=self.problems.get(name, ""),
            )
            for name in sources
            if name not in self.without
        }

    def _pair(self, source: str, destination: str) -> PairResult:
        seen = self.tries[(source, destination)]
        whole = PathMtu(expected=1500, sent=1500, received=1500)
        return PairResult(
            destination=destination,
            address=self.address[destination],
            tcp={verdict: ports for verdict, ports in seen["tcp"].items() if ports},
            udp={verdict: ports for verdict, ports in seen["udp"].items() if ports},
            rtt_ms=0.2,
            seen_as=self.seen_as.get((source, destination), self.address.get(source, "")),
            mtu=self.mtu.get((source, destination), whole),
        )

    def judge(self) -> list[Finding]:
        """Return the findings."""
        return judge_mesh(self.reports, self.listens, self.listeners, self.views, self.members)

    def codes(self) -> list[tuple[str, str, str]]:
        """Return severity, code and host of each finding."""
        return [(each.severity.value, each.code, each.host) for each in self.judge()]

    def matrix(self) -> Matrix:
        """Return the matrix of the report."""
        return matrix(self.reports, self.listens, self.listeners, self.members)
