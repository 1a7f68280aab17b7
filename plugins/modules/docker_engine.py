#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have Docker Engine run with the settings, proxy and trusted registries that are asked for."""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine
short_description: Have Docker Engine run with the settings that are asked for
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Joins settings with those in C(/etc/docker/daemon.json), writes the drop-in with the proxy and the certificates of registries,
    and has C(docker.service) enabled and running with all of them.
  - Everything is checked before the first change. Maps are joined by key and lists are joined, so what the owner wrote stays;
    of other values the one that is asked for wins. C(default-address-pools) is one decision and is replaced.
  - The engine's own check (C(dockerd --validate), from release 23.0) looks at the file before it is put in place.
  - An engine that runs is told of keys that it takes over while running (C(systemctl reload)); for others it is restarted. With
    running containers it is restarted only where C(live-restore) is on already and stays on, or with O(restart_running=true).
  - An engine that does not come up with the new files gets its old ones back and is started again.
  - What a killed run left is recognised by the age of the files against the engine's start or last reload.
attributes:
  check_mode:
    support: full
    description: Makes all checks and says what would be written and whether the engine would be started, reloaded or restarted.
  diff_mode:
    support: full
    description: Shows daemon.json, the drop-in without passwords, and the names of the other files.
  idempotent:
    support: full
    description: An engine that runs with the wanted files is left alone.
options:
  options:
    description: Settings as daemon.json writes them.
    type: dict
    default: {}
  address_pools:
    description:
      - Ranges that the engine cuts its networks from, each with C(base) and C(size), the prefix length of one network.
      - They must be private, apart from each other, from O(reserved_subnets) and from the node's routes.
      - "When not set: where the pools in daemon.json, or Docker's own, overlap one of these, what is left of them is written."
    type: list
    elements: dict
  reserved_subnets:
    description: Subnets that the engine must keep out of although the node has no route to them, such as those of a VPN.
    type: list
    elements: str
    default: []
  log_max_size:
    description:
      - Size at which a container's log is begun anew, with V(k), V(m) or V(g); V(-1) for no limit. For the log drivers json-file and local.
      - "When neither this nor O(log_max_files) is set: V(10m) and 3 files, where nothing is said about logs yet."
    type: str
  log_max_files:
    description: How many files of O(log_max_size) are kept for each container.
    type: int
  data_root:
    description: Folder for images, containers and volumes. Refused where the engine has containers in another one.
    type: path
  live_restore:
    description:
      - Whether containers go on while the engine is restarted.
      - "When not set: on, where daemon.json says nothing and the engine is in no swarm, which excludes it."
    type: bool
  registry_mirrors:
    description: Mirrors of docker.io.
    type: list
    elements: str
    default: []
  insecure_registries:
    description: Registries (host, host:port or subnet) that may be spoken to without a trusted certificate.
    type: list
    elements: str
    default: []
  cdi_enabled:
    description: Whether the engine takes devices by their CDI names. Not set, the release decides (on from 28.2).
    type: bool
  metrics_address:
    description:
      - Address and port, as ADDRESS:PORT, at which the engine serves its metrics in Prometheus' format. They are open to whoever reaches it.
      - Another C(metrics-addr) of the owner's, in daemon.json or on dockerd's command line, stays, with a warning.
      - A change restarts the engine. It does not start while the address is not the node's or the port is taken.
      - "When not set: nothing is changed about it; the engine's default is to serve none."
    type: str
  http_proxy:
    description: Proxy for plain HTTP.
    type: str
  https_proxy:
    description: Proxy for HTTPS; usually a C(http://) URL too.
    type: str
  no_proxy:
    description: Hosts, domains and subnets that are reached without a proxy.
    type: list
    elements: str
    default: []
  registry_ca_files:
    description: Certificates (files on the control node, PEM) that sign those of registries, by host or host:port.
    type: dict
    default: {}
  registry_certificates:
    description: The text of these files; filled in by the control node's half.
    type: dict
    default: {}
  users:
    description: Existing users to have in the group C(docker). Who is in it is as good as root.
    type: list
    elements: str
    default: []
  users_may_come:
    description: Whether a missing user is one that an earlier task would have made; for check mode, in which it did not.
    type: bool
    default: false
  restart_running:
    description: Whether running containers may be stopped by a restart.
    type: bool
    default: false
  timeout:
    description: Seconds to wait until the engine answers.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Run the engine with short logs, past the VPN's subnet
  rackforge.gpu_cluster.docker_engine:
    reserved_subnets: [172.20.0.0/16]
    log_max_size: 50m

- name: Ask what would happen
  rackforge.gpu_cluster.docker_engine:
    data_root: /srv/docker
  check_mode: true
"""

RETURN = r"""
done:
  description: What was done, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [write /etc/docker/daemon.json, restart docker.service]
settings:
  description: The settings in daemon.json.
  returned: success
  type: dict
  sample: {live-restore: true}
version:
  description: The engine's version; null in check mode.
  returned: success
  type: str
  sample: 28.2.2
"""

import os
import tempfile
import time
from dataclasses import dataclass
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_certificate import (
    CertificateError,
    certificates,
    is_registry_host,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_daemon import (
    DAEMON_FILE,
    DaemonError,
    Wishes,
    changed_keys,
    check_types,
    flags_of,
    merge,
    metrics_kept,
    parse_daemon,
    render_daemon,
    twice_said,
    wanted,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_node import (
    DockerNode,
    Seen,
    free_bytes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_pools import (
    PoolError,
    asked_pools,
    chosen_pools,
    explain_overlap,
    overlapping,
    parse_reserved,
    parse_routes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_proxy import (
    DROP_IN,
    Proxy,
    ProxyError,
    drop_in,
    hidden,
    not_in_effect,
    proxy_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_restart import (
    Files,
    Step,
    effects_missing,
    refusal,
    step_for,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.write_file import write_text

CERTIFICATES = "/etc/docker/certs.d"
CERTIFICATE = "rackforge.crt"
SPARE_BYTES = 65536


class EngineError(Exception):
    """The engine cannot be as asked; nothing was changed, or everything was put back."""


PROBLEMS = (EngineError, DaemonError, PoolError, ProxyError, CertificateError, CommandError)


@dataclass(frozen=True)
class File:
    """A file as it is and as it shall be; no text means that there is none."""

    path: str
    before: Optional[str]
    after: Optional[str]
    secret: bool = False
    time: float = 0.0

    @property
    def changes(self) -> bool:
        """Return whether it must be written or removed."""
        exposed = self.secret and self.after is not None and _mode(self.path) != 0o600
        return exposed or self.before != self.after


@dataclass(frozen=True)
class Plan:
    """Everything that is going to be done."""

    files: tuple[File, ...]
    settings: dict[str, Any]
    proxy: Proxy
    step: Step
    new_members: tuple[str, ...]
    enable: bool
    warnings: tuple[str, ...] = ()

    def done(self) -> list[str]:
        """Return one sentence for each change."""
        verbs = [
            f"{'remove' if f.after is None else 'write'} {f.path}" for f in self.files if f.changes
        ]
        verbs += [f"add {user} to group docker" for user in self.new_members]
        verbs += ["enable docker.service"] if self.enable else []
        return verbs + (
            [f"{self.step.value} docker.service"] if self.step is not Step.NOTHING else []
        )


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode & 0o777
    except OSError:
        return 0


def _text(path: str) -> Optional[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error}. Nothing was changed") from error


def _time(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def wishes_of(params: dict[str, Any]) -> Wishes:
    """Return what the options ask of daemon.json."""
    return Wishes(
        options=params["options"],
        log_max_size=params["log_max_size"],
        log_max_files=params["log_max_files"],
        data_root=params["data_root"],
        live_restore=params["live_restore"],
        registry_mirrors=tuple(params["registry_mirrors"]),
        insecure_registries=tuple(params["insecure_registries"]),
        cdi_enabled=params["cdi_enabled"],
        metrics_address=params["metrics_address"],
    )


def pools_and_warnings(
    params: dict[str, Any], present: dict[str, Any], seen: Seen
) -> tuple[Optional[list[dict[str, Any]]], list[str]]:
    """Return the pools to write (None leaves them) and what to warn of."""
    reserved = parse_reserved(params["reserved_subnets"])
    routes = parse_routes(seen.routes, seen.networks)
    staying = seen.networks
    if "bip" in params["options"]:  # The default bridge is going to move.
        staying = tuple(network for network in staying if network.name != "bridge")
    bad = overlapping(staying, reserved)
    if bad:
        raise EngineError(
            "Docker keeps addresses that it must not: "
            f"{'; '.join(explain_overlap(*row) for row in bad)}. "
            "Nothing was changed"
        )
    warnings = [explain_overlap(*row) for row in overlapping(staying, routes)]
    blocked = [*reserved, *routes]
    if params["address_pools"] is not None:
        return [pool.to_dict() for pool in asked_pools(params["address_pools"], blocked)], warnings
    if "default-address-pools" in params["options"]:
        asked_pools(params["options"]["default-address-pools"], blocked)
        return None, warnings
    chosen = chosen_pools(present.get("default-address-pools"), blocked)
    return (None if chosen is None else [pool.to_dict() for pool in chosen]), warnings


def certificate_files(params: dict[str, Any]) -> list[File]:
    """Return the files with the certificates of registries."""
    files = []
    for host, text in params["registry_certificates"].items():
        if not is_registry_host(host):
            raise EngineError(
                f"docker_registry_ca_files has '{host}', expected host or host:port. Nothing was "
                "changed"
            )
        path = f"{CERTIFICATES}/{host}/{CERTIFICATE}"
        files.append(File(path, _text(path), certificates(text), time=_time(path)))
    return files


def check_data_root(seen: Seen, keys: frozenset[str]) -> None:
    """Refuse another data-root while the present one holds containers."""
    root, containers = (
        str(seen.info.get("DockerRootDir", "")),
        int(seen.info.get("Containers") or 0),
    )
    if "data-root" in keys and containers:
        raise EngineError(
            f"docker_data_root: the engine has {containers} containers below {root}, which it "
            "would not see any "
            f"more. Nothing was changed; stop docker.service and docker.socket, copy {root} to the "
            "new place "
            f"('rsync -aHAX'), set data-root in {DAEMON_FILE} yourself, start docker.service, and "
            "run this again"
        )


def check_space(files: tuple[File, ...]) -> None:
    """Refuse to begin where the files would not fit."""
    for file in files:
        need = len((file.after or "").encode("utf-8", "surrogateescape")) + SPARE_BYTES
        if file.changes and file.after is not None and free_bytes(file.path) < need:
            raise EngineError(
                f"the disk under {file.path} is full: {free_bytes(file.path)} bytes are free, "
                f"{need} are needed. "
                "Nothing was changed; free space ('df -h' shows where)"
            )


def check_command_line(settings: dict[str, Any], present: dict[str, Any], seen: Seen) -> None:
    """Refuse settings that the engine gets on its command line already."""
    new = {key: settings[key] for key in changed_keys(present, settings) if key in settings}
    problem = twice_said(new, flags_of(seen.command_line))
    if problem:
        raise EngineError(problem)


def make_plan(params: dict[str, Any], seen: Seen, members: frozenset[str]) -> Plan:
    """Return what must be done, after everything was checked."""
    old = _text(DAEMON_FILE)
    present = parse_daemon(old or "")
    check_types(present, DAEMON_FILE)
    pools, warnings = pools_and_warnings(params, present, seen)
    flags = flags_of(seen.command_line)
    more = wanted(wishes_of(params), present, pools, flags, seen.swarm)
    kept = metrics_kept(params["metrics_address"], present, params["options"], flags)
    warnings += [kept] if kept else []
    settings = merge(present, more)
    check_types(settings, "docker_daemon_options")
    check_command_line(settings, present, seen)
    keys = changed_keys(present, settings)
    check_data_root(seen, keys)
    proxy = proxy_of(params["http_proxy"], params["https_proxy"], params["no_proxy"])
    proxy_file = File(DROP_IN, _text(DROP_IN), drop_in(proxy) or None, proxy.secret, _time(DROP_IN))
    text = render_daemon(old or "", present, settings)
    files = (
        File(DAEMON_FILE, old, text or old, time=_time(DAEMON_FILE)),
        proxy_file,
        *certificate_files(params),
    )
    check_space(files)
    now = Files(
        keys=keys,
        daemon_time=_time(DAEMON_FILE),
        drop_in_changes=proxy_file.before != proxy_file.after,
        drop_in_time=_time(DROP_IN),
        live_restore=settings.get("live-restore") is True or "live-restore" in flags,
    )
    step = step_for(seen.engine, now)
    no = refusal(seen.engine, now, step, params["restart_running"])
    if no:
        raise EngineError(no)
    new = tuple(user for user in params["users"] if user not in members)
    return Plan(files, settings, proxy, step, new, not seen.enabled, tuple(warnings))


def members_of_docker(command: Command, users: list[str], may_come: bool) -> frozenset[str]:
    """Return the members of the group docker, after a look whether all the users exist."""
    missing = [user for user in users if command.run(["getent", "passwd", user]).rc != 0]
    if missing and not may_come:
        raise EngineError(
            f"docker_users names {', '.join(missing)}, who {'is' if len(missing) == 1 else 'are'} "
            "no user of this "
            "node. Nothing was changed; make them first (os_base_admin_users does), or correct the "
            "name"
        )
    line = command.run(["getent", "group", "docker"]).out.strip() if users else ""
    return frozenset(line.rpartition(":")[2].split(","))


class Applier:
    """Carries a plan out, and takes it back when the engine does not come up."""

    def __init__(self, module: AnsibleModule, command: Command, node: DockerNode) -> None:
        self._module = module
        self._command = command
        self._node = node
        self._moved = False
        self._folders: list[str] = []

    def apply(self, plan: Plan, seen: Seen) -> str:
        """Return the version of the engine that runs with the plan's files."""
        began = time.time()
        try:
            for file in plan.files:
                if file.changes:
                    self._write(file.path, file.after, file.secret)
            self._moved = plan.step is not Step.NOTHING
            self._node.move(plan.step, seen, reload_units=plan.files[1].changes)
            info = self._node.wait(self._module.params["timeout"])
            self._effect(plan, info)
        except (CommandError, EngineError, OSError) as error:
            raise EngineError(self._undone(plan, seen, error, began)) from error
        for user in plan.new_members:
            self._command.need(["usermod", "--append", "--groups", "docker", user])
        return str(info.get("ServerVersion", ""))

    def validate(self, plan: Plan) -> None:
        """Have the engine's own check look at new settings; there is none before 23.0."""
        daemon = plan.files[0]
        if not daemon.changes or daemon.after is None:
            return
        handle, draft = tempfile.mkstemp(dir=self._module.tmpdir, suffix=".json")
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(daemon.after)
        problem = self._node.validate(draft).replace(draft, DAEMON_FILE)
        os.unlink(draft)
        if problem:
            raise EngineError(
                f"{DAEMON_FILE} would not be taken by the engine: {problem}. Nothing was changed; "
                "correct docker_daemon_options, or what stands in the file already"
            )

    def _write(self, path: str, text: Optional[str], secret: bool) -> None:
        if text is None:
            os.unlink(path)
            return
        folder = os.path.dirname(path)
        while not os.path.isdir(folder):
            self._folders.append(folder)
            folder = os.path.dirname(folder)
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        if secret:  # It must never be readable, not even for a moment.
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            os.chmod(path, 0o600)
        write_text(self._module, path, text)

    def _effect(self, plan: Plan, info: dict[str, Any]) -> None:
        settings = plan.settings
        rows = [
            ("live-restore", info.get("LiveRestoreEnabled"), settings.get("live-restore")),
            ("log-driver", info.get("LoggingDriver"), settings.get("log-driver")),
        ]
        wrong = effects_missing(
            (name, seen, asked) for name, seen, asked in rows if asked is not None
        )
        wrong += not_in_effect(plan.proxy, info)
        if wrong:
            raise EngineError(
                f"{'; '.join(wrong)}, which something else sets; 'systemctl cat docker.service' "
                "shows "
                "its command line and its drop-ins, of which the last in the alphabet wins"
            )

    def _undone(self, plan: Plan, seen: Seen, error: Exception, began: float) -> str:
        """Put the old files back, have the engine run with them, and return what to tell."""
        told = f"Docker Engine runs otherwise than asked: {error}. "
        if not isinstance(error, EngineError):
            reason = f"; its log says: {self._node.reason(began)}" if self._moved else ""
            told = f"Docker Engine did not come up as asked: {error}{reason}. "
        written = [file for file in plan.files if file.changes]
        if not written:
            return told + "Nothing was changed; see 'journalctl --unit docker.service' on this node"
        for file in written:
            self._put_back(file)
        for folder in sorted(self._folders, key=len, reverse=True):
            if os.path.isdir(folder) and not os.listdir(folder):
                os.rmdir(folder)
        back = f"The old state of {', '.join(file.path for file in written)} is back"
        if not self._moved:
            return f"{told}{back}"
        self._node.move_back(plan.step, seen.engine.active)
        try:
            self._node.wait(self._module.params["timeout"])
        except CommandError:
            where = "'journalctl --unit docker.service' on this node"
            return f"{told}{back}, but the engine does not run with it either; see {where}"
        return f"{told}{back}, and the engine runs with it"

    def _put_back(self, file: File) -> None:
        if file.before is not None:
            self._write(file.path, file.before, _mode(file.path) == 0o600)
            # As old as it was, or the next run would take it for one that the engine has not read.
            os.utime(file.path, (file.time, file.time))
        elif os.path.exists(file.path):
            os.unlink(file.path)


def diff_of(plan: Plan) -> list[dict[str, str]]:
    """Return what changes, without passwords."""
    daemon, proxy, *others = plan.files
    rows = [(daemon.path, daemon.before or "", daemon.after or "")] if daemon.changes else []
    if proxy.changes:
        rows.append((proxy.path, _hide(proxy.before), _hide(proxy.after)))
    rows += [(file.path, "", "(certificates)\n") for file in others if file.changes]
    shown = [{"before_header": p, "after_header": p, "before": b, "after": a} for p, b, a in rows]
    rest = [line for line in plan.done() if not line.startswith(("write ", "remove "))]
    return [*shown, {"before": "", "after": "".join(f"{line}\n" for line in rest)}]


def _hide(text: Optional[str]) -> str:
    return "".join(f"{hidden(line)}\n" for line in (text or "").splitlines())


def arguments() -> dict[str, Any]:
    """Return the module's argument spec."""
    texts = ("reserved_subnets", "registry_mirrors", "insecure_registries", "no_proxy", "users")
    spec: dict[str, Any] = {
        "options": {"type": "dict", "default": {}},
        "address_pools": {"type": "list", "elements": "dict"},
        "log_max_size": {"type": "str"},
        "log_max_files": {"type": "int"},
        "data_root": {"type": "path"},
        "live_restore": {"type": "bool"},
        "cdi_enabled": {"type": "bool"},
        "metrics_address": {"type": "str"},
        "http_proxy": {"type": "str", "no_log": True},
        "https_proxy": {"type": "str", "no_log": True},
        "registry_ca_files": {"type": "dict", "default": {}},
        "registry_certificates": {"type": "dict", "default": {}},
        "users_may_come": {"type": "bool", "default": False},
        "restart_running": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 60},
    }
    spec.update({name: {"type": "list", "elements": "str", "default": []} for name in texts})
    return spec


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=arguments(), supports_check_mode=True)
    command = Command(module)
    node, version = DockerNode(command), None
    try:
        seen = node.read()
        params = module.params
        members = members_of_docker(command, params["users"], params["users_may_come"])
        plan = make_plan(params, seen, members)
        for warning in plan.warnings:
            module.warn(warning)
        applier = Applier(module, command, node)
        applier.validate(plan)
        if not module.check_mode:
            version = applier.apply(plan, seen)
    except PROBLEMS as error:
        module.fail_json(msg=str(error))
        return
    done = plan.done()
    module.exit_json(
        changed=bool(done), done=done, settings=plan.settings, version=version, diff=diff_of(plan)
    )


if __name__ == "__main__":
    main()
