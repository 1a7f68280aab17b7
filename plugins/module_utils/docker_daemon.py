# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of /etc/docker/daemon.json: read strictly, joined with what is wanted, written back."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

DAEMON_FILE = "/etc/docker/daemon.json"

#: What a new file gets where nobody says anything: 3 files of 10 MB for each container. The numbers
#: are those of the examples in Docker's documentation; the engine's default is a file without end.
LOG_MAX_SIZE = "10m"
LOG_MAX_FILES = 3

#: Where the engine serves its metrics; unset, it serves none.
METRICS = "metrics-addr"

#: Lists that are one decision: ours takes the place of what is there.
REPLACED = frozenset({"default-address-pools"})

#: What each key's value must be. Keys that are not here are the engine's to judge.
_KINDS: Mapping[type, str] = {
    bool: "debug experimental icc init ip-forward ip-masq ip6tables iptables ipv6 live- "
    "restore no-new-privileges selinux-enabled tls tlsverify userland-proxy",
    int: "max-concurrent-downloads max-concurrent-uploads max-download-attempts mtu "
    "shutdown-timeout",
    str: "bip bridge cgroup-parent containerd data-root default-runtime exec-root fixed- "
    "cidr group log-driver log-level metrics-addr pidfile storage-driver userns-remap",
    list: "authorization-plugins default-address-pools dns dns-opts dns-search exec-opts "
    "hosts insecure-registries labels registry-mirrors storage-opts",
    dict: "builder default-ulimits features log-opts runtimes",
}
TYPES: Mapping[str, type] = {key: kind for kind, keys in _KINDS.items() for key in keys.split()}
_WORDS = {bool: "true or false", int: "a number", str: "a text", list: "a list", dict: "a map"}


class DaemonError(Exception):
    """The engine's settings cannot be as asked, and why."""


@dataclass(frozen=True)
class Wishes:
    """What the role's inputs ask of the engine. None and empty ask for nothing."""

    options: Mapping[str, Any] = field(default_factory=dict)
    log_max_size: Optional[str] = None
    log_max_files: Optional[int] = None
    data_root: Optional[str] = None
    live_restore: Optional[bool] = None
    registry_mirrors: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    cdi_enabled: Optional[bool] = None
    metrics_address: Optional[str] = None


def parse_daemon(text: str) -> dict[str, Any]:
    """Return the settings in the file's text; DaemonError tells line and column of a mistake."""
    if not text.strip():
        return {}
    try:
        values = json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        hint = _hint(text, error.pos)
        raise DaemonError(
            f"{DAEMON_FILE}, line {error.lineno}, column {error.colno}: saw "
            f"{_seen(text, error.pos)}, "
            f"expected JSON{hint}. Nothing was changed; repair the file, "
            f"'python3 -m json.tool {DAEMON_FILE}' checks it"
        ) from error
    if not isinstance(values, dict):
        raise DaemonError(f"{DAEMON_FILE}: saw no map, expected {{...}}. Nothing was changed")
    return values


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise DaemonError(
                f"{DAEMON_FILE}: the key {key} stands there twice, and the engine obeys the last "
                "one only. "
                "Nothing was changed; take one of them out"
            )
        found[key] = value
    return found


def _seen(text: str, position: int) -> str:
    rest = text[position:].split("\n", 1)[0].strip()
    return f"'{rest[:40]}'" if rest else "the end of the line"


def _hint(text: str, position: int) -> str:
    rest = text[position:].lstrip()
    if rest.startswith(("//", "/*", "#")):
        return ", which has no comments: delete it"
    before = text[:position].rstrip()
    if rest.startswith(",") or (rest.startswith(("}", "]")) and before.endswith(",")):
        return ", in which no comma stands after the last entry"
    return ""


def check_types(values: Mapping[str, Any], where: str) -> None:
    """Raise DaemonError for the first value that the engine would refuse to start with."""
    for key, value in values.items():
        kind = TYPES.get(key)
        wrong = kind is not None and not isinstance(value, kind)
        if wrong or (kind is int and isinstance(value, bool)):
            raise DaemonError(
                f"{where}: {key} is {json.dumps(value)}, expected {_WORDS[TYPES[key]]}. Nothing "
                "was changed"
            )
    for key, value in values.get("log-opts", {}).items():
        if not isinstance(value, str):
            raise DaemonError(
                f"{where}: log-opts has {key}: {json.dumps(value)}, expected a text in quotes. "
                "Nothing was changed"
            )


def wanted(
    wishes: Wishes,
    present: Mapping[str, Any],
    pools: Optional[Sequence[Mapping[str, Any]]] = None,
    flags: Iterable[str] = (),
    swarm: bool = False,
) -> dict[str, Any]:
    """Return the settings to join with those that are there.

    ``flags`` are the settings that the engine gets on its command line: naming them in the file
    too keeps it from starting, so what nobody asked for explicitly is left out.
    """
    said: dict[str, Any] = {}
    if pools is not None:
        said["default-address-pools"] = [dict(pool) for pool in pools]
    if wishes.data_root is not None:
        said["data-root"] = wishes.data_root
    if wishes.registry_mirrors:
        said["registry-mirrors"] = list(wishes.registry_mirrors)
    if wishes.insecure_registries:
        said["insecure-registries"] = list(wishes.insecure_registries)
    if wishes.cdi_enabled is not None:
        said["features"] = {"cdi": wishes.cdi_enabled}
    taken = {**present, **wishes.options, **dict.fromkeys(flags)}
    said.update(_live_restore(wishes.live_restore, taken, swarm))
    said.update(_log_rotation(wishes, taken))
    said.update(_metrics(wishes.metrics_address, taken))
    _no_contradiction(wishes.options, said)
    result = merge(copy.deepcopy(dict(wishes.options)), said)
    check_types(result, "docker_daemon_options")
    return result


def _live_restore(wish: Optional[bool], taken: Mapping[str, Any], swarm: bool) -> dict[str, Any]:
    if wish and swarm:
        raise DaemonError(
            "docker_live_restore is true, but this engine is a member of a swarm, which excludes "
            "it. "
            "Nothing was changed; set docker_live_restore=false for this node, or 'docker swarm "
            "leave'"
        )
    if wish is not None:
        return {"live-restore": wish}
    return {} if swarm or "live-restore" in taken else {"live-restore": True}


def _log_rotation(wishes: Wishes, taken: Mapping[str, Any]) -> dict[str, Any]:
    """Return log settings: as asked for, or rotation where the engine's default would be used."""
    driver = taken.get("log-driver")
    size, files = wishes.log_max_size, wishes.log_max_files
    if size is None and files is None:
        if "log-opts" in taken or ("log-driver" in taken and driver != "json-file"):
            return {}
        size, files = LOG_MAX_SIZE, LOG_MAX_FILES
    elif driver not in (None, "json-file", "local"):
        raise DaemonError(
            "docker_log_max_size and docker_log_max_files work with the log drivers json-file and "
            "local, saw "
            f"log-driver {driver}. Nothing was changed; unset both, or set docker_daemon_options "
            "to "
            "{log-driver: json-file}"
        )
    if size is not None and not re.match(r"(-1|[1-9][0-9]*[kmg]?)$", size):
        raise DaemonError(
            f"docker_log_max_size is '{size}', expected a number with k, m or g such as 10m, or -1 "
            "for no limit. "
            "Nothing was changed"
        )
    options = {"max-size": size, "max-file": None if files is None else str(files)}
    said = {name: value for name, value in options.items() if value is not None}
    return {"log-driver": driver or "json-file", "log-opts": said}


def _metrics(address: Optional[str], taken: Mapping[str, Any]) -> dict[str, Any]:
    """Return the setting, unless the owner has one: what reads it there must go on working."""
    if address is None:
        return {}
    port = re.fullmatch(r"(?:[^\s:]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", address)
    if port is None or not 0 < int(port[1]) < 65536:
        raise DaemonError(
            f"docker_metrics_address with its port is '{address}', expected ADDRESS:PORT such as "
            "198.18.0.11:9323. Nothing was changed"
        )
    return {} if METRICS in taken else {METRICS: address}


def metrics_kept(
    address: Optional[str],
    present: Mapping[str, Any],
    options: Mapping[str, Any],
    flags: Iterable[str] = (),
) -> str:
    """Return what to tell of the owner's own address for metrics; empty where there is none."""
    if address is None or METRICS in options:
        return ""
    if METRICS in frozenset(flags):
        return (
            f"dockerd gets {METRICS} on its command line, which stays; docker_metrics_address="
            f"{address} has no effect. 'systemctl cat docker.service' shows the command line"
        )
    if present.get(METRICS, address) == address:
        return ""
    return (
        f"{DAEMON_FILE} says {METRICS}: {present[METRICS]}, which stays; docker_metrics_address="
        f"{address} has no effect. To have that one, set docker_daemon_options="
        f'{{"{METRICS}": "{address}"}}, or take the key out of the file'
    )


#: Which input says which key, for those who say it twice.
_INPUTS = {
    "default-address-pools": "docker_address_pools",
    "data-root": "docker_data_root",
    "live-restore": "docker_live_restore",
}


def _no_contradiction(options: Mapping[str, Any], said: Mapping[str, Any]) -> None:
    for key, name in _INPUTS.items():
        if key in options and key in said and options[key] != said[key]:
            raise DaemonError(
                f"docker_daemon_options says {key}: {json.dumps(options[key])}, but {name} says "
                f"{json.dumps(said[key])}. Nothing was changed; say it in one place"
            )


def merge(present: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``present`` with ``more``: maps by key, lists joined, other values from ``more``.

    Keys keep their order, new ones come last.
    """
    result = dict(present)
    for key, value in more.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            result[key] = merge(old, value)
        elif isinstance(old, list) and isinstance(value, list) and key not in REPLACED:
            result[key] = _joined(old, value)
        else:
            result[key] = value
    return result


def _joined(old: Sequence[Any], more: Sequence[Any]) -> list[Any]:
    """Return both lists in one, each item once; of name=value pairs with one name ours stays."""
    names = {_name(item) for item in more if _name(item)}
    kept = [item for item in old if item in more or _name(item) not in names]
    seen = [_plain(item) for item in kept]
    return kept + [item for item in more if _plain(item) not in seen]


def _name(item: Any) -> str:
    name, equals, _value = item.partition("=") if isinstance(item, str) else ("", "", "")
    return name if equals and "/" not in name else ""


def _plain(item: Any) -> Any:
    return item.rstrip("/") if isinstance(item, str) else item


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    """Return the keys whose values differ."""
    return frozenset(k for k in {*before, *after} if before.get(k) != after.get(k))


def render_daemon(text: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return the file's new text: the old one where nothing changes, else in its indentation."""
    if before == after:
        return text
    found = re.search(r'^([ \t]+)"', text, re.MULTILINE)
    return json.dumps(after, indent=found[1] if found else 2, ensure_ascii=False) + "\n"


#: Flags of dockerd whose key in the file has another name.
_KEYS = {
    "H": "hosts",
    "host": "hosts",
    "g": "data-root",
    "graph": "data-root",
    "label": "labels",
    "log-opt": "log-opts",
    "exec-opt": "exec-opts",
    "storage-opt": "storage-opts",
    "registry-mirror": "registry-mirrors",
    "insecure-registry": "insecure-registries",
    "default-address-pool": "default-address-pools",
    "D": "debug",
    "G": "group",
    "b": "bridge",
    "s": "storage-driver",
    "l": "log-level",
}


def flags_of(command_line: Sequence[str]) -> frozenset[str]:
    """Return the keys of the settings that stand on dockerd's command line."""
    found = (re.match(r"--?([A-Za-z][A-Za-z0-9-]*)", word) for word in command_line[1:])
    return frozenset(_KEYS.get(match[1], match[1]) for match in found if match)


def twice_said(values: Mapping[str, Any], flags: Iterable[str]) -> str:
    """Return why the engine would not start with settings both in the file and as flags."""
    both = sorted(set(values) & set(flags))
    if not both:
        return ""
    return (
        f"dockerd gets {', '.join(both)} on its command line, and with {DAEMON_FILE} saying the "
        "same it would not "
        "start. Nothing was changed; see 'systemctl cat docker.service' and take it out of one of "
        "the two"
    )
