# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API fills in and refuses when objects are made or changed."""

from __future__ import annotations

import base64
import copy
import ipaddress
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .objects import Kind
from .store import ApiError, Key, Obj, Store, now_text

_NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
#: Names of these may have more characters (role names have colons).
_FREE_NAMES = ("clusterroles", "clusterrolebindings", "roles", "rolebindings")
_POD_DEFAULTS = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "terminationGracePeriodSeconds": 30,
}


@dataclass(frozen=True)
class Limits:
    """What the server's flags say about services."""

    service_cidr: str = "10.43.0.0/16"
    node_ports: tuple[int, int] = (30000, 32767)


def invalid(kind: Kind, name: str, text: str) -> ApiError:
    """Return the error for an object whose contents are refused."""
    details = {"name": name, "group": kind.group, "kind": kind.kind}
    return ApiError(422, "Invalid", f'{kind.kind} "{name}" is invalid: {text}', details)


def not_found(kind: Kind, name: str) -> ApiError:
    """Return the error for an object that is not there."""
    called = f"{kind.resource}.{kind.group}" if kind.group else kind.resource
    details = {"name": name, "group": kind.group, "kind": kind.resource}
    return ApiError(404, "NotFound", f'{called} "{name}" not found', details)


def _check_name(kind: Kind, name: str) -> None:
    if kind.resource in _FREE_NAMES:
        return
    if not _NAME.match(name) or len(name) > 253:
        text = (
            f'metadata.name: Invalid value: "{name}": a lowercase RFC 1123 subdomain must consist '
            "of lower case alphanumeric characters, '-' or '.', and must start and end with an "
            "alphanumeric character"
        )
        raise invalid(kind, name, text)


def _check_namespace(store: Store, kind: Kind, obj: Obj) -> None:
    name = obj["metadata"].get("namespace", "")
    space = store.get(Key("", "namespaces", "", name))
    if space is None:
        raise ApiError(
            404,
            "NotFound",
            f'namespaces "{name}" not found',
            {"name": name, "kind": "namespaces"},
        )
    if space["metadata"].get("deletionTimestamp"):
        what = f'{kind.resource} "{obj["metadata"]["name"]}" is forbidden: unable to create new '
        text = f"{what}content in namespace {name} because it is being terminated"
        raise ApiError(403, "Forbidden", text)


def _namespace(_store: Store, _kind: Kind, obj: Obj, _limits: Limits) -> None:
    labels = obj["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = obj["metadata"]["name"]
    obj["spec"] = {"finalizers": ["kubernetes"]}
    obj["status"] = {"phase": "Active"}


def _secret(_store: Store, kind: Kind, obj: Obj, _limits: Limits) -> None:
    texts = obj.pop("stringData", None) or {}
    data = obj.setdefault("data", {}) or {}
    for name, text in texts.items():
        data[name] = base64.b64encode(str(text).encode()).decode()
    for name, text in data.items():
        try:
            base64.b64decode(text, validate=True)
        except ValueError:
            place = f"data.{name}: illegal base64 data"
            raise invalid(kind, obj["metadata"]["name"], place) from None
    obj["data"] = data
    obj.setdefault("type", "Opaque")
    account = "kubernetes.io/service-account.name"
    if obj["type"] == "kubernetes.io/service-account-token" and not (
        obj["metadata"].get("annotations") or {}
    ).get(account):
        name = obj["metadata"]["name"]
        raise invalid(kind, name, f"metadata.annotations[{account}]: Required value")


def _pod(_store: Store, kind: Kind, obj: Obj, _limits: Limits) -> None:
    spec = obj.get("spec") or {}
    if not spec.get("containers"):
        raise invalid(kind, obj["metadata"]["name"], "spec.containers: Required value")
    for name, value in _POD_DEFAULTS.items():
        spec.setdefault(name, value)
    spec.setdefault("serviceAccountName", "default")
    tolerations = list(spec.get("tolerations", []))
    for name in ("not-ready", "unreachable"):
        key = f"node.kubernetes.io/{name}"
        if not any(t.get("key") in (key, None) for t in tolerations):
            row = {"key": key, "operator": "Exists", "effect": "NoExecute"}
            tolerations.append({**row, "tolerationSeconds": 300})
    spec["tolerations"] = tolerations
    obj.setdefault("status", {"phase": "Pending", "qosClass": "BestEffort"})


def _workload(_store: Store, kind: Kind, obj: Obj, _limits: Limits) -> None:
    spec, name = obj.setdefault("spec", {}), obj["metadata"]["name"]
    labels = spec.get("template", {}).get("metadata", {}).get("labels", {}) or {}
    wanted = spec.get("selector", {}).get("matchLabels", {})
    if not wanted and not spec.get("selector", {}).get("matchExpressions"):
        raise invalid(kind, name, "spec.selector: Required value")
    if any(labels.get(key) != value for key, value in wanted.items()):
        text = "`selector` does not match template `labels`"
        raise invalid(kind, name, f"spec.template.metadata.labels: Invalid value: {text}")
    if not spec["template"].get("spec", {}).get("containers"):
        raise invalid(kind, name, "spec.template.spec.containers: Required value")
    if kind.resource != "daemonsets":
        spec.setdefault("replicas", 1)
    if kind.resource == "deployments":
        rolling = {"maxSurge": "25%", "maxUnavailable": "25%"}
        spec.setdefault("strategy", {"type": "RollingUpdate", "rollingUpdate": rolling})
        spec.setdefault("progressDeadlineSeconds", 600)
    elif kind.resource in ("daemonsets", "statefulsets"):
        spec.setdefault("updateStrategy", {"type": "RollingUpdate"})
    spec["template"]["spec"].setdefault("restartPolicy", "Always")


def _job(_store: Store, _kind: Kind, obj: Obj, _limits: Limits) -> None:
    spec = obj.setdefault("spec", {})
    for name, value in (("backoffLimit", 6), ("completions", 1), ("parallelism", 1)):
        spec.setdefault(name, value)
    meta = spec.setdefault("template", {}).setdefault("metadata", {})
    labels = meta.setdefault("labels", {})
    labels.setdefault("job-name", obj["metadata"]["name"])
    labels.setdefault("batch.kubernetes.io/job-name", obj["metadata"]["name"])
    spec.setdefault("selector", {"matchLabels": {"job-name": obj["metadata"]["name"]}})
    spec["template"].setdefault("spec", {}).setdefault("restartPolicy", "Never")


def _others(store: Store, obj: Obj) -> Iterator[Obj]:
    mine = (obj["metadata"].get("namespace"), obj["metadata"].get("name"))
    for service in store.every("", "services"):
        if (service["metadata"].get("namespace"), service["metadata"]["name"]) != mine:
            yield service


def _cluster_ip(store: Store, kind: Kind, obj: Obj, limits: Limits) -> None:
    spec = obj["spec"]
    network = ipaddress.ip_network(limits.service_cidr)
    taken = {service["spec"].get("clusterIP") for service in _others(store, obj)}
    wanted = spec.get("clusterIP")
    if wanted and wanted != "None":
        name = obj["metadata"]["name"]
        if wanted in taken:
            text = f'spec.clusterIPs: Invalid value: ["{wanted}"]: failed to allocate IP {wanted}: '
            raise invalid(kind, name, f"{text}provided IP is already allocated")
        if ipaddress.ip_address(wanted) not in network:
            text = f'spec.clusterIPs: Invalid value: ["{wanted}"]: failed to allocate IP {wanted}: '
            end = "the provided IP is not in the valid range. The range of valid IPs is "
            raise invalid(kind, name, f"{text}{end}{network}")
    elif wanted != "None" and spec["type"] != "ExternalName":
        # The first addresses are kept for those who ask for one (10 is the cluster's DNS).
        free = (str(network[at]) for at in range(20, network.num_addresses - 1))
        spec["clusterIP"] = next(address for address in free if address not in taken)
    if spec.get("clusterIP"):
        spec["clusterIPs"] = [spec["clusterIP"]]


def _free_port(first: int, last: int, protocol: str, taken: set[tuple[str, Any]]) -> int:
    """Return a port that nobody has; the first ones are left to those who ask for one."""
    # Kubernetes documentation, "Avoid assigning the same port": 16 to 128 ports, size / 32.
    band = min(max(16, (last - first + 1) // 32), 128)
    free = [n for n in range(first, last + 1) if (protocol, n) not in taken]
    upper = [n for n in free if n >= first + band]
    if not free:
        raise ApiError(500, "InternalError", "failed to allocate a nodePort: range is full")
    return secrets.choice(upper or free)


def _node_ports(store: Store, kind: Kind, obj: Obj, limits: Limits) -> None:
    spec, name = obj["spec"], obj["metadata"]["name"]
    if spec["type"] not in ("NodePort", "LoadBalancer"):
        return
    first, last = limits.node_ports
    taken = {
        (port.get("protocol", "TCP"), port.get("nodePort"))
        for service in _others(store, obj)
        for port in service["spec"].get("ports", [])
    }
    for at, port in enumerate(spec.get("ports", [])):
        protocol, wanted = port["protocol"], port.get("nodePort")
        place = f"spec.ports[{at}].nodePort: Invalid value: {wanted}: provided port is"
        if not wanted:
            port["nodePort"] = wanted = _free_port(first, last, protocol, taken)
        elif not first <= wanted <= last:
            end = f"not in the valid range. The range of valid ports is {first}-{last}"
            raise invalid(kind, name, f"{place} {end}")
        elif (protocol, wanted) in taken:
            raise invalid(kind, name, f"{place} already allocated")
        taken.add((protocol, wanted))


def _service(store: Store, kind: Kind, obj: Obj, limits: Limits) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    for port in spec.get("ports", []):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    _cluster_ip(store, kind, obj, limits)
    _node_ports(store, kind, obj, limits)
    obj.setdefault("status", {"loadBalancer": {}})


def _node(_store: Store, _kind: Kind, obj: Obj, _limits: Limits) -> None:
    obj["spec"] = obj.get("spec") or {}


_BY_RESOURCE = {
    "nodes": _node,
    "namespaces": _namespace,
    "secrets": _secret,
    "pods": _pod,
    "deployments": _workload,
    "daemonsets": _workload,
    "statefulsets": _workload,
    "replicasets": _workload,
    "jobs": _job,
    "services": _service,
}
_BUILT_IN_GROUPS = ("", "apps", "batch")


def admitted(store: Store, kind: Kind, given: Obj, limits: Limits) -> Obj:
    """Return a new object as it will be kept; raise what the API says otherwise."""
    obj = copy.deepcopy(given)
    obj["apiVersion"], obj["kind"] = kind.group_version, kind.kind
    _check_name(kind, str(obj["metadata"].get("name", "")))
    if kind.namespaced:
        _check_namespace(store, kind, obj)
    for name in ("resourceVersion", "uid", "creationTimestamp", "generation"):
        obj["metadata"].pop(name, None)
    fill = _BY_RESOURCE.get(kind.resource) if kind.group in _BUILT_IN_GROUPS else None
    if fill:
        fill(store, kind, obj, limits)
    if kind.resource == "customresourcedefinitions":
        obj["status"] = _crd_status(obj)
    return obj


def _crd_status(obj: Obj) -> Obj:
    moment = now_text()
    rows = (("NamesAccepted", "NoConflicts"), ("Established", "InitialNamesAccepted"))
    return {
        "acceptedNames": obj.get("spec", {}).get("names", {}),
        "storedVersions": [v["name"] for v in obj.get("spec", {}).get("versions", [])],
        "conditions": [
            {"type": name, "status": "True", "reason": reason, "lastTransitionTime": moment}
            for name, reason in rows
        ],
    }


def _fixed_fields(kind: Kind) -> tuple[tuple[str, ...], ...]:
    if kind.group == "apps":
        return (("spec", "selector"),)
    if kind.resource == "jobs":
        return (("spec", "template"), ("spec", "selector"))
    if kind.resource == "secrets":
        return (("type",),)
    return ()


def _at(obj: Obj, path: tuple[str, ...]) -> Any:
    value: Any = obj
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _check_fixed(kind: Kind, name: str, old: Obj, new: Obj) -> None:
    if old.get("immutable") and new.get("data") != old.get("data"):
        raise invalid(kind, name, "data: Forbidden: field is immutable when `immutable` is set")
    for path in _fixed_fields(kind):
        if _at(new, path) is not None and _at(new, path) != _at(old, path):
            raise invalid(kind, name, f"{'.'.join(path)}: Invalid value: field is immutable")


def changed(store: Store, kind: Kind, old: Obj, given: Obj, limits: Limits) -> Obj:
    """Return a changed object as it will be kept; its status stays as it was."""
    new = copy.deepcopy(given)
    name = old["metadata"]["name"]
    new["apiVersion"], new["kind"] = kind.group_version, kind.kind
    new["metadata"]["name"] = name
    if kind.namespaced:
        new["metadata"]["namespace"] = old["metadata"].get("namespace")
    if old["metadata"].get("deletionTimestamp"):
        new["metadata"]["deletionTimestamp"] = old["metadata"]["deletionTimestamp"]
    _check_fixed(kind, name, old, new)
    fill = _BY_RESOURCE.get(kind.resource) if kind.group in _BUILT_IN_GROUPS else None
    if fill and kind.resource not in ("namespaces", "pods"):
        if kind.resource == "services" and not _at(new, ("spec", "clusterIP")):
            new["spec"]["clusterIP"] = _at(old, ("spec", "clusterIP"))
        fill(store, kind, new, limits)
    if "status" in kind.subresources:
        new.pop("status", None)
        if "status" in old:
            new["status"] = old["status"]
    return new
