# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests and charts as the control node reads them: rendered, parsed and checked."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import yaml
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_manifests import (
    Manifest,
    ManifestError,
    ObjectRef,
    check_names,
    ref_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.control_files import locate

_ENDINGS = (".yaml", ".yml", ".json")
_TEMPLATE = ".j2"
#: An object of the API may have 1.5 MiB (etcd's limit); Base64 makes four bytes of three.
_MOST_CHART_BYTES = 700 * 1024
#: Where k3s's helm-controller looks for charts, as its own are.
CHART_NAMESPACE = "kube-system"

Render = Callable[[str, Mapping[str, Any]], str]
Find = Callable[[str], str]


class Loader:
    """Reads what a list of manifests and charts names.

    ``find`` returns the path of a file or folder, ``render`` what a template file comes to.
    """

    def __init__(self, find: Find, render: Render) -> None:
        self._find = find
        self._render = render
        self._made: set[str] = set()

    def manifest(self, entry: Mapping[str, Any], order: int = 0) -> Manifest:
        """Return one manifest of the list, ManifestError when it cannot be deployed."""
        name = str(entry.get("name") or "")
        check_names([name])
        given = [key for key in ("src", "content", "definition") if entry.get(key) is not None]
        if len(given) != 1:
            raise ManifestError(
                f"manifest {name}: saw {' and '.join(given) or 'none of them'}, expected exactly "
                "one of src, content and definition"
            )
        texts = self._texts(name, entry, given[0])
        items: list[Any] = []
        for where, text in texts:
            items += [_checked(item, where) for item in parse(text, where)]
        if not items:
            where = texts[0][0] if texts else name
            raise ManifestError(
                f"{where}: saw no object of Kubernetes in it, expected at least one"
            )
        namespace = str(entry.get("namespace") or "")
        if namespace:
            items = [with_namespace(item, namespace) for item in items]
            texts = [(name, dump(items))]
        objects = tuple(map(ref_of, items))
        self._made |= {ref.name for ref in objects if ref.kind == "Namespace"}
        if namespace and entry.get("create_namespace") and namespace not in self._made:
            self._made.add(namespace)
            # It is no object of the manifest: others may use it, so it stays when this one goes.
            texts.insert(0, (name, dump([_namespace(namespace)])))
        return Manifest(name, join(text for _, text in texts), objects, order)

    def _texts(self, name: str, entry: Mapping[str, Any], key: str) -> list[tuple[str, str]]:
        """Return the texts of a manifest and where each comes from."""
        if key == "content":
            return [(f"content of manifest {name}", str(entry["content"]))]
        if key == "definition":
            found = entry["definition"]
            items = list(found) if isinstance(found, (list, tuple)) else [found]
            return [(f"definition of manifest {name}", dump(items))]
        return [
            (path, self._text(path, entry.get("vars") or {}))
            for path in self._files(name, str(entry["src"]))
        ]

    def _files(self, name: str, src: str) -> list[str]:
        path = self._located(f"manifest {name}", src)
        if not os.path.isdir(path):
            return [path]
        files = [
            os.path.join(folder, each)
            for folder, _folders, names in sorted(os.walk(path))
            for each in sorted(names)
            if is_manifest(each)
        ]
        if not files:
            raise ManifestError(
                f"manifest {name}: {path} holds no file whose name ends in .yaml, .yml or .json"
            )
        return files

    def _located(self, what: str, path: str) -> str:
        try:
            return self._find(path)
        except ManifestError as error:
            raise ManifestError(f"{what}: {error}") from error

    def _text(self, path: str, variables: Mapping[str, Any]) -> str:
        return self._render(path, variables) if path.endswith(_TEMPLATE) else read(path)

    def chart(self, entry: Mapping[str, Any]) -> Manifest:
        """Return the manifest of one chart of the list."""
        name = str(entry.get("name") or "")
        check_names([name])
        if bool(entry.get("chart")) == bool(entry.get("content_file")):
            raise ManifestError(
                f"chart {name}: expected exactly one of chart (with repo and version) and "
                "content_file"
            )
        spec: dict[str, Any] = {
            "targetNamespace": str(entry.get("namespace") or "default"),
            "createNamespace": True,
            "timeout": f"{int(entry.get('timeout') or 300)}s",
        }
        for key in ("chart", "repo", "version"):
            if entry.get(key):
                spec[key] = str(entry[key])
        if entry.get("content_file"):
            spec["chartContent"] = self._chart_content(name, str(entry["content_file"]))
            spec.pop("repo", None)
            spec.pop("version", None)
        values = self._values(name, entry)
        if values:
            spec["valuesContent"] = yaml.safe_dump(values, sort_keys=False)
        item = {
            "apiVersion": "helm.cattle.io/v1",
            "kind": "HelmChart",
            "metadata": {"name": name, "namespace": CHART_NAMESPACE},
            "spec": spec,
        }
        return Manifest(name, dump([item]), (ref_of(item),))

    def _chart_content(self, name: str, file: str) -> str:
        path = self._located(f"chart {name}", file)
        with open(path, "rb") as opened:
            content = opened.read(_MOST_CHART_BYTES + 1)
        if not content.startswith(b"\x1f\x8b"):
            raise ManifestError(
                f"chart {name}: {path} is no gzip archive, expected a chart as 'helm pull' writes "
                "it (.tgz)"
            )
        if len(content) > _MOST_CHART_BYTES:
            raise ManifestError(
                f"chart {name}: {path} has more than {_MOST_CHART_BYTES // 1024} KiB, which the "
                "API does not take; serve it from a repository of your own and set chart and repo"
            )
        return base64.b64encode(content).decode()

    def _values(self, name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = plain(entry.get("base_values") or {})
        if entry.get("values_file"):
            path = self._located(f"chart {name}", str(entry["values_file"]))
            found = parse(self._text(path, {}), path)
            if len(found) > 1 or not isinstance(found[0] if found else {}, dict):
                raise ManifestError(
                    f"chart {name}: {path} holds no mapping, expected the chart's values"
                )
            values = merged(values, found[0] if found else {})
        return merged(values, plain(entry.get("values") or {}))


def _namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def is_manifest(name: str) -> bool:
    """Return whether a file of a folder is taken, by its name."""
    stem = name[: -len(_TEMPLATE)] if name.endswith(_TEMPLATE) else name
    return stem.endswith(_ENDINGS) and not name.startswith(".")


def read(path: str) -> str:
    """Return the text of a file, ManifestError when it has none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: saw bytes that are no UTF-8 text") from error


def parse(text: str, where: str) -> list[Any]:
    """Return the documents of a text, without empty ones; an error names file and line."""
    try:
        return [each for each in yaml.safe_load_all(text) if each is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        # An unfinished text ends one line below its last one.
        shown = "".join(text.splitlines()[line - 1 : line]).strip()[:80]
        rendered = " of the rendered text" if where.endswith(_TEMPLATE) else ""
        raise ManifestError(
            f"{where}: line {line}{rendered} is no YAML ({error.problem or error.context}): "
            f"{shown!r}"
        ) from error
    except yaml.YAMLError as error:
        raise ManifestError(f"{where}: is no YAML ({error})") from error


def _checked(item: Any, where: str) -> Any:
    """Return a document that is an object with a name; ManifestError when it is not."""
    if not isinstance(item, Mapping):
        raise ManifestError(
            f"{where}: saw a {type(item).__name__}, expected objects of Kubernetes, each a mapping "
            "with apiVersion, kind and metadata"
        )
    if str(item.get("kind", "")).endswith("List") and isinstance(item.get("items"), list):
        raise ManifestError(
            f"{where}: saw a {item['kind']}, expected its items as documents of their own"
        )
    try:
        ref_of(item)
    except ManifestError as error:
        raise ManifestError(f"{where}: {error}") from error
    return item


def with_namespace(item: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """Return the object with the namespace where it names none."""
    about = dict(item.get("metadata") or {})
    if item.get("kind") not in _WITHOUT_NAMESPACE:
        about.setdefault("namespace", namespace)
    return {**item, "metadata": about}


#: Kinds of Kubernetes itself that live in no namespace.
_WITHOUT_NAMESPACE = frozenset(
    {
        "Namespace",
        "Node",
        "PersistentVolume",
        "ClusterRole",
        "ClusterRoleBinding",
        "StorageClass",
        "PriorityClass",
        "RuntimeClass",
        "IngressClass",
        "CustomResourceDefinition",
        "APIService",
        "CSIDriver",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
)


def join(texts: Iterable[str]) -> str:
    """Return several texts as one stream of documents."""
    return "\n---\n".join(text.strip("\n").removeprefix("---\n") for text in texts) + "\n"


def dump(items: Sequence[Any]) -> str:
    """Return objects as a stream of YAML documents."""
    return str(yaml.safe_dump_all([plain(item) for item in items], sort_keys=False))


def plain(value: Any) -> Any:
    """Return a value as YAML and JSON know it, whatever type Ansible made of it."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(each) for each in value]
    if isinstance(value, str):
        return str.__str__(value) if type(value) is str else "".join(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else str(value)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with others over them, as Helm does it: mappings merge, all else replaces."""
    found = dict(base)
    for key, value in over.items():
        old = found.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        found[key] = merged(old, value) if both else value  # type: ignore[arg-type]
    return found


def check_objects(manifests: Sequence[Manifest]) -> None:
    """Refuse an object that two manifests hold: k3s would apply one over the other for ever."""
    owner: dict[ObjectRef, str] = {}
    for manifest in manifests:
        for ref in manifest.objects:
            other = owner.setdefault(ref, manifest.name)
            if other != manifest.name or manifest.objects.count(ref) > 1:
                raise ManifestError(f"{ref} is in {other} and in {manifest.name}, expected once")


def find_below(path: str, folders: Sequence[str]) -> str:
    """Return where a file or folder of the control node is; ManifestError names all places."""
    found, looked_at = locate(path, folders)
    if found is None:
        raise ManifestError(
            f"{path} is not on the control node, looked for at {' and '.join(looked_at)}; "
            "put it there or correct the path"
        )
    return found
