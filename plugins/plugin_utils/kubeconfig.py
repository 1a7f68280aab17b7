# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster's kubeconfig on the control node: a file of its own, or entries in somebody's."""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any, Optional

import yaml

#: The lists of a kubeconfig, and what an entry of each holds beside its name.
_LISTS = {"clusters": "cluster", "contexts": "context", "users": "user"}
Config = dict[str, Any]


class KubeconfigError(ValueError):
    """A kubeconfig that cannot be used; the message has nothing of its content."""


def parse_kubeconfig(text: str, where: str) -> Config:
    """Return the kubeconfig in ``text``; ``where`` names it in errors. An empty text gives {}."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        raise KubeconfigError(f"{where}: is no YAML{line}; mend it or move it away") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise KubeconfigError(f"{where}: is no kubeconfig, expected a mapping; move it away")
    for name in _LISTS:
        rows = found.get(name)
        if rows is not None and not (
            isinstance(rows, list) and all(isinstance(row, dict) and "name" in row for row in rows)
        ):
            raise KubeconfigError(
                f"{where}: is no kubeconfig, expected a list of named entries in {name!r}; move it "
                "away"
            )
    return found


def for_cluster(config: Config, cluster: str, server: str, where: str) -> Config:
    """Return what k3s wrote for its own node, as somebody elsewhere needs it.

    Its one cluster, user and context are all called ``cluster``, and ``server`` is asked.
    """
    parts = {}
    for name, inner in _LISTS.items():
        rows = config.get(name) or []
        body = rows[0].get(inner) if len(rows) == 1 else None
        if not isinstance(body, dict):
            raise KubeconfigError(
                f"{where}: expected one entry in {name!r} as k3s writes it, saw {len(rows)}; "
                "restart k3s.service on the server, which writes the file anew"
            )
        parts[name] = body
    context = {"cluster": cluster, "user": cluster}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {**parts["clusters"], "server": server}}],
        "contexts": [{"name": cluster, "context": context}],
        "users": [{"name": cluster, "user": parts["users"]}],
        "current-context": cluster,
    }


def check_own(existing: Config, config: Config, path: str) -> None:
    """Raise KubeconfigError where the file has other entries than those of ``config``.

    Its names tell: a cluster's own file has its one cluster, context and user and nothing else.
    """
    seen, wanted = ({name: _names(each, name) for name in _LISTS} for each in (existing, config))
    if existing and seen != wanted:
        raise KubeconfigError(
            f"{path}: is not this cluster's own file: saw {_named(seen)}, expected "
            f"{_named(wanted)} (k3s_cluster_name). It was left as it is. Set k3s_kubeconfig_file "
            "to a path of its own; to have the cluster in this file as well, set "
            "k3s_kubeconfig_merge and k3s_kubeconfig_merge_file"
        )


def _names(config: Config, name: str) -> list[str]:
    return sorted(str(row["name"]) for row in config.get(name) or [])


def _named(names: dict[str, list[str]]) -> str:
    return ", ".join(f"{name} [{', '.join(found)}]" for name, found in names.items())


def merged(existing: Config, config: Config) -> Config:
    """Return ``existing`` with the entries of ``config``, and everything else as it was.

    The current context stays the owner's; only a kubeconfig without any content gets one.
    """
    if not existing:
        return dict(config)
    result = dict(existing)
    for name in _LISTS:
        entry = config[name][0]
        rows = list(existing.get(name) or [])
        places = [place for place, row in enumerate(rows) if row["name"] == entry["name"]]
        if places:
            rows[places[0]] = _with_preferences(rows[places[0]], entry)
        else:
            rows.append(entry)
        result[name] = rows
    return result


def _with_preferences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return a new entry that keeps a context's namespace, which its owner chose."""
    context = old.get("context")
    if "context" in new and isinstance(context, dict) and "namespace" in context:
        return {**new, "context": {**new["context"], "namespace": context["namespace"]}}
    return new


def read_config(path: str) -> Optional[Config]:
    """Return the kubeconfig in a file of the control node, None where there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            return parse_kubeconfig(file.read(), path)
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise KubeconfigError(f"{path}: is no text, expected a kubeconfig; move it away") from None


def is_private(path: str) -> bool:
    """Return whether nobody but its owner can read a file."""
    return not os.stat(path).st_mode & 0o077


def write_config(path: str, config: Config) -> None:
    """Put ``config`` in the place of the file: whole or not at all, readable by its owner only."""
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=folder, prefix=".new-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yaml.safe_dump(config, file, sort_keys=False, default_flow_style=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def back_up(path: str, now: Optional[float] = None) -> str:
    """Copy the file beside itself, readable by its owner only, and return the copy's path."""
    stamp = time.strftime("%Y-%m-%d@%H:%M:%S", time.localtime(now))
    copy = f"{path}.{stamp}~"
    with open(path, "rb") as file:
        content = file.read()
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with os.fdopen(os.open(copy, flags, 0o600), "wb") as file:
        file.write(content)
    return copy
