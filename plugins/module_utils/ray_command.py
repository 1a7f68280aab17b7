# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a node's settings to the command line and environment of ``ray start``.

Flags and variables are those of Ray 2.60 (``python/ray/scripts/scripts.py`` in its wheel).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    CATALOGUE,
    RAY,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_list import (
    LAST_PORT,
    joined,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_gpu import (
    RayGpuError,
    RayGpus,
    ray_gpus,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_monitoring import (
    RayMonitoringError,
    monitoring_environment,
)

MIB = 1024 * 1024

#: Flags of every node: flag, port variable.
NODE_PORT_FLAGS: tuple[tuple[str, str], ...] = (
    ("--node-manager-port", "ray_node_manager_port"),
    ("--object-manager-port", "ray_object_manager_port"),
    ("--runtime-env-agent-port", "ray_runtime_env_agent_port"),
    ("--dashboard-agent-listen-port", "ray_dashboard_agent_port"),
    ("--dashboard-agent-grpc-port", "ray_dashboard_agent_grpc_port"),
    ("--metrics-export-port", "ray_metrics_export_port"),
    ("--min-worker-port", "ray_min_worker_port"),
    ("--max-worker-port", "ray_max_worker_port"),
)

#: Flags of the head: flag, port variable.
HEAD_PORT_FLAGS: tuple[tuple[str, str], ...] = (
    ("--port", "ray_gcs_port"),
    ("--dashboard-port", "ray_dashboard_port"),
    ("--ray-client-server-port", "ray_client_port"),
)

#: Variables of the environment that move a port: name, port variable.
PORT_ENVIRONMENT: tuple[tuple[str, str], ...] = (
    ("AUTOSCALER_METRIC_PORT", "ray_autoscaler_metrics_port"),
    ("DASHBOARD_METRIC_PORT", "ray_dashboard_metrics_port"),
)

#: The last release line known to have ``--dashboard-grpc-port`` (seen in 2.44.1, gone in 2.49.2).
LAST_WITH_DASHBOARD_GRPC = (2, 44)

#: The first release line with token authentication.
FIRST_WITH_TOKENS = (2, 52)


class RayCommandError(ValueError):
    """Settings from which no command line can be made."""


@dataclass(frozen=True)
class RayStart:
    """What ``ray start`` is to be told on one node."""

    kind: str
    version: str
    node_address: str
    head_address: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, float] = field(default_factory=dict)
    num_cpus: Optional[int] = None
    num_gpus: Optional[int] = None
    object_store_bytes: Optional[int] = None
    temp_dir: str = ""
    extra: Sequence[str] = ()

    def port(self, variable: str) -> int:
        """Return the port that ``variable`` has: as given, else the catalogue's."""
        return _port(self.ports, variable)


_RAY_ROWS = tuple(port for port in CATALOGUE if port.profile == RAY)


def _numbers() -> dict[str, int]:
    numbers = {port.variable: port.number for port in _RAY_ROWS}
    numbers.update({port.last_variable: port.last for port in _RAY_ROWS if port.last_variable})
    return numbers


_CATALOGUE_NUMBERS = _numbers()


def _port(given: Mapping[str, Any], variable: str) -> int:
    value = given.get(variable, _CATALOGUE_NUMBERS[variable])
    if isinstance(value, bool) or not re.fullmatch(r"\s*[0-9]{1,5}\s*", str(value)):
        number = 0
    else:
        number = int(value)
    if not 0 < number <= LAST_PORT:
        raise RayCommandError(f"{variable}: saw {value!r}, expected a port from 1 to {LAST_PORT}")
    return number


def release(version: str) -> tuple[int, int]:
    """Return (major, minor) of a version such as ``2.60.0``."""
    found = re.match(r"(\d+)\.(\d+)", str(version))
    if not found:
        raise RayCommandError(f"ray_version: saw {version!r}, expected a release such as 2.60.0")
    return int(found.group(1)), int(found.group(2))


def start_arguments(node: RayStart) -> list[str]:
    """Return the arguments that follow ``ray start``."""
    has_dashboard_grpc = release(node.version) <= LAST_WITH_DASHBOARD_GRPC
    if node.kind == "head":
        arguments = ["--head", "--disable-usage-stats", f"--dashboard-host={node.node_address}"]
        arguments += [f"{flag}={node.port(name)}" for flag, name in HEAD_PORT_FLAGS]
        if has_dashboard_grpc:
            arguments.append(f"--dashboard-grpc-port={node.port('ray_dashboard_grpc_port')}")
    elif node.head_address:
        arguments = [f"--address={node.head_address}:{node.port('ray_gcs_port')}"]
    else:
        raise RayCommandError("a Ray worker needs the address of its head, and none was given")
    low, high = ("ray_min_worker_port", "ray_max_worker_port")
    _in_order(low, node.port(low), high, node.port(high))
    arguments.append(f"--node-ip-address={node.node_address}")
    arguments += [f"{flag}={node.port(name)}" for flag, name in NODE_PORT_FLAGS]
    return arguments + _sizing(node) + list(node.extra) + ["--block"]


def _sizing(node: RayStart) -> list[str]:
    arguments = []
    if node.num_cpus is not None:
        arguments.append(f"--num-cpus={node.num_cpus}")
    if node.num_gpus is not None:
        arguments.append(f"--num-gpus={node.num_gpus}")
    if node.object_store_bytes is not None:
        arguments.append(f"--object-store-memory={node.object_store_bytes}")
    if node.resources:
        arguments.append("--resources=" + json.dumps(dict(node.resources), sort_keys=True))
    if node.labels:
        pairs = (f"{key}={value}" for key, value in sorted(node.labels.items()))
        arguments.append("--labels=" + ",".join(pairs))
    if node.temp_dir:
        arguments.append(f"--temp-dir={node.temp_dir}")
    return arguments


def port_environment(ports: Mapping[str, int]) -> dict[str, str]:
    """Return the environment that moves the metrics ports that have no flag."""
    return {name: str(_port(ports, variable)) for name, variable in PORT_ENVIRONMENT}


def object_store_bytes(memory_mib: int, shm_mib: Optional[int], fraction: float) -> int:
    """Return the object store's size: a fraction of memory that fits into shared memory.

    Ray falls back to files under its temporary directory, slowly and with no more than a warning,
    when the store does not fit into /dev/shm. ``shm_mib`` is None where the runtime makes a
    /dev/shm of the right size itself.
    """
    if not 0 < fraction < 1:
        raise RayCommandError(
            f"ray_object_store_fraction: saw {fraction}, expected a number between 0 and 1"
        )
    wanted = int(memory_mib * fraction)
    if shm_mib is not None:
        wanted = min(wanted, int(shm_mib * 0.9))
    return max(wanted, 80) * MIB  # Ray refuses an object store under 75 MiB.


def shared_memory_bytes(store_bytes: int) -> int:
    """Return the /dev/shm that a container needs for an object store of this size."""
    return store_bytes + store_bytes // 20 + 64 * MIB


def reserved_ports(ports: Mapping[str, Any]) -> str:
    """Return Ray's ports of the catalogue, moved as ``ports`` says.

    They come in the notation of ``ip_local_reserved_ports``.
    """
    spans = []
    for port in _RAY_ROWS:
        first = _port(ports, port.variable)
        last = _port(ports, port.last_variable) if port.last else first
        _in_order(port.variable, first, port.last_variable, last)
        spans.append(f"{first}-{last}")
    return joined(*spans)


def _in_order(low: str, first: int, high: str, last: int) -> None:
    if first > last:
        raise RayCommandError(
            f"{low}={first} is above {high}={last}, expected the lower end of the range first"
        )


def systemd_word(text: str, expands_variables: bool = True) -> str:
    """Return ``text`` as one word of a unit file.

    ``$`` is doubled for command lines, where systemd expands variables, and left for
    ``Environment=``, where it does not.
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    escaped = escaped.replace("\n", "\\n").replace("\r", "\\r")
    if expands_variables:
        escaped = escaped.replace("$", "$$")
    return f'"{escaped}"' if not text or re.search(r"[\s\"'\\;]", text) else escaped


def from_settings(settings: Mapping[str, Any]) -> RayStart:
    """Return the node's settings as a value; RayCommandError names the setting that is wrong."""
    kind = settings.get("kind")
    if kind not in ("head", "worker"):
        raise RayCommandError(f"kind: saw {kind!r}, expected head or worker")
    if not settings.get("node_address"):
        raise RayCommandError(
            "node_address: empty; set my_iface to the cluster network's interface"
        )
    if not settings.get("version"):
        raise RayCommandError("ray_version: empty, expected a release such as 2.60.0")
    known = {
        key: value
        for key, value in settings.items()
        if key in RayStart.__dataclass_fields__ and value is not None
    }
    for name in ("num_cpus", "num_gpus"):
        known[name] = _whole(name, settings.get(name))
    known["object_store_bytes"] = _object_store(settings)
    return RayStart(**known)


def _object_store(settings: Mapping[str, Any]) -> Optional[int]:
    """Return the size that is given, else a fraction of the memory; None leaves it to Ray."""
    given = _whole("object_store_memory_mib", settings.get("object_store_memory_mib"))
    if given is not None:
        return given * MIB
    memory = _whole("memory_mib", settings.get("memory_mib"))
    if memory is None:
        return None
    fraction = _fraction(settings.get("object_store_fraction", 0.3))
    return object_store_bytes(memory, _whole("shm_mib", settings.get("shm_mib")), fraction)


def _fraction(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise RayCommandError(
            f"ray_object_store_fraction: saw {value!r}, expected a number between 0 and 1"
        ) from None


def _whole(name: str, value: Any) -> Optional[int]:
    """Return a whole number: inventories in INI form and the command line hand over text."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not re.fullmatch(r"\s*[0-9]+\s*", str(value)):
        raise RayCommandError(f"ray_{name}: saw {value!r}, expected a whole number, 0 or more")
    return int(value)


def gpus_of(settings: Mapping[str, Any]) -> RayGpus:
    """Return what Ray is told about the node's GPUs; RayCommandError names a wrong setting."""
    try:
        return ray_gpus(
            settings.get("gpu"),
            settings.get("environment") or {},
            mode=str(settings.get("gpu_container_mode") or "auto"),
            vendor=settings.get("gpu_vendor") or None,
            predicted=bool(settings.get("predicted")),
            device_gids=settings.get("gpu_device_gids") or (),
        )
    except RayGpuError as error:
        raise RayCommandError(str(error)) from error


def _with_gpus(settings: Mapping[str, Any], gpus: RayGpus) -> dict[str, Any]:
    """Return the settings with the GPUs in them; what the owner set counts more."""
    given = settings.get("num_gpus")
    found = {f"accelerator_type:{gpus.accelerator_type}": 1} if gpus.accelerator_type else {}
    return {
        **settings,
        "num_gpus": gpus.count if given is None or given == "" else given,
        "resources": {**found, **(settings.get("resources") or {})},
        "environment": {**dict(gpus.environment), **(settings.get("environment") or {})},
    }


def _monitoring(settings: Mapping[str, Any]) -> dict[str, str]:
    try:
        return monitoring_environment(settings)
    except RayMonitoringError as error:
        raise RayCommandError(str(error)) from error


def gpu_count(settings: Mapping[str, Any]) -> Optional[int]:
    """Return how many GPUs Ray is told to offer; None where that is left to Ray."""
    given = _whole("num_gpus", settings.get("num_gpus"))
    return gpus_of(settings).count if given is None else given


def unit(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the unit file needs: arguments, environment, GPUs, and sizes in bytes."""
    gpus = gpus_of(settings)
    settings = _with_gpus(settings, gpus)
    node = from_settings(settings)
    if settings.get("auth_enabled") and release(node.version) < FIRST_WITH_TOKENS:
        raise RayCommandError(
            f"ray_version {node.version} knows no tokens (2.52 and newer do), so anybody who "
            "reaches the head could run code; use a newer ray_version, or say "
            "ray_auth_enabled=false knowingly"
        )
    environment = {
        **port_environment(node.ports),
        **_monitoring(settings),
        **(settings.get("environment") or {}),
    }
    assignments = [f"{name}={value}" for name, value in sorted(environment.items())]
    return {
        "arguments": [systemd_word(argument) for argument in start_arguments(node)],
        "environment": [systemd_word(each, expands_variables=False) for each in assignments],
        "environment_words": [systemd_word(each) for each in assignments],
        "container_options": list(gpus.container_options),
        "groups": list(gpus.groups),
        "units": list(gpus.units),
        "object_store_bytes": node.object_store_bytes,
        "shared_memory_bytes": shared_memory_bytes(node.object_store_bytes or 0),
    }
