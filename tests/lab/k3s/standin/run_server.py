# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`k3s server`: checks, files, then the API and the server's own agent until SIGTERM."""

from __future__ import annotations

import os
import re
import secrets
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.lab.k3s.standin import config, files, node, payload, run, tokens
from tests.lab.k3s.standin import server as api
from tests.lab.k3s.standin.agent import Agent, Identity
from tests.lab.k3s.standin.config import Settings
from tests.lab.k3s.standin.log import FatalError, info
from tests.lab.k3s.standin.metrics import Metrics

API_PORT = 6443
ETCD_METRICS_PORT = 2381
#: Loopback ports of the API, controller manager, scheduler and cloud controller manager.
SERVER_PORTS = (6444, 10257, 10258, 10259)
CLUSTER_CIDR = "10.42.0.0/16"
SERVICE_CIDR = "10.43.0.0/16"
CLUSTER_DNS = "10.43.0.10"
NODE_PORTS = "30000-32767"
#: Flags that must be the same on all servers (k3s documentation, k3s server: critical values).
CRITICAL = {
    "cluster-cidr": CLUSTER_CIDR,
    "service-cidr": SERVICE_CIDR,
    "cluster-dns": CLUSTER_DNS,
    "cluster-domain": "cluster.local",
    "flannel-backend": "vxlan",
    "secrets-encryption": "false",
    "disable-network-policy": "false",
    "disable-kube-proxy": "false",
    "disable-cloud-controller": "false",
    "disable-helm-controller": "false",
    "egress-selector-mode": "agent",
    "embedded-registry": "false",
    "flannel-ipv6-masq": "false",
    "flannel-external-ip": "false",
}
DISABLE = ("coredns", "servicelb", "traefik", "local-storage", "metrics-server", "runtimes")


def server(argv: Sequence[str]) -> int:
    """Run a server until SIGTERM."""
    settings = config.load("server", argv)
    run.started("server")
    name, address = run.identity_of(settings)
    check_server(settings)
    binaries = payload.unpack(settings.data_dir)
    folder = settings.data_dir / "server"
    files.private(folder, folder / "db", folder / "cred", folder / "tls", folder / "etc")
    folder.joinpath("manifests").mkdir(exist_ok=True)
    password, agent_password = passwords(settings, folder)
    join = _join_target(settings)
    try:
        if join and not (folder / "tls/server-ca.key").exists():
            _fetch(settings, join, password, folder)
        _check_passphrase(settings, folder, password, join)
        files.make_authorities(folder / "tls", int(time.time()))
        made = _server_settings(settings, name, address, (password, agent_password), join)
        files.write_certificates(
            folder / "tls",
            files.serving_names(name, address, made.service_cidr, settings.many("tls-san")),
        )
        files.admin_token(folder)
        files.encryption(folder, settings.on("secrets-encryption"))
        files.write_tokens(folder, password, agent_password)
        files.write(folder / "db/.passphrase", files.passphrase(password))
        failure = _serve(settings, made, binaries)
    except api.ServerError as error:
        text = str(error)
        raise FatalError(
            text
            if "starting kubernetes" in text
            else f"starting kubernetes: preparing server: {text}"
        ) from error
    if failure:
        raise FatalError(failure)
    return 0


def _serve(settings: Settings, made: Any, binaries: Path) -> str:
    """Run until SIGTERM and return what the server's own agent ended by, empty when by nothing."""
    roles = ("control-plane", "master", *(("etcd",) if made.ha else ()))
    token = tokens.secure(made.tls_ca.read_bytes(), "node", made.agent_password)
    identity = Identity(
        made.node_name,
        made.node_ip,
        made.version,
        f"https://127.0.0.1:{made.api_port}",
        token,
        roles,
    )
    shown = Metrics()
    worker = Agent(identity, settings, binaries, metrics=shown)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            worker.run(lambda: info("Started kubelet"))
        except BaseException as error:
            failures.append(error)
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=work, daemon=True)

    def ready() -> None:
        _write_kubeconfig(settings, made)
        info(
            f"Kube API server is now running, wrote kubeconfig "
            f"{settings.text('write-kubeconfig', files.KUBECONFIG)}"
        )
        info("k3s is up and running")
        run.notify("READY=1\n")
        if not settings.on("disable-agent"):
            thread.start()

    listeners = [run.listen(port) for port in SERVER_PORTS]
    api.run_server(made, ready, shown)
    worker.stop.set()
    for listener in listeners:
        listener.close()
    return str(failures[0]) if failures else ""


def check_server(settings: Settings) -> None:
    """Raise FatalError for settings with which k3s' server does not start."""
    backend = settings.text("flannel-backend", "vxlan")
    if backend not in config.BACKENDS:
        raise FatalError(f"invalid flannel-backend: unknown backend {backend}")
    if backend != "none":
        node.check_interface(settings.text("flannel-iface"))
    for name in settings.many("disable"):
        if name not in DISABLE and not re.fullmatch(r"[a-z0-9.-]+", name):
            raise FatalError(f"invalid disable item {name}")
    policy = settings.component("kube-apiserver-arg", "audit-policy-file")
    if policy and not Path(policy).is_file():
        raise FatalError(
            f"apiserver exited: loading audit policy file: failed to read file path "
            f'"{policy}": open {policy}: no such file or directory'
        )
    if settings.on("protect-kernel-defaults"):
        node.check_kernel()
    files.kubeconfig_mode(settings.text("write-kubeconfig-mode"))
    _node_ports(settings)
    node.check_free(settings.number("https-listen-port", API_PORT))
    for port in SERVER_PORTS:
        node.check_free(port, "127.0.0.1")


def passwords(settings: Settings, folder: Path) -> tuple[str, str]:
    """Return the server's and the agents' password; a first server without a token makes one."""
    text = files.read_token(settings.text("token"), settings.text("token-file"))
    kept = folder / "token"
    if not text and kept.exists():
        text = kept.read_text().strip()
    if not text and settings.text("server"):
        raise FatalError("--token is required to join a cluster")
    password = tokens.parse(text).password if text else secrets.token_hex(16)
    given = files.read_token(settings.text("agent-token"), settings.text("agent-token-file"))
    return password, tokens.parse(given).password if given else password


def _join_target(settings: Settings) -> Any:
    url = settings.text("server")
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme != "https":
        raise FatalError(f"only https:// URLs are supported, invalid scheme: {url}")
    return api.JoinTarget(parts.hostname or "", parts.port or API_PORT)


def _fetch(settings: Settings, join: Any, password: str, folder: Path) -> None:
    from tests.lab.k3s.standin import ha_client

    token = files.read_token(settings.text("token"), settings.text("token-file"))
    try:
        access = tokens.connect(settings.text("server"), token, "server")
    except tokens.AnswerError as error:
        raise FatalError(f"starting kubernetes: preparing server: {error}") from error
    trusted = folder / "tls" / "joined-ca.crt"
    files.write(trusted, access.certificate)
    for name, data in ha_client.fetch_bootstrap(join, password, trusted).items():
        files.write(folder / name, data)
    trusted.unlink()


def _check_passphrase(settings: Settings, folder: Path, password: str, join: Any) -> None:
    """Refuse a token other than the one that the stored data was encrypted with.

    After `k3s token rotate` the data of a cluster with several servers was encrypted anew, so a
    token that another server takes is right.
    """
    kept = folder / "db/.passphrase"
    if not kept.exists() or kept.read_text() == files.passphrase(password):
        return
    if join:
        try:
            url = settings.text("server")
            tokens.connect(url, password, "server").request("GET", "/v1-k3s/etcd/members")
            return
        except tokens.AnswerError:
            pass
    raise FatalError(
        "starting kubernetes: preparing server: bootstrap data already found and encrypted with "
        "different token"
    )


def _node_ports(settings: Settings) -> tuple[int, int]:
    text = settings.text("service-node-port-range", NODE_PORTS)
    first, _, last = text.partition("-")
    if not first.isdigit() or not last.isdigit() or int(first) > int(last):
        raise FatalError(f"invalid port range {text}")
    return int(first), int(last)


def _critical(settings: Settings) -> dict[str, str]:
    found = {}
    for name, default in CRITICAL.items():
        value = settings.values.get(name, default)
        if isinstance(value, list):
            value = ",".join(value)
        found[name] = str(value).lower() if isinstance(value, bool) else str(value)
    if "cluster-dns" not in settings.values and found["service-cidr"] != SERVICE_CIDR:
        found["cluster-dns"] = ""
    return found


def _server_settings(
    settings: Settings, name: str, address: str, secrets_: tuple[str, str], join: Any
) -> Any:
    folder = settings.data_dir / "server"
    critical = _critical(settings)
    ha = settings.on("cluster-init") or join is not None or (folder / "db/etcd").exists()
    grace = settings.component("kube-controller-manager-arg", "node-monitor-grace-period", "40s")
    return api.ServerSettings(
        node_name=name,
        node_ip=address,
        api_port=settings.number("https-listen-port", API_PORT),
        data_dir=settings.data_dir,
        version=payload.about()["version"],
        tls_ca=folder / "tls/server-ca.crt",
        tls_cert=folder / "tls/serving-kube-apiserver.crt",
        tls_key=folder / "tls/serving-kube-apiserver.key",
        server_password=secrets_[0],
        agent_password=secrets_[1],
        join=join,
        ha=ha,
        cluster_cidr=critical["cluster-cidr"].split(",")[0],
        service_cidr=critical["service-cidr"].split(",")[0],
        metrics_port=ETCD_METRICS_PORT,
        expose_etcd_metrics=settings.on("etcd-expose-metrics"),
        node_ports=_node_ports(settings),
        manifests_dir=folder / "manifests",
        disabled=frozenset(settings.many("disable")),
        critical=critical,
        grace_seconds=seconds(grace),
        bind_address=settings.text("bind-address", "0.0.0.0"),  # noqa: S104
        helm_controller=not settings.on("disable-helm-controller"),
    )


def seconds(text: str) -> float:
    """Return a Go duration such as 1m30s or 400ms in seconds."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    parts = re.findall(r"([0-9.]+)(ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise FatalError(f'time: invalid duration "{text}"')
    return sum(float(number) * units[unit] for number, unit in parts)


def _write_kubeconfig(settings: Settings, made: Any) -> None:
    path = Path(settings.text("write-kubeconfig", files.KUBECONFIG))
    text = files.kubeconfig(settings.data_dir / "server/tls", made.api_port)
    files.write(settings.data_dir / "server/cred/admin.kubeconfig", text)
    files.write(path, text, files.kubeconfig_mode(settings.text("write-kubeconfig-mode")))
