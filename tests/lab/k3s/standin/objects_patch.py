# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of patches that clients send (pure)."""

from __future__ import annotations

import copy
from typing import Any, Optional

from .store import ApiError, Obj

#: Lists that a strategic patch merges by one field of their elements (Kubernetes API reference).
MERGE_KEYS = {
    "addresses": "type",
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "ports": "",
    "secrets": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
ORDER = "$setElementOrder/"
DELETE_FROM = "$deleteFromPrimitiveList/"


def merge_patch(old: Any, patch: Any) -> Any:
    """Return ``old`` with an RFC 7386 patch."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    new = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        else:
            new[key] = merge_patch(new.get(key), value)
    return new


def _merge_key(name: str, items: list[Any]) -> Optional[str]:
    key = MERGE_KEYS.get(name)
    if name == "ports":
        dicts = [item for item in items if isinstance(item, dict)]
        return "containerPort" if any("containerPort" in item for item in dicts) else "port"
    return key


def _strategic_list(name: str, old: list[Any], patch: list[Any]) -> list[Any]:
    key = _merge_key(name, patch or old)
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if item.get("$patch") != "replace"]
    if name == "finalizers":
        return [*old, *(item for item in patch if item not in old)]
    if key is None or not all(isinstance(item, dict) and key in item for item in patch):
        return copy.deepcopy(patch)
    new = [dict(item) for item in old]
    for item in patch:
        at = next((i for i, have in enumerate(new) if have.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            new = [have for have in new if have.get(key) != item[key]]
        elif at is None:
            new.append(strategic_patch({}, item))
        else:
            new[at] = strategic_patch(new[at], item)
    return new


def _directive(new: dict[str, Any], key: str, value: Any) -> bool:
    """Obey one of the patch's own keys; say whether ``key`` was one."""
    if key.startswith(DELETE_FROM):
        name = key.removeprefix(DELETE_FROM)
        new[name] = [item for item in new.get(name, []) if item not in value]
        return True
    if key == "$retainKeys":
        for name in [name for name in new if name not in value]:
            del new[name]
        return True
    return key.startswith(ORDER) or key == "$patch"


def _order(new: dict[str, Any], patch: dict[str, Any]) -> None:
    for key, order in patch.items():
        name = key.removeprefix(ORDER)
        if not key.startswith(ORDER) or name not in new:
            continue
        merge = _merge_key(name, order)
        wanted = [item.get(merge) if isinstance(item, dict) else item for item in order]

        def place(item: Any, merge: Optional[str] = merge, wanted: list[Any] = wanted) -> int:
            value = item.get(merge) if isinstance(item, dict) else item
            return wanted.index(value) if value in wanted else len(wanted)

        new[name] = sorted(new[name], key=place)


def strategic_patch(old: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Return ``old`` with a strategic merge patch."""
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    new = dict(old)
    for key, value in sorted(patch.items(), key=lambda row: row[0] != "$retainKeys"):
        if _directive(new, key, value):
            continue
        have = new.get(key)
        if value is None or (isinstance(value, dict) and value.get("$patch") == "delete"):
            new.pop(key, None)
        elif isinstance(value, dict):
            new[key] = strategic_patch(have if isinstance(have, dict) else {}, value)
        elif isinstance(value, list):
            new[key] = _strategic_list(key, have if isinstance(have, list) else [], value)
        else:
            new[key] = value
    _order(new, patch)
    return new


def _steps(path: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def _holder(doc: Any, steps: list[str], path: str) -> Any:
    try:
        for step in steps[:-1]:
            doc = doc[int(step)] if isinstance(doc, list) else doc[step]
    except (KeyError, IndexError, ValueError, TypeError):
        raise _refused(path) from None
    return doc


def _refused(path: str) -> ApiError:
    text = f"the server rejected our request due to an error in our request: {path}"
    return ApiError(422, "Invalid", text)


def _operate(doc: Obj, row: dict[str, Any]) -> None:
    path, what = str(row["path"]), row["op"]
    steps = _steps(path)
    holder = _holder(doc, steps, path)
    last: Any = steps[-1]
    if isinstance(holder, list):
        last = len(holder) if last == "-" else int(last)
    try:
        if what == "add" and isinstance(holder, list):
            holder.insert(last, row["value"])
        elif what == "add":
            holder[last] = row["value"]
        elif what == "replace":
            _ = holder[last]
            holder[last] = row["value"]
        elif what == "remove":
            del holder[last]
        elif what == "test" and holder[last] != row["value"]:
            raise _refused(path)
    except (KeyError, IndexError, TypeError):
        raise _refused(path) from None


def json_patch(old: Obj, rows: list[dict[str, Any]]) -> Obj:
    """Return ``old`` with an RFC 6902 patch (add, replace, remove, test)."""
    new = copy.deepcopy(old)
    for row in rows:
        _operate(new, row)
    return new


def patched(old: Obj, patch: Any, content_type: str) -> Obj:
    """Return ``old`` with a patch of the type that the request names."""
    kind = content_type.split(";")[0].strip()
    if kind == "application/json-patch+json":
        return json_patch(old, patch)
    if kind == "application/strategic-merge-patch+json":
        return strategic_patch(old, patch)
    if kind in ("application/merge-patch+json", "application/apply-patch+yaml"):
        made: Obj = merge_patch(old, patch)
        return made
    raise ApiError(415, "UnsupportedMediaType", f"the body of the request was of type {kind}")
