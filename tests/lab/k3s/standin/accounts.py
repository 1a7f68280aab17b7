# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service accounts: their tokens, and what cluster roles let them do.

Source: Kubernetes' documentation, Managing Service Accounts (manually created tokens), RBAC,
Kubelet authorization. Roles of one namespace, groups and tokens with an end are left out.
"""

from __future__ import annotations

import base64
import copy
import hmac
import json
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Optional

from .api_resources import Request, Target
from .controllers_base import Cluster
from .store import ApiError, Obj, Store

TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105 (a type, no token)
ACCOUNT = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"
PREFIX = "system:serviceaccount:"
#: What everybody with a name may read (ClusterRole system:public-info-viewer).
PUBLIC = ("/healthz", "/livez", "/readyz", "/version")
_RBAC = "rbac.authorization.k8s.io"
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
#: What a path of the kubelet is called in its authorization; others are the proxy.
_KUBELET = {"metrics": "metrics", "stats": "stats", "logs": "log", "pods": "proxy"}


def _part(value: Obj) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def new_token(namespace: str, account: Obj, secret: str) -> str:
    """Return a token in the form of Kubernetes'; its end is random where a signature would be."""
    name = account["metadata"]["name"]
    claims = {
        "iss": "kubernetes/serviceaccount",
        "kubernetes.io/serviceaccount/namespace": namespace,
        "kubernetes.io/serviceaccount/secret.name": secret,
        "kubernetes.io/serviceaccount/service-account.name": name,
        "kubernetes.io/serviceaccount/service-account.uid": account["metadata"]["uid"],
        "sub": f"{PREFIX}{namespace}:{name}",
    }
    return f"{_part({'alg': 'RS256'})}.{_part(claims)}.{secrets.token_urlsafe(32)}"


def keep_tokens(cluster: Cluster, authority: Path) -> None:
    """Give every Secret of the type a token; one whose account is not there goes."""
    for secret in cluster.every("secrets"):
        meta = secret["metadata"]
        if secret.get("type") != TOKEN_TYPE or meta.get("deletionTimestamp"):
            continue
        name = str((meta.get("annotations") or {}).get(ACCOUNT, ""))
        account = cluster.find("serviceaccounts", meta["namespace"], name)
        if account is None:
            cluster.remove(secret)
        elif not (secret.get("data") or {}).get("token"):
            cluster.change(secret, _filled(secret, account, authority))


def _filled(secret: Obj, account: Obj, authority: Path) -> Obj:
    meta = secret["metadata"]
    values = {
        "token": new_token(meta["namespace"], account, meta["name"]).encode(),
        "namespace": meta["namespace"].encode(),
        "ca.crt": authority.read_bytes(),
    }
    new = copy.deepcopy(secret)
    new["data"] = {name: base64.b64encode(value).decode() for name, value in values.items()}
    new["metadata"]["annotations"][ACCOUNT_UID] = account["metadata"]["uid"]
    return new


def account_of(store: Store, authorization: str) -> str:
    """Return the name of the account whose token a header shows; empty when it is nobody's."""
    scheme, _, token = authorization.partition(" ")
    given = base64.b64encode(token.strip().encode())
    if scheme.lower() != "bearer" or not token.strip():
        return ""
    for secret in store.every("", "secrets"):
        kept = str((secret.get("data") or {}).get("token", ""))
        if secret.get("type") == TOKEN_TYPE and hmac.compare_digest(kept.encode(), given):
            meta = secret["metadata"]
            return f"{PREFIX}{meta['namespace']}:{meta['annotations'][ACCOUNT]}"
    return ""


def _rules(store: Store, user: str) -> Iterable[Obj]:
    space, _, name = user.removeprefix(PREFIX).partition(":")
    wanted = {"kind": "ServiceAccount", "name": name, "namespace": space}
    for binding in store.every(_RBAC, "clusterrolebindings"):
        subjects = binding.get("subjects") or []
        if not any({k: row.get(k) for k in wanted} == wanted for row in subjects):
            continue
        role = binding.get("roleRef", {}).get("name")
        if role == "cluster-admin":
            yield {"apiGroups": ["*"], "resources": ["*"], "nonResourceURLs": ["*"], "verbs": ["*"]}
        for each in store.every(_RBAC, "clusterroles"):
            if each["metadata"]["name"] == role:
                yield from each.get("rules") or []


def _has(row: Obj, field: str, value: str) -> bool:
    return any(
        entry in ("*", value) or (entry.endswith("*") and value.startswith(entry[:-1]))
        for entry in row.get(field) or []
    )


def may_path(store: Store, user: str, verb: str, path: str) -> bool:
    """Return whether an account may use a path that is no object's."""
    rows = _rules(store, user)
    return any(_has(row, "nonResourceURLs", path) and _has(row, "verbs", verb) for row in rows)


def may_resource(store: Store, user: str, verb: str, group: str, resource: str) -> bool:
    """Return whether an account may do something with objects of the whole cluster."""
    return any(
        _has(row, "apiGroups", group)
        and _has(row, "resources", resource)
        and _has(row, "verbs", verb)
        for row in _rules(store, user)
    )


def check(store: Store, user: str, request: Request, target: Optional[Target]) -> None:
    """Raise ApiError as the API does when an account asks for what it may not have."""
    verb = _VERBS.get(request.method, "get")
    if target is None:
        if request.path in PUBLIC or may_path(store, user, verb, request.path):
            return
        text = f'forbidden: User "{user}" cannot {verb} path "{request.path}"'
        raise ApiError(403, "Forbidden", text)
    if verb == "get" and not target.name:
        verb = "watch" if request.query.get("watch") in ("1", "true") else "list"
    kind = target.kind
    resource = f"{kind.resource}/{target.subresource}" if target.subresource else kind.resource
    if not may_resource(store, user, verb, kind.group, resource):
        where = (
            f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
        )
        named = f' "{target.name}"' if target.name else ""
        raise ApiError(
            403,
            "Forbidden",
            f'{resource}{named} is forbidden: User "{user}" cannot {verb} resource "{resource}" in '
            f'API group "{kind.group}" {where}',
        )


def review(store: Store, authorization: str, path: str) -> Obj:
    """Return what the API tells a kubelet about who asks it for a path: a status and words."""
    user = account_of(store, authorization)
    if not user:
        return {"code": 401, "text": "Unauthorized"}
    part = _KUBELET.get(path.strip("/").split("/")[0], "proxy")
    if may_resource(store, user, "get", "", f"nodes/{part}"):
        return {"code": 200, "text": ""}
    text = f"Forbidden (user={user}, verb=get, resource=nodes, subresource(s)=[{part}])"
    return {"code": 403, "text": text}
