# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kinds of objects the API knows, built in or by CustomResourceDefinition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Optional

from .store import Key, Obj, Store

VERBS = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)
CRD_GROUP = "apiextensions.k8s.io"


@dataclass(frozen=True)
class Kind:
    """A kind of objects and where its API is."""

    group: str
    version: str
    resource: str
    kind: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def group_version(self) -> str:
        """Return what objects have as apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def key(self, namespace: str, name: str) -> Key:
        """Return where an object of this kind is kept."""
        return Key(self.group, self.resource, namespace if self.namespaced else "", name)


def _kinds(group: str, version: str, rows: Iterable[str]) -> list[Kind]:
    """Return kinds from rows "resource Kind [short,short] [/sub,sub] [cluster] [all]"."""
    kinds = []
    for row in rows:
        resource, kind, *more = row.split()
        short = [word for word in more if word[0] not in "/+" and word != "cluster"]
        subs = [word[1:] for word in more if word[0] == "/"]
        kinds.append(
            Kind(
                group=group,
                version=version,
                resource=resource,
                kind=kind,
                namespaced="cluster" not in more,
                short=tuple(short[0].split(",")) if short else (),
                subresources=tuple(subs[0].split(",")) if subs else (),
                categories=("all",) if "+all" in more else (),
            )
        )
    return kinds


CORE = (
    "bindings Binding",
    "componentstatuses ComponentStatus cs cluster",
    "configmaps ConfigMap cm",
    "endpoints Endpoints ep",
    "events Event ev",
    "limitranges LimitRange limits",
    "namespaces Namespace ns /status,finalize cluster",
    "nodes Node no /status,proxy cluster",
    "persistentvolumeclaims PersistentVolumeClaim pvc /status",
    "persistentvolumes PersistentVolume pv /status cluster",
    "pods Pod po /status,log,eviction,binding +all",
    "podtemplates PodTemplate",
    "replicationcontrollers ReplicationController rc /status,scale +all",
    "resourcequotas ResourceQuota quota /status",
    "secrets Secret",
    "serviceaccounts ServiceAccount sa",
    "services Service svc /status +all",
)
BUILT_IN: tuple[Kind, ...] = tuple(
    _kinds("", "v1", CORE)
    + _kinds(
        "apps",
        "v1",
        (
            "controllerrevisions ControllerRevision",
            "daemonsets DaemonSet ds /status +all",
            "deployments Deployment deploy /status,scale +all",
            "replicasets ReplicaSet rs /status,scale +all",
            "statefulsets StatefulSet sts /status,scale +all",
        ),
    )
    + _kinds("batch", "v1", ("cronjobs CronJob cj /status +all", "jobs Job /status +all"))
    + _kinds(
        "rbac.authorization.k8s.io",
        "v1",
        (
            "clusterrolebindings ClusterRoleBinding cluster",
            "clusterroles ClusterRole cluster",
            "rolebindings RoleBinding",
            "roles Role",
        ),
    )
    + _kinds(
        "networking.k8s.io",
        "v1",
        (
            "ingressclasses IngressClass cluster",
            "ingresses Ingress ing /status",
            "networkpolicies NetworkPolicy netpol",
        ),
    )
    + _kinds("policy", "v1", ("poddisruptionbudgets PodDisruptionBudget pdb /status",))
    + _kinds("coordination.k8s.io", "v1", ("leases Lease",))
    + _kinds("discovery.k8s.io", "v1", ("endpointslices EndpointSlice",))
    + _kinds("node.k8s.io", "v1", ("runtimeclasses RuntimeClass cluster",))
    + _kinds("scheduling.k8s.io", "v1", ("priorityclasses PriorityClass pc cluster",))
    + _kinds(
        "storage.k8s.io",
        "v1",
        ("csidrivers CSIDriver cluster", "storageclasses StorageClass sc cluster"),
    )
    + _kinds(
        CRD_GROUP,
        "v1",
        ("customresourcedefinitions CustomResourceDefinition crd,crds /status cluster",),
    )
    + _kinds("apiregistration.k8s.io", "v1", ("apiservices APIService /status cluster",))
    + _kinds(
        "admissionregistration.k8s.io",
        "v1",
        (
            "mutatingwebhookconfigurations MutatingWebhookConfiguration cluster",
            "validatingwebhookconfigurations ValidatingWebhookConfiguration cluster",
        ),
    )
    + _kinds("autoscaling", "v2", ("horizontalpodautoscalers HorizontalPodAutoscaler hpa /status",))
)


def kinds_of_crd(crd: Obj) -> list[Kind]:
    """Return what a CustomResourceDefinition adds."""
    spec: dict[str, Any] = crd.get("spec", {})
    names: dict[str, Any] = spec.get("names", {})
    kinds = []
    for version in spec.get("versions", []):
        if not version.get("served"):
            continue
        columns = tuple(
            (str(column["name"]), str(column["jsonPath"]))
            for column in version.get("additionalPrinterColumns", [])
        )
        kinds.append(
            Kind(
                group=spec["group"],
                version=version["name"],
                resource=names["plural"],
                kind=names["kind"],
                namespaced=spec.get("scope") != "Cluster",
                short=tuple(names.get("shortNames", ())),
                subresources=("status",) if "status" in version.get("subresources", {}) else (),
                columns=columns,
                categories=tuple(names.get("categories", ())),
            )
        )
    return kinds


class Registry:
    """All kinds there are at this moment."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def kinds(self) -> list[Kind]:
        """Return the kinds, built in first."""
        crds = self._store.every(CRD_GROUP, "customresourcedefinitions")
        return [*BUILT_IN, *(kind for crd in crds for kind in kinds_of_crd(crd))]

    def find(self, group: str, version: str, resource: str) -> Optional[Kind]:
        """Return the kind with this address, or None."""
        for kind in self.kinds():
            if (kind.group, kind.version, kind.resource) == (group, version, resource):
                return kind
        return None

    def of_object(self, obj: Obj) -> Optional[Kind]:
        """Return the kind that an object says it is, or None."""
        group, _, version = str(obj.get("apiVersion", "")).rpartition("/")
        for kind in self.kinds():
            if (kind.group, kind.version, kind.kind) == (group, version, obj.get("kind")):
                return kind
        return None


def built_in(resource: str) -> Kind:
    """Return the built-in kind called ``resource``."""
    return next(kind for kind in BUILT_IN if kind.resource == resource)
