# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which manifest files a server has to have, and what of the old ones has to go.

k3s applies every file below its manifest directory, and keeps the objects of a file that
disappears (k3s documentation, Managing Packaged Components). So each of our files says in its
second line, as JSON, to which group it belongs and which objects it holds: whoever takes it away
knows what to delete. Nothing here reads or writes anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_paths import MANIFESTS_DIR

FOLDER = f"{MANIFESTS_DIR}/rackforge"
MODE = 0o600
_MANAGED = "# Managed by rackforge.gpu_cluster"
_LABEL = "# rackforge: "
#: k3s names what it deploys after the file, up to the first dot, as an object of Kubernetes.
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?")
#: Kinds whose text may hold secrets: values of charts do.
_CONFIDENTIAL = frozenset({"Secret", "HelmChart", "HelmChartConfig"})


class ManifestError(ValueError):
    """A manifest that cannot be deployed."""


@dataclass(frozen=True, order=True)
class ObjectRef:
    """How an object of Kubernetes is found; ``namespace`` is empty where none was given."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def group(self) -> str:
        """Return the API group, empty for the core one."""
        return self.api_version.rpartition("/")[0]

    def __str__(self) -> str:
        """Return the object as messages name it."""
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.kind} {self.name}{where}"

    def to_dict(self) -> dict[str, Any]:
        """Return the least that kubectl needs to find the object."""
        found: dict[str, Any] = {"name": self.name}
        if self.namespace:
            found["namespace"] = self.namespace
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": found}


def ref_of(item: Mapping[str, Any]) -> ObjectRef:
    """Return how ``item`` is found; ManifestError when it is no object of Kubernetes."""
    found = item.get("metadata")
    about = found if isinstance(found, Mapping) else {}
    texts = [item.get("apiVersion"), item.get("kind"), about.get("name")]
    if not all(isinstance(text, str) and text for text in texts):
        names = ("apiVersion", "kind", "metadata.name")
        missing = [name for name, text in zip(names, texts) if not text]
        raise ManifestError(
            f"saw an object without {', '.join(missing) or 'a proper name'}, expected apiVersion, "
            "kind and metadata.name"
        )
    api_version, kind, name = (str(text) for text in texts)
    return ObjectRef(api_version, kind, str(about.get("namespace") or ""), name)


@dataclass(frozen=True)
class Manifest:
    """One of our files: its name without folder and ending, its text and what it holds.

    ``order`` is its place in the list where that matters: what comes later goes first.
    """

    name: str
    text: str
    objects: tuple[ObjectRef, ...]
    order: int = 0

    @property
    def is_confidential(self) -> bool:
        """Return whether the text may hold secrets."""
        return any(each.kind in _CONFIDENTIAL for each in self.objects)


@dataclass(frozen=True)
class Label:
    """What a file of ours says of itself."""

    group: str
    name: str
    objects: tuple[ObjectRef, ...]
    order: int = 0


def check_names(names: Iterable[str]) -> None:
    """Refuse a name that would make no file, or is used twice."""
    seen: set[str] = set()
    for name in names:
        if not _NAME.fullmatch(name):
            raise ManifestError(
                f"{name!r} is no name of a manifest, expected at most 50 lower case letters, "
                "digits and hyphens"
            )
        if name in seen:
            raise ManifestError(f"the name {name!r} is used twice, expected one manifest of a name")
        seen.add(name)


def addon_name(group: str, name: str) -> str:
    """Return what k3s calls a file of ours; the prefix keeps it off the files of k3s's own."""
    return f"rackforge-{group}-{name}"


def file_path(folder: str, group: str, name: str) -> str:
    """Return where a manifest lies."""
    return f"{folder}/{addon_name(group, name)}.yaml"


def file_text(group: str, manifest: Manifest) -> str:
    """Return the whole file."""
    label: dict[str, Any] = {
        "group": group,
        "name": manifest.name,
        "objects": [each.to_dict() for each in manifest.objects],
    }
    if manifest.order:
        label["order"] = manifest.order
    text = manifest.text if manifest.text.endswith("\n") else f"{manifest.text}\n"
    return f"{_MANAGED}\n{_LABEL}{json.dumps(label, sort_keys=True)}\n{text}"


def checksum(text: str) -> str:
    """Return what k3s notes of a file that it has applied."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def read_label(text: str) -> Optional[Label]:
    """Return what a file says of itself; None for a file that is not ours."""
    lines = text.split("\n", 2)
    if len(lines) < 2 or lines[0] != _MANAGED or not lines[1].startswith(_LABEL):
        return None
    try:
        said = json.loads(lines[1][len(_LABEL) :])
        objects = tuple(ref_of(each) for each in said["objects"])
        order = int(said.get("order", 0))
        return Label(str(said["group"]), str(said["name"]), objects, order)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


@dataclass(frozen=True)
class Change:
    """A file that is written, or taken away (``after`` None), and the objects that go with it."""

    path: str
    before: Optional[str]
    after: Optional[str]
    manifest: Manifest
    goes: tuple[ObjectRef, ...] = ()

    def diff(self) -> dict[str, str]:
        """Return what is shown of the change, never a secret."""
        hidden = self.manifest.is_confidential or _holds_secret(self.before)
        before, after = self.before or "", self.after or ""
        if hidden:
            before, after = _only_objects(before), _only_objects(after)
        return {
            "before_header": self.path,
            "after_header": self.path,
            "before": before,
            "after": after,
        }


def _holds_secret(text: Optional[str]) -> bool:
    label = read_label(text or "")
    return label is not None and any(each.kind in _CONFIDENTIAL for each in label.objects)


def _only_objects(text: str) -> str:
    """Return the objects of a file whose text must not be shown, with its digest."""
    label = read_label(text)
    if label is None:
        return ""
    lines = [f"# {each}" for each in label.objects]
    return "\n".join([*lines, f"# not shown: may hold secrets (SHA-256 {checksum(text)[:12]})", ""])


def plan_files(
    folder: str,
    group: str,
    wanted: Sequence[Manifest],
    present: Mapping[str, str],
    count: Optional[int] = None,
) -> list[Change]:
    """Return the files to take away, last first, then those to write, in their order.

    ``present`` has the texts of all files in the folder by path. Files of other groups and files
    that are not ours stay. Only the first ``count`` files are written, all when it is None.
    """
    kept = {each for manifest in wanted for each in manifest.objects}
    changes = _removals(folder, group, wanted, present, kept)
    for manifest in wanted[:count]:
        path = file_path(folder, group, manifest.name)
        before, after = present.get(path), file_text(group, manifest)
        if before != after:
            label = read_label(before or "")
            old = label.objects if label else ()
            changes.append(Change(path, before, after, manifest, _without(old, kept)))
    return changes


def _removals(
    folder: str,
    group: str,
    wanted: Sequence[Manifest],
    present: Mapping[str, str],
    kept: set[ObjectRef],
) -> list[Change]:
    """Return what is to be taken away: first what came last."""
    paths = {file_path(folder, group, manifest.name) for manifest in wanted}
    found: list[tuple[int, str, Label]] = []
    for path in present.keys() - paths:
        label = read_label(present[path])
        if label and label.group == group:
            found.append((label.order, path, label))
    return [
        Change(
            path,
            present[path],
            None,
            Manifest(label.name, "", label.objects, order),
            _without(label.objects, kept),
        )
        for order, path, label in sorted(found, key=lambda row: row[:2], reverse=True)
    ]


def _without(objects: Iterable[ObjectRef], kept: set[ObjectRef]) -> tuple[ObjectRef, ...]:
    """Return those that no file holds any more, the last first, as they came into being."""
    return tuple(reversed([each for each in objects if each not in kept]))


def as_list(objects: Iterable[ObjectRef]) -> str:
    """Return the objects as kubectl reads them from its standard input."""
    items = [each.to_dict() for each in objects]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def pack(manifests: Iterable[Manifest]) -> str:
    """Return the texts by name as one word, which no log shows and no other text contains."""
    texts = {manifest.name: manifest.text for manifest in manifests}
    return base64.b64encode(zlib.compress(json.dumps(texts).encode())).decode()


def unpack(contents: str) -> dict[str, str]:
    """Return the texts by name, as ``pack`` made one word of them."""
    if not contents:
        return {}
    texts: dict[str, str] = json.loads(zlib.decompress(base64.b64decode(contents)))
    return texts
