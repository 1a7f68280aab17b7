# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action discover_nodes: see plugins/modules/discover_nodes.py for what it promises."""

from __future__ import annotations

import ipaddress
import os
import shlex
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Optional, Union

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.discovery import (
    PROBE,
    Machine,
    ProbeError,
    TargetError,
    expand_targets,
    merge_machines,
    parse_probe,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.discovery_inventory import (
    Discovered,
    render_inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import plural
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.probe_reason import one_line
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.known_hosts import look_up
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.ssh_login import (
    KeySession,
    LoginError,
    Policy,
    RefusedError,
    import_paramiko,
    log_in_with_password,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.ssh_route import (
    Route,
    RouteError,
    read_route,
    ssh_words,
)

display = Display()

ARGUMENTS = {
    "targets": {"type": "list", "elements": "str", "required": True},
    "user": {"type": "str", "default": ""},
    "port": {"type": "int", "default": 22},
    "private_key_file": {"type": "path", "default": ""},
    "output": {"type": "path", "default": "inv.ini"},
    "timeout": {"type": "int", "default": 3},
    "accept_new_host_keys": {"type": "bool", "default": True},
}
# How many ports are tried, and how many machines are logged in to, at the same time.
SCANS = 128
LOGINS = 16

Found = Union[Machine, str]


@dataclass(frozen=True)
class Scan:
    """What is looked for, and how machines are logged in to."""

    user: str
    port: int
    timeout: int
    words: tuple[str, ...]
    executable: str
    policy: Policy
    script: str
    password: str = field(default="", repr=False)
    #: Addresses that were not known before, with the key that was taken for the right one.
    new_keys: dict[str, str] = field(default_factory=dict)

    def answering(self, addresses: Sequence[str]) -> list[str]:
        """Return the addresses with an open SSH port, in their order."""
        with ThreadPoolExecutor(SCANS) as pool:
            open_ones = list(pool.map(self._is_open, addresses))
        return [each for each, is_open in zip(addresses, open_ones, strict=True) if is_open]

    def _is_open(self, address: str) -> bool:
        try:
            socket.create_connection((address, self.port), self.timeout).close()
        except OSError:
            return False
        return True

    def probe_all(self, addresses: Sequence[str]) -> dict[str, Found]:
        """Return the machine at each address, or why it did not let us in."""
        with ThreadPoolExecutor(LOGINS) as pool:
            return dict(zip(addresses, pool.map(self.probe, addresses), strict=True))

    def probe(self, address: str) -> Found:
        """Return the machine at one address, or why it did not let us in."""
        try:
            route = read_route(address, self.words, self.executable)
            names = (*route.known_hosts, *route.more_known_hosts)
            was_known = bool(look_up(route.known_hosts_name, names))
            machine = parse_probe(self._ask(route), address)
            known = look_up(route.known_hosts_name, names)
        except (RouteError, ProbeError) as error:
            return str(error)
        except LoginError as error:
            return one_line(str(error))
        if known and not was_known:
            self.new_keys[address] = known[0].fingerprint
        return replace(machine, host_key=known[0].fingerprint if known else "")

    def _ask(self, route: Route) -> str:
        """Return what the probe prints, by key or else with the password."""
        try:
            return KeySession(route, self.policy).run(self.script).out
        except RefusedError:
            if not self.password:
                raise
        session = log_in_with_password(route, self.password, self.policy)
        try:
            return session.run(self.script).out
        finally:
            session.close()


class ActionModule(ActionBase):  # type: ignore[misc]
    """Scans, asks, and writes an inventory once."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return where the inventory is, and what is in it."""
        super().run(tmp, task_vars)
        _result, args = self.validate_argument_spec(argument_spec=ARGUMENTS)
        try:
            addresses = expand_targets(args["targets"])
            scan = self._scan(args, task_vars or {})
            if scan.password:
                import_paramiko()
        except (TargetError, LoginError) as error:
            return {"failed": True, "msg": f"Nothing was scanned: {error}"}
        answering = scan.answering(addresses)
        display.display(
            f"\nAddresses asked: {len(addresses)}; with an SSH server on port {scan.port}:"
            f" {len(answering)}."
        )
        found = scan.probe_all(answering)
        for address, fingerprint in scan.new_keys.items():
            display.display(f"New host key taken for {address}: {fingerprint}")
        discovered = _discovered(args, addresses, answering, found, self._login(args, scan))
        if not discovered.machines:
            return {"failed": True, "msg": _nobody(discovered, scan)}
        return self._write(args["output"], discovered)

    def _scan(self, args: dict[str, Any], variables: dict[str, Any]) -> Scan:
        """Return how to look."""
        texts = [str(self.get_connection_option(n) or "") for n in ("ssh_args", *_OPTIONS)]
        user = args["user"] or str(self.get_connection_option("remote_user") or "")
        words = ssh_words(user, args["port"], texts)
        if args["private_key_file"]:
            words = ("-i", os.path.abspath(args["private_key_file"]), *words)
        found = constants.config.get_config_value(
            "INTERPRETER_PYTHON_FALLBACK", variables=variables
        )
        names = " ".join(str(each) for each in found)
        return Scan(
            user=user,
            port=args["port"],
            timeout=args["timeout"],
            words=words,
            executable=str(self.get_connection_option("ssh_executable") or "ssh"),
            policy=Policy(
                accept_new=args["accept_new_host_keys"], record_new=not self._task.check_mode
            ),
            script=f"candidates={shlex.quote(names)}\n{PROBE}",
            password=str(self.get_connection_option("password") or ""),
        )

    def _login(self, args: dict[str, Any], scan: Scan) -> dict[str, str]:
        """Return the variables that make Ansible log in as the scan did; no password among them."""
        values = {"ansible_user": scan.user}
        if args["port"] != 22:
            values["ansible_port"] = str(args["port"])
        if args["private_key_file"]:
            values["ansible_ssh_private_key_file"] = os.path.abspath(args["private_key_file"])
        for name in _OPTIONS:
            values[f"ansible_{name}"] = str(self.get_connection_option(name) or "")
        return {name: value for name, value in values.items() if value}

    def _write(self, output: str, discovered: Discovered) -> dict[str, Any]:
        """Write the inventory where no file is yet, and say where."""
        text = render_inventory(discovered)
        wanted = os.path.abspath(output)
        path, is_there = free_path(wanted, text)
        checks = text.count("# CHECK:")
        if not is_there and not self._task.check_mode:
            write_new(path, text)
        summary = (
            f"{plural(len(discovered.machines), 'machine')} in {path}, {plural(checks, 'line')} with"
            " CHECK."
        )
        if path != wanted:
            summary += f" {wanted} was there before and was not touched."
        display.display(f"{summary}\n")
        return {
            "changed": not is_there,
            "path": path,
            "checks": checks,
            "summary": summary,
            "hosts": [machine.address for machine in discovered.machines],
            "refused": dict(discovered.refused),
            "diff": {
                "before": text if is_there else "",
                "after": text,
                "before_header": path,
                "after_header": path,
            },
        }


_OPTIONS = ("ssh_common_args", "ssh_extra_args")


def _discovered(
    args: dict[str, Any],
    addresses: Sequence[str],
    answering: Sequence[str],
    found: dict[str, Found],
    login: dict[str, str],
) -> Discovered:
    """Return everything that the scan brought, as the inventory needs it."""
    machines = [each for each in found.values() if isinstance(each, Machine)]
    silent = [
        each for each in addresses if each not in answering and is_named(each, args["targets"])
    ]
    return Discovered(
        targets=tuple(args["targets"]),
        machines=tuple(merge_machines(machines)),
        refused={address: why for address, why in found.items() if isinstance(why, str)},
        silent=tuple(silent),
        login=login,
        count=len(addresses),
    )


def is_named(address: str, targets: Sequence[str]) -> bool:
    """Return whether an address was asked for by itself, not as part of a network."""
    words = {word for target in targets for word in target.replace(",", " ").split()}
    return not words.isdisjoint({address, f"{ipaddress.IPv4Address(address)}/32"})


def _nobody(discovered: Discovered, scan: Scan) -> str:
    """Return the message for a scan that no machine let in."""
    refused = [f"{address}: {why}" for address, why in discovered.refused.items()]
    if not refused:
        return (
            f"None of the {discovered.count} addresses has an SSH server on port {scan.port};"
            " check discover_targets and discover_port. No inventory was written."
        )
    return (
        f"No machine let {scan.user or 'us'} in; no inventory was written. Set discover_user, or"
        f" discover_private_key_file, or run again with -k. {'; '.join(refused[:5])}"
    )


def free_path(wanted: str, text: str) -> tuple[str, bool]:
    """Return the first path beside ``wanted`` that is free or holds ``text`` already, and which."""
    stem, end = os.path.splitext(wanted)
    number = 1
    path = wanted
    while os.path.lexists(path):
        try:
            with open(path, encoding="utf-8") as file:
                if file.read() == text:
                    return path, True
        except (OSError, UnicodeDecodeError):
            pass
        number += 1
        path = f"{stem}-{number}{end}"
    return path, False


def write_new(path: str, text: str) -> None:
    """Write a file that must not be there yet, whole or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    draft = f"{path}.{os.getpid()}.new"
    with open(draft, "x", encoding="utf-8") as file:
        file.write(text)
    try:
        os.link(draft, path)
    finally:
        os.unlink(draft)
