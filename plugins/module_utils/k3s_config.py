# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node's settings mean in the words of k3s's configuration file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_paths import (
    AGENT_TOKEN,
    TOKEN,
)


class K3sConfigError(ValueError):
    """Settings that make no configuration."""


#: Keys of config.yaml that a variable of the role decides.
OWNERS = {
    "node-name": "k3s_node_name",
    "node-ip": "k3s_node_address",
    "flannel-iface": "k3s_node_interface",
    "advertise-address": "k3s_node_address",
    "https-listen-port": "k3s_api_port",
    "token": "k3s_token",
    "token-file": "k3s_server_token_file",
    "agent-token": "k3s_agent_token_file",
    "agent-token-file": "k3s_agent_token_file",
    "cluster-init": "group k3s_server",
    "server": "group k3s_server",
    "secrets-encryption": "k3s_secrets_encryption",
    "cluster-cidr": "k3s_cluster_cidr",
    "service-cidr": "k3s_service_cidr",
    "flannel-backend": "k3s_flannel_backend",
    "service-node-port-range": "k3s_node_port_first and k3s_node_port_last",
    "tls-san": "k3s_tls_sans",
    "disable": "k3s_disable",
    "node-label": "k3s_labels",
    "node-taint": "k3s_taints",
    "disable-default-registry-endpoint": "k3s_default_registry_endpoint_enabled",
    "private-registry": "k3s_registries",
    "protect-kernel-defaults": "k3s_protect_kernel_defaults",
    "default-runtime": "k3s_default_runtime",
    "etcd-expose-metrics": "k3s_etcd_metrics",
}
#: Keys that this collection relies on as they are.
FIXED = ("data-dir", "write-kubeconfig", "write-kubeconfig-mode", "docker", "rootless")
#: Keys that only agents may have. k3s_service asks a server at 127.0.0.1 to replace its token.
NOT_ON_SERVERS = ("bind-address",)
#: Further keys that an agent knows. It does not start with any other, while a server leaves out
#: what it does not know. Source: k3s pkg/cli/cmds/agent.go and docs/cli/agent.md of 1.34.
AGENT_KEYS = frozenset(
    (
        *("debug", "v", "vmodule", "log", "alsologtostderr", "enable-pprof"),
        *("bind-address", "node-external-ip", "node-internal-dns", "node-external-dns"),
        *("resolv-conf", "flannel-conf", "flannel-cni-conf", "vpn-auth", "vpn-auth-file"),
        *("lb-server-port", "disable-apiserver-lb", "with-node-id", "kubelet-arg"),
        *("kube-proxy-arg", "selinux", "snapshotter", "pause-image", "prefer-bundled-bin"),
        *("nonroot-devices", "container-runtime-endpoint", "image-service-endpoint"),
        *("image-credential-provider-bin-dir", "image-credential-provider-config"),
        "airgap-extra-registry",
    )
)
#: Arguments of the API server that the audit log takes.
AUDIT_VARIABLES = {
    "audit-log-path": "k3s_audit_log_path",
    "audit-policy-file": "k3s_audit_enabled",
    "audit-log-maxage": "k3s_audit_max_age_days",
    "audit-log-maxbackup": "k3s_audit_max_backups",
    "audit-log-maxsize": "k3s_audit_max_size_mib",
}
_API_ARGUMENTS = "kube-apiserver-arg"


def config(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys and values of config.yaml; K3sConfigError says which setting is wrong."""
    _check(settings)
    made = _common(settings)
    if settings["kind"] == "server":
        made.update(_server(settings))
    return _with_extra(made, settings)


def _check(settings: Mapping[str, Any]) -> None:
    if settings.get("kind") not in ("server", "agent"):
        raise K3sConfigError(
            f"k3s_kind is '{settings.get('kind')}', expected server or agent; the playbooks set it"
        )
    for key in ("node_address", "node_interface"):
        if not settings.get(key):
            raise K3sConfigError(
                f"k3s_{key} is empty, expected what node_probe found; set my_iface to the "
                "interface on the cluster network, or run node_probe before this role"
            )
    if settings["kind"] == "agent" and not settings.get("join_address"):
        raise K3sConfigError(
            "k3s_join_address is empty, expected the address of a server that this agent joins"
        )


def _common(settings: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "node-name": settings["node_name"],
        "node-ip": settings["node_address"],
        "token-file": TOKEN,
    }
    if settings.get("join_address"):
        made["server"] = f"https://{_host(settings['join_address'])}:{settings['api_port']}"
    if settings.get("flannel_backend") != "none":
        made["flannel-iface"] = settings["node_interface"]
    if settings.get("protect_kernel_defaults"):
        made["protect-kernel-defaults"] = True
    # k3s does not start with a runtime that it does not find, and only GPU nodes have the toolkit.
    if settings.get("default_runtime") in (settings.get("gpu_vendors") or ()):
        made["default-runtime"] = settings["default_runtime"]
    if not _asks_default_registries(settings):
        made["disable-default-registry-endpoint"] = True
    return made


def _asks_default_registries(settings: Mapping[str, Any]) -> bool:
    chosen = settings.get("default_registry_endpoint_enabled")
    return not settings.get("artifact_dir") if chosen is None else bool(chosen)


def _server(settings: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "agent-token-file": AGENT_TOKEN,
        "advertise-address": settings["node_address"],
        "https-listen-port": settings["api_port"],
        "tls-san": _names(settings),
        "cluster-cidr": settings["cluster_cidr"],
        "service-cidr": settings["service_cidr"],
        "service-node-port-range": f"{settings['node_port_first']}-{settings['node_port_last']}",
        "flannel-backend": settings["flannel_backend"],
        "secrets-encryption": bool(settings["secrets_encryption"]),
        "write-kubeconfig-mode": "0600",
    }
    if settings.get("ha") and not settings.get("join_address"):
        made["cluster-init"] = True
    if settings.get("ha") and settings.get("etcd_metrics"):
        made["etcd-expose-metrics"] = True
    if settings["flannel_backend"] == "none":
        made["disable-network-policy"] = True
    if settings.get("disable"):
        made["disable"] = list(settings["disable"])
    if settings.get("audit"):
        made[_API_ARGUMENTS] = [f"{key}={value}" for key, value in settings["audit"].items()]
    return made


def _names(settings: Mapping[str, Any]) -> list[str]:
    """Return the names in the API's certificate: this server's own, and the owner's.

    The other servers' are left out, so that a new server restarts none of the old ones.
    """
    own = [settings["node_address"], settings["node_name"]]
    return list(dict.fromkeys([*own, *settings.get("tls_sans", [])]))


def _with_extra(made: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with the owner's own keys; lists of arguments are joined.

    An agent gets those that agents know, so that one k3s_extra_config can serve all nodes.
    """
    for name, value in (settings.get("extra") or {}).items():
        key = str(name).rstrip("+")
        _refuse_owned(key, made)
        if settings["kind"] == "agent" and key not in AGENT_KEYS:
            continue
        _refuse_on_servers(key, settings["kind"])
        if key.endswith("-arg"):
            mine, yours = made.get(key, []), _arguments(key, value)
            _refuse_audit(mine, yours)
            made[key] = [*mine, *yours]
        else:
            made[str(name)] = value
    return made


def _refuse_owned(key: str, made: Mapping[str, Any]) -> None:
    if key in OWNERS or (key == "disable-network-policy" and key in made):
        owner = OWNERS.get(key, "k3s_flannel_backend")
        raise K3sConfigError(
            f"k3s_extra_config has {key}, which {owner} decides; take it out and set {owner}"
        )
    if key in FIXED:
        raise K3sConfigError(
            f"k3s_extra_config has {key}, which this role needs as it is; take it out"
        )


def _refuse_on_servers(key: str, kind: str) -> None:
    if key in NOT_ON_SERVERS and kind == "server":
        raise K3sConfigError(
            f"k3s_extra_config has {key} on a server, expected none there: the server must answer "
            "at 127.0.0.1, where this role replaces its token; take it out, and keep strangers "
            "from the API with os_base_firewall: enforce"
        )


def _refuse_audit(mine: Sequence[str], yours: Sequence[str]) -> None:
    taken = {argument.partition("=")[0] for argument in mine}
    for argument in yours:
        name = argument.partition("=")[0]
        if name in taken:
            raise K3sConfigError(
                f"k3s_extra_config has {_API_ARGUMENTS} {name}, which {AUDIT_VARIABLES[name]} "
                "decides; take it out, or set k3s_audit_enabled to false"
            )


def _arguments(key: str, value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
        return list(value)
    raise K3sConfigError(f"k3s_extra_config has {key}: {value!r}, expected a list of name=value")


def _host(address: str) -> str:
    """Return an address as it stands in a URL."""
    return f"[{address}]" if ":" in address else address


def token_prefix(user: str, ca_hash: str, predicted: bool = False) -> str:
    """Return what stands before the password in a secure token.

    While nothing is done yet (``predicted``), the hash of a CA to come is not known.
    """
    known = len(ca_hash) == 64 and all(each in "0123456789abcdef" for each in ca_hash)
    if not known and not (predicted and not ca_hash):
        raise K3sConfigError(
            f"k3s_ca_hash is '{ca_hash}', expected the 64 hexadecimal digits that the first "
            "server's install registers as __k3s_service_result.ca_hash; without it this node "
            "would send its token to whoever answers at k3s_join_address. When the first server "
            "failed, mend what its message says, then run provision.yml again"
        )
    return f"K10{ca_hash}::{user}:"
