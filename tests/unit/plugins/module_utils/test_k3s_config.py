"""Claims about what a k3s node's settings come to."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_config import (
    K3sConfigError,
    config,
    token_prefix,
)

HASH = "6f2d1e3b7c0a4f5e8d9c6b1a2f3e4d5c6b7a8f9e0d1c2b3a4f5e6d7c8b9a0f1e"
AGENT = {
    "kind": "agent",
    "node_name": "gpu-02",
    "node_address": "198.19.1.12",
    "node_interface": "eth1",
    "join_address": "198.19.1.11",
    "api_port": 6443,
}
SERVER = {
    "kind": "server",
    "node_name": "gpu-01",
    "node_address": "198.19.1.11",
    "node_interface": "eth1",
    "join_address": "",
    "api_port": 6443,
    "node_port_first": 30000,
    "node_port_last": 32767,
    "cluster_cidr": "10.42.0.0/16",
    "service_cidr": "10.43.0.0/16",
    "flannel_backend": "vxlan",
    "secrets_encryption": True,
}


def test_an_agent_joins_by_address_and_has_only_an_agents_keys() -> None:
    assert config(AGENT) == {
        "node-name": "gpu-02",
        "node-ip": "198.19.1.12",
        "flannel-iface": "eth1",
        "token-file": "/etc/rancher/k3s/token",
        "server": "https://198.19.1.11:6443",
    }


def test_a_single_server_founds_a_cluster_without_etcd() -> None:
    assert config(SERVER) == {
        "node-name": "gpu-01",
        "node-ip": "198.19.1.11",
        "flannel-iface": "eth1",
        "token-file": "/etc/rancher/k3s/token",
        "agent-token-file": "/etc/rancher/k3s/agent-token",
        "advertise-address": "198.19.1.11",
        "https-listen-port": 6443,
        "tls-san": ["198.19.1.11", "gpu-01"],
        "cluster-cidr": "10.42.0.0/16",
        "service-cidr": "10.43.0.0/16",
        "service-node-port-range": "30000-32767",
        "flannel-backend": "vxlan",
        "secrets-encryption": True,
        "write-kubeconfig-mode": "0600",
    }


@pytest.mark.parametrize(
    ("more", "key", "expected"),
    [
        pytest.param({"ha": True}, "cluster-init", True, id="first-of-several-begins-etcd"),
        pytest.param(
            {"ha": True, "join_address": "198.19.1.9"}, "cluster-init", None, id="others-do-not"
        ),
        pytest.param(
            {"ha": True, "join_address": "198.19.1.9", "api_port": 7443},
            "server",
            "https://198.19.1.9:7443",
            id="others-join-at-the-api-port",
        ),
        pytest.param(
            {"join_address": "fd00::9"}, "server", "https://[fd00::9]:6443", id="ipv6-in-brackets"
        ),
        pytest.param({"flannel_backend": "none"}, "flannel-iface", None, id="own-network"),
        pytest.param(
            {"flannel_backend": "none"},
            "disable-network-policy",
            True,
            id="own-network-without-policies-of-k3s",
        ),
        pytest.param({}, "disable-network-policy", None, id="policies-with-flannel"),
        pytest.param(
            {"tls_sans": ["api.lab", "gpu-01"]},
            "tls-san",
            ["198.19.1.11", "gpu-01", "api.lab"],
            id="names-once",
        ),
        pytest.param({"disable": ["traefik"]}, "disable", ["traefik"], id="disabled"),
        pytest.param({"disable": []}, "disable", None, id="nothing-disabled"),
        pytest.param({"secrets_encryption": False}, "secrets-encryption", False, id="in-clear"),
        pytest.param(
            {"protect_kernel_defaults": True}, "protect-kernel-defaults", True, id="hardened"
        ),
        pytest.param(
            {"default_runtime": "nvidia", "gpu_vendors": ["nvidia", "amd"]},
            "default-runtime",
            "nvidia",
            id="runtime",
        ),
        pytest.param(
            {"default_runtime": "nvidia", "gpu_vendors": ["amd"]},
            "default-runtime",
            None,
            id="runtime-of-other-nodes",
        ),
        pytest.param(
            {"default_runtime": "nvidia"}, "default-runtime", None, id="runtime-without-gpus"
        ),
        pytest.param(
            {"default_runtime": "", "gpu_vendors": ["nvidia"]},
            "default-runtime",
            None,
            id="ordinary-runtime",
        ),
        pytest.param(
            {"artifact_dir": "/srv/k3s"}, "disable-default-registry-endpoint", True, id="air-gapped"
        ),
        pytest.param(
            {"artifact_dir": "/srv/k3s", "default_registry_endpoint_enabled": True},
            "disable-default-registry-endpoint",
            None,
            id="owner-wants-registries-all-the-same",
        ),
        pytest.param(
            {"default_registry_endpoint_enabled": False},
            "disable-default-registry-endpoint",
            True,
            id="owner-wants-mirrors-only",
        ),
        pytest.param({"ha": True, "etcd_metrics": True}, "etcd-expose-metrics", True, id="etcd"),
        pytest.param(
            {"ha": True, "etcd_metrics": False}, "etcd-expose-metrics", None, id="etcd-closed"
        ),
        pytest.param({"etcd_metrics": True}, "etcd-expose-metrics", None, id="without-etcd"),
        pytest.param(
            {"audit": {"audit-log-maxage": 30}},
            "kube-apiserver-arg",
            ["audit-log-maxage=30"],
            id="audit",
        ),
        pytest.param({"extra": {"debug": True}}, "debug", True, id="own-key"),
        pytest.param(
            {
                "audit": {"audit-log-maxage": 30},
                "extra": {"kube-apiserver-arg": ["v=2"], "kubelet-arg": "max-pods=50"},
            },
            "kube-apiserver-arg",
            ["audit-log-maxage=30", "v=2"],
            id="arguments-joined",
        ),
        pytest.param(
            {"extra": {"kubelet-arg": "max-pods=50"}},
            "kubelet-arg",
            ["max-pods=50"],
            id="one-argument-as-text",
        ),
    ],
)
def test_a_setting_becomes_its_key(more: dict[str, Any], key: str, expected: object) -> None:
    assert config({**SERVER, **more}).get(key) == expected


@pytest.mark.parametrize(
    ("more", "told"),
    [
        pytest.param({"kind": "worker"}, "k3s_kind is 'worker'", id="kind"),
        pytest.param({"node_address": ""}, "k3s_node_address is empty", id="no-address"),
        pytest.param({"node_interface": None}, "k3s_node_interface is empty", id="no-interface"),
        pytest.param(
            {"kind": "agent"}, "k3s_join_address is empty, expected the address", id="agent-alone"
        ),
        pytest.param(
            {"extra": {"node-ip": "198.19.1.1"}},
            "k3s_extra_config has node-ip, which k3s_node_address decides",
            id="owned",
        ),
        pytest.param(
            {"extra": {"tls-san+": ["x"]}},
            "k3s_extra_config has tls-san, which k3s_tls_sans decides",
            id="owned-with-a-plus",
        ),
        pytest.param({"extra": {"data-dir": "/srv"}}, "which this role needs as it is", id="fixed"),
        pytest.param(
            {"extra": {"bind-address": "198.19.1.11"}},
            "k3s_extra_config has bind-address on a server, expected none there",
            id="bound-to-one-address",
        ),
        pytest.param(
            {"flannel_backend": "none", "extra": {"disable-network-policy": False}},
            "which k3s_flannel_backend decides",
            id="policies-need-flannel",
        ),
        pytest.param(
            {
                "audit": {"audit-log-maxage": 30},
                "extra": {"kube-apiserver-arg": ["audit-log-maxage=7"]},
            },
            "which k3s_audit_max_age_days decides",
            id="audit-argument",
        ),
        pytest.param(
            {"extra": {"kubelet-arg": {"max-pods": 50}}},
            "expected a list of name=value",
            id="arguments-as-a-mapping",
        ),
    ],
)
def test_a_wrong_setting_is_named(more: dict[str, Any], told: str) -> None:
    with pytest.raises(K3sConfigError, match=f".*{told}"):
        config({**SERVER, **more})


def test_an_agent_gets_the_owners_keys_that_agents_know() -> None:
    extra = {
        "kubelet-arg+": ["max-pods=50"],
        "bind-address": "198.19.1.12",
        "debug": True,
        "etcd-snapshot-retention": 9,
        "kube-apiserver-arg": ["v=2"],
        "write-kubeconfig-group": "lab",
    }
    made = config({**AGENT, "extra": extra})
    assert {key: made[key] for key in made if key not in config(AGENT)} == {
        "kubelet-arg": ["max-pods=50"],
        "bind-address": "198.19.1.12",
        "debug": True,
    }


@pytest.mark.parametrize("key", ["tls-san", "data-dir"], ids=["owned", "fixed"])
def test_a_key_that_is_decided_elsewhere_is_refused_on_agents_too(key: str) -> None:
    with pytest.raises(K3sConfigError, match=f"k3s_extra_config has {key}"):
        config({**AGENT, "extra": {key: "x"}})


def test_policies_may_be_turned_off_with_flannel() -> None:
    more = {"extra": {"disable-network-policy": True}}
    assert config({**SERVER, **more})["disable-network-policy"] is True


def test_a_token_trusts_one_ca() -> None:
    assert token_prefix("node", HASH) == f"K10{HASH}::node:"


def test_check_mode_foresees_a_token_of_a_cluster_to_come() -> None:
    assert token_prefix("server", "", predicted=True) == "K10::server:"


@pytest.mark.parametrize(
    "ca_hash", [pytest.param("", id="none"), pytest.param(HASH[:-1] + "x", id="no-hash")]
)
def test_a_token_without_a_ca_is_refused(ca_hash: str) -> None:
    with pytest.raises(K3sConfigError, match=r"__k3s_service_result\.ca_hash"):
        token_prefix("server", ca_hash)
