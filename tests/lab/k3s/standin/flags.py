# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flags of k3s 1.33's server and agent, and how its command line library reads them.

Names, kinds, short forms and environment variables are those of the k3s documentation (CLI Tools,
k3s server and k3s agent). Messages about wrong flags are urfave/cli's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from tests.lab.k3s.standin.log import FatalError

#: Flags by kind: s(tring), b(ool), i(nteger), l(ist). A short form follows a comma.
_COMMON = """
s config,c
b debug
i v
s vmodule
s log,l
b alsologtostderr
s token,t
s token-file
s server,s
s data-dir,d
s node-name
b with-node-id
l node-label
l node-taint
s image-credential-provider-bin-dir
s image-credential-provider-config
b selinux
i lb-server-port
b protect-kernel-defaults
s container-runtime-endpoint
s default-runtime
s image-service-endpoint
b disable-default-registry-endpoint
b nonroot-devices
s pause-image
s snapshotter
s private-registry
l airgap-extra-registry
l node-ip,i
s bind-address
l node-external-ip
l node-internal-dns
l node-external-dns
s resolv-conf
s flannel-iface
s flannel-conf
s flannel-cni-conf
l kubelet-arg
l kube-proxy-arg
b enable-pprof
b rootless
b prefer-bundled-bin
b disable-selinux
b docker
b no-flannel
s cluster-secret
s vpn-auth
s vpn-auth-file
"""
_SERVER = """
i https-listen-port
i supervisor-port
i apiserver-port
s apiserver-bind-address
s advertise-address
i advertise-port
l tls-san
b tls-san-security
l cluster-cidr
l service-cidr
s service-node-port-range
l cluster-dns
s cluster-domain
s flannel-backend
b flannel-ipv6-masq
b flannel-external-ip
s egress-selector-mode
s servicelb-namespace
s write-kubeconfig,o
s write-kubeconfig-mode
s write-kubeconfig-group
s helm-job-image
s agent-token
s agent-token-file
b cluster-init
b cluster-reset
s cluster-reset-restore-path
l kube-apiserver-arg
l etcd-arg
l kube-controller-manager-arg
l kube-scheduler-arg
l kube-cloud-controller-manager-arg
b kine-tls
s datastore-endpoint
s datastore-cafile
s datastore-certfile
s datastore-keyfile
b etcd-expose-metrics
b etcd-disable-snapshots
s etcd-snapshot-name
s etcd-snapshot-schedule-cron
i etcd-snapshot-retention
s etcd-snapshot-dir
b etcd-snapshot-compress
b etcd-s3
s etcd-s3-endpoint
s etcd-s3-endpoint-ca
b etcd-s3-skip-ssl-verify
s etcd-s3-access-key
s etcd-s3-secret-key
s etcd-s3-session-token
s etcd-s3-bucket
s etcd-s3-bucket-lookup-type
s etcd-s3-region
s etcd-s3-folder
s etcd-s3-proxy
s etcd-s3-config-secret
b etcd-s3-insecure
i etcd-s3-retention
s etcd-s3-timeout
s default-local-storage-path
l disable
b disable-scheduler
b disable-cloud-controller
b disable-kube-proxy
b disable-network-policy
b disable-helm-controller
b disable-agent
b disable-apiserver
b disable-controller-manager
b disable-etcd
b embedded-registry
b supervisor-metrics
b secrets-encryption
s secrets-encryption-provider
s system-default-registry
"""
_AGENT = """
b disable-apiserver-lb
"""
_ENVIRONMENT = {
    "token": "K3S_TOKEN",
    "token-file": "K3S_TOKEN_FILE",
    "agent-token": "K3S_AGENT_TOKEN",
    "agent-token-file": "K3S_AGENT_TOKEN_FILE",
    "server": "K3S_URL",
    "node-name": "K3S_NODE_NAME",
    "cluster-init": "K3S_CLUSTER_INIT",
    "write-kubeconfig": "K3S_KUBECONFIG_OUTPUT",
    "write-kubeconfig-mode": "K3S_KUBECONFIG_MODE",
    "data-dir": "K3S_DATA_DIR",
    "selinux": "K3S_SELINUX",
    "resolv-conf": "K3S_RESOLV_CONF",
    "datastore-endpoint": "K3S_DATASTORE_ENDPOINT",
}
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")


def table(command: str) -> dict[str, tuple[str, str]]:
    """Return kind and full name of every flag of a command, by full name and short form."""
    text = _COMMON + (_SERVER if command == "server" else _AGENT)
    found = {}
    for row in text.split("\n"):
        if row:
            kind, names = row.split(" ")
            full = names.split(",")[0]
            found.update(dict.fromkeys(names.split(","), (kind, full)))
    return found


def parse(command: str, argv: Sequence[str]) -> dict[str, Any]:
    """Return the values that arguments give, or raise the message that urfave/cli ends with."""
    known = table(command)
    values: dict[str, Any] = {}
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--" or not word.startswith("-") or word == "-":
            break
        name, given, text = word.lstrip("-").partition("=")
        if name not in known:
            raise FatalError(f"flag provided but not defined: -{name}")
        kind, full = known[name]
        if kind == "b":
            text = text if given else "true"
        elif not given:
            if not rest:
                raise FatalError(f"flag needs an argument: -{name}")
            text = rest.pop(0)
        _store(values, kind, full, text)
    _from_environment(known, values, os.environ)
    return values


def _store(values: dict[str, Any], kind: str, name: str, text: str) -> None:
    if kind == "l":
        values.setdefault(name, []).extend(text.split(","))
    elif kind == "b":
        if text not in _TRUE + _FALSE:
            raise FatalError(f'invalid boolean value "{text}" for -{name}: parse error')
        values[name] = text in _TRUE
    elif kind == "i":
        if not text.lstrip("-").isdigit():
            raise FatalError(f'invalid value "{text}" for flag -{name}: parse error')
        values[name] = int(text)
    else:
        values[name] = text


def _from_environment(
    known: Mapping[str, tuple[str, str]], values: dict[str, Any], environment: Mapping[str, str]
) -> None:
    for name, variable in _ENVIRONMENT.items():
        if name in known and name not in values and environment.get(variable):
            _store(values, known[name][0], name, environment[variable])
