# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which groups, versions and kinds the API says it has."""

from __future__ import annotations

from typing import Any, Optional

from .api_resources import Answer
from .objects import VERBS, Kind
from .store import Obj

_SUB_KINDS = {"eviction": ("policy", "v1", "Eviction"), "scale": ("autoscaling", "v1", "Scale")}


def _group(name: str, versions: list[str]) -> Obj:
    rows = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": rows, "preferredVersion": rows[0]}


def _groups(kinds: list[Kind]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for kind in kinds:
        versions = groups.setdefault(kind.group, [])
        if kind.version not in versions:
            versions.append(kind.version)
    groups.pop("", None)
    return groups


def _resources(kind: Kind) -> list[Obj]:
    main: Obj = {
        "name": kind.resource,
        "singularName": kind.kind.lower(),
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(VERBS),
        "shortNames": list(kind.short),
        "categories": list(kind.categories),
    }
    rows = [main]
    for name in kind.subresources:
        row: Obj = {"name": f"{kind.resource}/{name}", "singularName": "", "kind": kind.kind}
        row = {**row, "namespaced": kind.namespaced, "verbs": ["get", "patch", "update"]}
        if name in _SUB_KINDS:
            group, version, other = _SUB_KINDS[name]
            row = {**row, "group": group, "version": version, "kind": other, "verbs": ["create"]}
        rows.append(row)
    return rows


def _resource_list(kinds: list[Kind], group_version: str) -> Optional[Obj]:
    own = [kind for kind in kinds if kind.group_version == group_version]
    if not own:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": [row for kind in own for row in _resources(kind)],
    }


def _openapi_paths(kinds: list[Kind]) -> Obj:
    versions = sorted({kind.group_version for kind in kinds})
    paths = {}
    for version in versions:
        path = f"apis/{version}" if "/" in version else f"api/{version}"
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}"}
    return {"paths": paths}


def _openapi(kinds: list[Kind], group_version: str) -> Optional[Obj]:
    """Return just enough for kubectl to leave the check of fields to the server."""
    own = [kind for kind in kinds if kind.group_version == group_version]
    if not own:
        return None
    start = f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"
    queries = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for name in ("dryRun", "fieldManager", "fieldValidation", "force")
    ]
    paths = {}
    for kind in own:
        middle = "/namespaces/{namespace}" if kind.namespaced else ""
        gvk = {"group": kind.group, "version": kind.version, "kind": kind.kind}
        patch = {
            "operationId": f"patch{kind.kind}",
            "parameters": queries,
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": gvk,
        }
        paths[f"{start}{middle}/{kind.resource}/{{name}}"] = {"patch": patch}
    info = {"title": "Kubernetes", "version": "v1"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": {}}}


def discovery(path: str, kinds: list[Kind], address: str) -> Optional[Answer]:
    """Return the answer for a path of discovery, or None when it is none."""
    steps = [step for step in path.split("/") if step]
    body: Any = None
    if steps == ["api"]:
        servers = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
        body = {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": servers}
    elif steps == ["apis"]:
        groups = [_group(name, versions) for name, versions in _groups(kinds).items()]
        body = {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    elif steps[:1] == ["api"] and len(steps) == 2:
        body = _resource_list(kinds, steps[1])
    elif steps[:1] == ["apis"] and len(steps) == 2 and steps[1] in _groups(kinds):
        group = _group(steps[1], _groups(kinds)[steps[1]])
        body = {"kind": "APIGroup", "apiVersion": "v1", **group}
    elif steps[:1] == ["apis"] and len(steps) == 3:
        body = _resource_list(kinds, f"{steps[1]}/{steps[2]}")
    elif steps == ["openapi", "v3"]:
        body = _openapi_paths(kinds)
    elif steps[:2] == ["openapi", "v3"]:
        body = _openapi(kinds, "/".join(steps[3:]))
    return None if body is None else Answer(200, body)
