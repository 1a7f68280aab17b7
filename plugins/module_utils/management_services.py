# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The management profile of the AIGr.id document: bundles in order, labels, and its services.

A bundle is a folder of manifests that takes a number of replicas and the size of each. Nothing here
reads or writes anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

#: The order of the document; bundles with other names come after these.
ORDER = ("db", "registries", "utils", "metrics-db", "metrics", "services")
#: Which label the nodes of a database carry, by its bundle (the document's kubectl label).
LABELS = {"db": "registry", "metrics-db": "metrics-db"}
#: The document's own numbers: ./installer/db/install.sh 3 10Gi
REPLICAS = 3
SIZE = "10Gi"
_NOT_EXPOSED = "Not exposed"
#: What the role asks of each service and pod, in this order. What pods are given, such as passwords
#: in their environment, is not asked for: answers stand in logs.
_COLUMNS = ("kind", "namespace", "name", "labels", "selector", "ports", "phase", "ready")
_JSON = ("labels", "selector", "ports")


class ManagementError(ValueError):
    """A bundle or a service that makes no sense."""


@dataclass(frozen=True)
class Bundle:
    """A folder of manifests with its inputs."""

    name: str
    src: str
    namespace: str
    replicas: int
    size: str
    vars: Mapping[str, Any]
    wait_for: Sequence[Mapping[str, Any]]

    def manifest(self) -> dict[str, Any]:
        """Return the bundle as the module k3s_manifests takes it."""
        own = {"replicas": self.replicas, "size": self.size, "namespace": self.namespace}
        return {
            "name": self.name,
            "src": self.src,
            "namespace": self.namespace,
            "create_namespace": True,
            "vars": {**own, **self.vars},
            "wait_for": [dict(each) for each in self.wait_for],
        }


def parse_bundles(rows: Iterable[Mapping[str, Any]]) -> list[Bundle]:
    """Return the bundles in the document's order; ManagementError names what is wrong with one."""
    bundles = [_bundle(row) for row in rows]
    names = [bundle.name for bundle in bundles]
    for name in names:
        if names.count(name) > 1:
            raise ManagementError(f"bundle {name} stands twice in the list, expected once")
    rank = {name: place for place, name in enumerate(ORDER)}
    return sorted(bundles, key=lambda bundle: rank.get(bundle.name, len(rank)))


def _bundle(row: Mapping[str, Any]) -> Bundle:
    name = str(row.get("name") or "")
    for key in ("name", "src", "namespace"):
        if not row.get(key):
            raise ManagementError(
                f"bundle {name or dict(row)}: {key} is missing, expected name, src and namespace"
            )
    replicas = row.get("replicas", REPLICAS)
    if not str(replicas).isdecimal() or int(replicas) < 1:
        raise ManagementError(f"bundle {name}: replicas is {replicas!r}, expected a number from 1")
    return Bundle(
        name,
        str(row["src"]),
        str(row["namespace"]),
        int(replicas),
        str(row.get("size") or SIZE),
        row.get("vars") or {},
        row.get("wait_for") or (),
    )


def choose_nodes(
    bundles: Iterable[Bundle], agents: Sequence[str], chosen: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Return the nodes that carry each label, by the label.

    ``chosen`` has the user's lists by the name of the bundle; without one as many agents carry the
    label as the bundle has replicas, the first ones of the inventory.
    """
    found = {}
    for bundle in bundles:
        if bundle.name in LABELS:
            own = list(chosen.get(bundle.name) or [])
            found[LABELS[bundle.name]] = own or list(agents[: bundle.replicas])
    return found


def labels_of(choice: Mapping[str, Sequence[str]], host: str) -> dict[str, str]:
    """Return the labels that one node carries."""
    return {label: "yes" for label, hosts in choice.items() if host in hosts}


@dataclass(frozen=True)
class Service:
    """A service of the document.

    ``host`` is the name in the document's internal URL, where it is not the service's own.
    ``node_port`` is None where the document says that it is not exposed.
    """

    name: str
    namespace: str
    port: int
    node_port: Optional[int] = None
    host: str = ""
    description: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names that the service may have in the cluster."""
        return (self.name, self.host) if self.host else (self.name,)


def parse_services(rows: Iterable[Mapping[str, Any]]) -> list[Service]:
    """Return the services of the list; ManagementError names what is wrong with one."""
    return [_service(row) for row in rows]


def _service(row: Mapping[str, Any]) -> Service:
    port = row.get("node_port")
    try:
        return Service(
            str(row["name"]),
            str(row["namespace"]),
            int(row["port"]),
            None if port is None else int(port),
            str(row.get("host") or ""),
            str(row.get("description") or ""),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ManagementError(
            f"service {dict(row)}: expected name, namespace and port, and node_port where it is "
            "exposed"
        ) from error


@dataclass(frozen=True)
class Seen:
    """A service of the cluster: its ports, and how many of its pods are ready."""

    namespace: str
    name: str
    ports: tuple[int, ...]
    node_ports: tuple[int, ...]
    pods: int
    ready_pods: int


def parse_seen(text: str) -> list[Seen]:
    """Return the services in kubectl's answer: a line for each service and pod, with tabs in it.

    A cluster has one at least, that of its API.
    """
    items = [_columns(line) for line in text.splitlines() if line.strip()]
    if not items:
        raise ManagementError("kubectl: saw nothing, expected a line for each service")
    pods = [each for each in items if each["kind"] == "Pod"]
    return [_seen(each, pods) for each in items if each["kind"] == "Service"]


def _columns(line: str) -> dict[str, Any]:
    """Return what a line tells, by column; labels, selector and ports are JSON where they are."""
    cells = line.split("\t")
    try:
        if len(cells) != len(_COLUMNS):
            raise ValueError
        found = dict(zip(_COLUMNS, cells))
        return {**found, **{name: json.loads(found[name] or "null") for name in _JSON}}
    except ValueError as error:
        raise ManagementError(
            f"kubectl: saw {line.strip()[:80]!r}, expected {', '.join(_COLUMNS)} with tabs between"
        ) from error


def _seen(item: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> Seen:
    ports = _rows(item["ports"])
    selector = _mapping(item["selector"])
    mine = [pod for pod in pods if selector and _is_chosen(pod, item["namespace"], selector)]
    return Seen(
        item["namespace"],
        item["name"],
        tuple(each["port"] for each in ports if isinstance(each.get("port"), int)),
        tuple(each["nodePort"] for each in ports if isinstance(each.get("nodePort"), int)),
        len(mine),
        sum(pod["ready"] == "True" for pod in mine),
    )


def _is_chosen(pod: Mapping[str, Any], namespace: str, selector: Mapping[str, Any]) -> bool:
    labels = _mapping(pod["labels"])
    ended = pod["phase"] in ("Succeeded", "Failed")
    same = pod["namespace"] == namespace and not ended
    return same and all(labels.get(key) == selector[key] for key in selector)


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _rows(found: Any) -> list[Mapping[str, Any]]:
    rows = found if isinstance(found, list) else []
    return [each for each in rows if isinstance(each, Mapping)]


def find_seen(service: Service, seen: Iterable[Seen]) -> Optional[Seen]:
    """Return the cluster's service, by the document's name or by the one in its URL."""
    for each in seen:
        if each.namespace == service.namespace and each.name in service.names:
            return each
    return None


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    service: str
    internal_url: str
    node_port_url: str
    ready: str

    def to_dict(self) -> dict[str, str]:
        """Return plain data."""
        return {
            "service": self.service,
            "internal_url": self.internal_url,
            "node_port_url": self.node_port_url,
            "ready": self.ready,
        }


def service_rows(services: Iterable[Service], seen: Sequence[Seen], address: str) -> list[Row]:
    """Return the table's lines: the document's services and what the cluster has of them."""
    return [_row(service, find_seen(service, seen), address) for service in services]


def _row(service: Service, seen: Optional[Seen], address: str) -> Row:
    host = seen.name if seen else service.host or service.name
    internal = f"http://{host}.{service.namespace}.svc.cluster.local:{service.port}"
    outside = f"http://{address}:{service.node_port}" if service.node_port else _NOT_EXPOSED
    return Row(service.name, internal, outside, _readiness(service, seen))


def _readiness(service: Service, seen: Optional[Seen]) -> str:
    """Return how many pods answer, or what is not as the document has it."""
    if seen is None:
        return "missing"
    if service.port not in seen.ports:
        return f"no port {service.port}"
    if service.node_port is not None and service.node_port not in seen.node_ports:
        return f"no NodePort {service.node_port}"
    if not seen.pods:
        return "no pod"
    word = "yes" if seen.ready_pods == seen.pods else "no"
    return f"{word} ({seen.ready_pods}/{seen.pods})"


def table(rows: Sequence[Row]) -> list[str]:
    """Return the lines of the table for a terminal."""
    head = Row("SERVICE", "INTERNAL URL", "NODEPORT URL", "READY")
    cells = [list(row.to_dict().values()) for row in (head, *rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(cells[0]))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in cells
    ]
