# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What k3s brings along: names of images and the manifests of its packaged components.

The components' names and files are k3s' (documentation, "Managing Packaged Components"); their
contents are reduced to what can be seen of them.
"""

from __future__ import annotations

from typing import Any

import yaml

from .store import Obj

COREDNS_IMAGE = "docker.io/rancher/mirrored-coredns-coredns:1.12.3"
HELM_IMAGE = "docker.io/rancher/klipper-helm:v0.9.8-build20250709"
LB_IMAGE = "docker.io/rancher/klipper-lb:v0.4.13"
LOCAL_PATH_IMAGE = "docker.io/rancher/local-path-provisioner:v0.0.31"
METRICS_IMAGE = "docker.io/rancher/mirrored-metrics-server:v0.8.0"
PAUSE_IMAGE = "docker.io/rancher/mirrored-pause:3.6"
TRAEFIK_IMAGE = "docker.io/rancher/mirrored-library-traefik:3.3.6"
BUSYBOX_IMAGE = "docker.io/rancher/mirrored-library-busybox:1.37.0"
#: Everything that the archive of images has.
IMAGES = (
    HELM_IMAGE,
    LB_IMAGE,
    LOCAL_PATH_IMAGE,
    COREDNS_IMAGE,
    BUSYBOX_IMAGE,
    TRAEFIK_IMAGE,
    METRICS_IMAGE,
    PAUSE_IMAGE,
)
SYSTEM = "kube-system"


def _crd(group: str, kind: str, plural: str, columns: tuple[tuple[str, str], ...]) -> Obj:
    rows = [{"name": name, "type": "string", "jsonPath": path} for name, path in columns]
    version: dict[str, Any] = {"name": "v1", "served": True, "storage": True}
    version["schema"] = {
        "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    }
    if rows:
        version["additionalPrinterColumns"] = rows
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
    return {
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
    }


#: Kinds that k3s and its helm controller register at their start.
CRDS: tuple[Obj, ...] = (
    _crd(
        "k3s.cattle.io",
        "Addon",
        "addons",
        (("Source", ".spec.source"), ("Checksum", ".spec.checksum")),
    ),
    _crd("k3s.cattle.io", "ETCDSnapshotFile", "etcdsnapshotfiles", ()),
    _crd(
        "helm.cattle.io",
        "HelmChart",
        "helmcharts",
        (
            ("Repo", ".spec.repo"),
            ("Chart", ".spec.chart"),
            ("Version", ".spec.version"),
            ("TargetNamespace", ".spec.targetNamespace"),
            ("Job", ".status.jobName"),
        ),
    ),
    _crd("helm.cattle.io", "HelmChartConfig", "helmchartconfigs", ()),
)


def _deployment(name: str, image: str) -> Obj:
    labels = {"k8s-app": name}
    tolerations = [
        {"key": "CriticalAddonsOnly", "operator": "Exists"},
        {
            "key": "node-role.kubernetes.io/control-plane",
            "operator": "Exists",
            "effect": "NoSchedule",
        },
    ]
    spec = {"containers": [{"name": name, "image": image}], "tolerations": tolerations}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": SYSTEM, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }


def _service(name: str, app: str, port: int, address: str = "") -> Obj:
    spec: dict[str, Any] = {"selector": {"k8s-app": app}, "ports": [{"port": port}]}
    if address:
        spec["clusterIP"] = address
        spec["ports"] = [
            {"name": "dns", "port": port, "protocol": "UDP"},
            {"name": "dns-tcp", "port": port, "protocol": "TCP"},
        ]
    meta = {"name": name, "namespace": SYSTEM}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def _runtime_class(name: str) -> Obj:
    meta = {"name": name}
    kind = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass"}
    return {**kind, "metadata": meta, "handler": name}


def _chart(name: str) -> Obj:
    spec = {"chart": f"https://%{{KUBERNETES_API}}%/static/charts/{name}.tgz"}
    meta = {"name": name, "namespace": SYSTEM}
    return {"apiVersion": "helm.cattle.io/v1", "kind": "HelmChart", "metadata": meta, "spec": spec}


_STORAGE_CLASS: Obj = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {
        "name": "local-path",
        "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
    },
    "provisioner": "rancher.io/local-path",
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "WaitForFirstConsumer",
}


def packaged(cluster_dns: str) -> dict[str, list[Obj]]:
    """Return the manifests by file, relative to the folder of manifests."""
    dns = _service("kube-dns", "kube-dns", 53, cluster_dns)
    coredns = _deployment("coredns", COREDNS_IMAGE)
    coredns["spec"]["selector"]["matchLabels"] = {"k8s-app": "kube-dns"}
    coredns["spec"]["template"]["metadata"]["labels"] = {"k8s-app": "kube-dns"}
    runtimes = ("nvidia", "nvidia-experimental", "crun", "wasmtime", "spin", "slight")
    return {
        "coredns.yaml": [coredns, dns],
        "local-storage.yaml": [
            _STORAGE_CLASS,
            _deployment("local-path-provisioner", LOCAL_PATH_IMAGE),
        ],
        "metrics-server/metrics-server-deployment.yaml": [
            _deployment("metrics-server", METRICS_IMAGE)
        ],
        "metrics-server/metrics-server-service.yaml": [
            _service("metrics-server", "metrics-server", 443)
        ],
        "runtimes.yaml": [_runtime_class(name) for name in runtimes],
        "traefik.yaml": [_chart("traefik-crd"), _chart("traefik")],
    }


def component(path: str) -> str:
    """Return the name by which a packaged file is disabled."""
    return path.split("/")[0].split(".")[0]


def text_of(objects: list[Obj]) -> str:
    """Return objects as a manifest."""
    return yaml.safe_dump_all(objects, sort_keys=True)
