# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collector is told, and what it keeps from one run to the next."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    Gpu,
    from_plain,
    to_plain,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_metrics_log import (
    XidRecord,
)

CONFIG = "/etc/rackforge-node-metrics/collector.json"
DIRECTORY = "/var/lib/rackforge-node-metrics"
GPU_FILE, NODE_FILE, STATE_FILE = "gpu.prom", "node.prom", "state.json"
#: How much is told of GPUs: also under the names of dcgm-exporter, our own names only, nothing.
ALL, OWN, NONE = "all", "own", "none"

_TOKEN = re.compile(r"\d+|[a-z]+", re.IGNORECASE)


class ConfigError(Exception):
    """The collector's settings cannot be used, and why."""


@dataclass(frozen=True)
class Config:
    """``certificates`` are paths, with * for any characters; ``gpus`` is one of the words above."""

    directory: str = DIRECTORY
    gpus: str = ALL
    expected_gpus: Optional[int] = None
    certificates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Installed:
    """Versions of the driver packages by vendor, and the state of the databases they come from."""

    key: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Identity:
    """What a GPU was in this boot, while it answered."""

    uuid: str = ""
    model: str = ""


@dataclass(frozen=True)
class Seen:
    """The GPUs that answered in a boot, by their addresses. Nobody swaps one in between."""

    boot: str = ""
    addresses: tuple[str, ...] = ()
    identities: tuple[Identity, ...] = ()

    def gpu(self, address: str) -> Identity:
        """Return what is known of one."""
        return dict(zip(self.addresses, self.identities)).get(address, Identity())


@dataclass(frozen=True)
class State:
    """What is kept between runs."""

    xids: XidRecord = field(default_factory=XidRecord)
    installed: Installed = field(default_factory=Installed)
    seen: Seen = field(default_factory=Seen)


def parse_config(text: str) -> Config:
    """Return the settings; raise ConfigError where they are not as the role writes them."""
    try:
        config = from_plain(Config, json.loads(text))
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"saw no JSON object ({error}), expected what the role wrote") from error
    if config.gpus not in (ALL, OWN, NONE):
        raise ConfigError(f"saw gpus {config.gpus!r}, expected {ALL}, {OWN} or {NONE}")
    return config


def config_text(config: Config) -> str:
    """Return the settings as a file."""
    return json.dumps(to_plain(config), indent=2, sort_keys=True) + "\n"


def parse_state(text: str) -> State:
    """Return what was kept, and nothing of a file that cannot be read."""
    try:
        return from_plain(State, json.loads(text))
    except (ValueError, TypeError, AttributeError, KeyError):
        return State()


def state_text(state: State) -> str:
    """Return what is kept as a file."""
    return json.dumps(to_plain(state), sort_keys=True)


def expected_count(asked: Optional[int], recorded: Optional[int], seen: Optional[int]) -> Any:
    """Return how many GPUs the node is to have: as asked, else the most that were ever seen.

    A GPU that is lost today must not be forgotten by the next run of the playbook.
    """
    if asked is not None:
        return asked
    return max((each for each in (recorded, seen) if each is not None), default=None)


def remember(seen: Seen, boot: str, gpus: Iterable[Gpu]) -> Seen:
    """Return the GPUs that have answered in this boot, with those that answer now."""
    known = dict(zip(seen.addresses, seen.identities)) if seen.boot == boot else {}
    for gpu in gpus:
        if gpu.uuid and gpu.pci_address:
            known[gpu.pci_address] = Identity(gpu.uuid, gpu.model or "")
    rows = sorted(known.items())
    return Seen(boot, tuple(address for address, _is in rows), tuple(row for _at, row in rows))


def identified(gpus: Iterable[Gpu], seen: Seen) -> tuple[Gpu, ...]:
    """Return GPUs that do not answer any more with the name that they had when they did.

    So an alert tells which card it is, and its series is the one that it had before.
    """
    return tuple(
        gpu
        if gpu.uuid
        else replace(
            gpu,
            uuid=seen.gpu(gpu.pci_address).uuid or None,
            model=gpu.model or seen.gpu(gpu.pci_address).model or None,
        )
        for gpu in gpus
    )


def waits_for_kernel(running: str, names: Iterable[str]) -> Optional[bool]:
    """Return whether a newer kernel of the same kind lies in /boot than the one that runs.

    ``names`` are the names there. None where the running kernel is not among them, as in a
    container: then nothing can be said.
    """
    images = [name.partition("-")[2] for name in names if name.startswith("vmlinuz-")]
    if running not in images:
        return None
    kind, number = _parts(running)
    found = [_parts(each) for each in images]
    return any(other == kind and version > number for other, version in found)


def _parts(release: str) -> tuple[list[str], list[int]]:
    """Return the words and the numbers of a kernel's release, such as 6.1.0-18-amd64."""
    tokens = _TOKEN.findall(release)
    numbers = [int(each) for each in tokens if each.isdigit()]
    return [each for each in tokens if not each.isdigit()], numbers
