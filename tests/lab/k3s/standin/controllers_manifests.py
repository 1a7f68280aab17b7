# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k3s' deploy controller: files in the folder of manifests become objects (pkg/deploy of k3s)."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, Protocol

import yaml

from . import log
from .api_resources import Answer, Request
from .objects_packaged import CRDS, component, packaged, text_of
from .objects_patch import strategic_patch
from .store import Obj, now_text

Ask = Callable[[Request], Answer]
GVKS = "addon.k3s.cattle.io/gvks"
SYSTEM = "kube-system"
OWNER = "objectset.rio.cattle.io/owner-name"
OWNER_KIND = "objectset.rio.cattle.io/owner-gvk"
APPLIED = "objectset.rio.cattle.io/applied"
_ADDONS = f"/apis/k3s.cattle.io/v1/namespaces/{SYSTEM}/addons"
_ENDINGS = (".yaml", ".yml", ".json")


class ManifestSettings(Protocol):
    """What is to be known about this server."""

    @property
    def manifests_dir(self) -> Path:
        """Return the folder that is walked."""

    @property
    def disabled(self) -> frozenset[str]:
        """Return the packaged components that are not wanted."""

    @property
    def service_cidr(self) -> str:
        """Return the services' network; the tenth address is the cluster's DNS."""

    @property
    def manifest_seconds(self) -> float:
        """Return the seconds between two walks."""


class ManifestError(Exception):
    """Why a file could not be applied."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def parsed(text: str) -> list[Obj]:
    """Return a file's objects; raise ManifestError when there is anything else in it."""
    try:
        docs = [doc for doc in yaml.safe_load_all(text) if doc is not None]
    except yaml.YAMLError as exc:
        raise ManifestError("ParseManifestFailed", f"yaml: {exc}") from None
    objects: list[Obj] = []
    for doc in docs:
        if not isinstance(doc, dict) or not doc.get("kind"):
            raise ManifestError("ParseManifestFailed", "Object 'Kind' is missing in the manifest")
        objects += doc.get("items", []) if str(doc["kind"]).endswith("List") else [doc]
    # Dates and the like become text, as JSON would have them.
    return [json.loads(json.dumps(obj, default=str)) for obj in objects]


def without(obj: Any, applied: Any, wanted: Any) -> Any:
    """Return ``obj`` less what was applied once and is not wanted any more."""
    if not all(isinstance(value, dict) for value in (obj, applied, wanted)):
        return obj
    return {
        key: without(value, applied.get(key), wanted.get(key))
        for key, value in obj.items()
        if key not in applied or key in wanted
    }


@dataclass
class Manifests:
    """Applies the files of one server's folder; every server has its own."""

    settings: ManifestSettings
    ask: Ask
    done: dict[Path, int] = field(default_factory=dict)
    ready: bool = False

    def stage(self) -> None:
        """Write the files of the packaged components."""
        network = ipaddress.ip_network(self.settings.service_cidr)
        for name, objects in packaged(str(network[10])).items():
            path = self.settings.manifests_dir / name
            if component(name) in self.settings.disabled:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            text = text_of(objects)
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
                path.chmod(0o600)

    def walk(self) -> bool:
        """Apply what is new; say whether the API took everything."""
        if not self.ready:
            self.ready = all(self._known(crd) for crd in CRDS)
            if not self.ready:
                return False
        good = True
        base = self.settings.manifests_dir
        paths = sorted(path for path in base.rglob("*") if path.is_file())
        skipped = {path.name.removesuffix(".skip") for path in paths if path.suffix == ".skip"}
        for path in paths:
            if self._disabled(path):
                self._drop(path)
            elif self._ours(path, skipped):
                good = self._file(path) and good
        return good

    def _ours(self, path: Path, skipped: set[str]) -> bool:
        name = path.name
        return name.endswith(_ENDINGS) and not name.startswith(".") and name not in skipped

    def _disabled(self, path: Path) -> bool:
        relative = path.relative_to(self.settings.manifests_dir)
        names = {relative.parts[0], component(str(relative)), relative.name.split(".")[0]}
        return bool(names & self.settings.disabled)

    def _file(self, path: Path) -> bool:
        try:
            stamp = path.stat().st_mtime_ns
            if self.done.get(path) == stamp:
                return True
            self._apply(path, path.read_text(encoding="utf-8"))
            self.done[path] = stamp
        except (OSError, UnicodeError) as exc:
            log.error(f"Failed to process config: failed to process {path}: {exc}")
            return False
        except ManifestError as exc:
            log.error(f"Failed to process config: failed to process {path}: {exc}")
            self._event(path, exc.reason, str(exc))
            return False
        return True

    def _known(self, crd: Obj) -> bool:
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        return self._post(path, crd).code in (200, 201, 409)

    def _call(self, method: str, path: str, body: Optional[Obj] = None) -> Answer:
        data = b"" if body is None else json.dumps(body).encode()
        return self.ask(Request(method, path, {}, data, {"content-type": "application/json"}))

    def _post(self, path: str, body: Obj) -> Answer:
        return self._call("POST", path, body)

    def _apply(self, path: Path, text: str) -> None:
        name = path.name.split(".")[0]
        checksum = hashlib.sha256(text.encode()).hexdigest()
        found = self._call("GET", f"{_ADDONS}/{name}")
        addon: Obj = _body(found) if found.code == 200 else {"metadata": {"name": name}}
        before = addon.get("metadata", {}).get("annotations", {}).get(GVKS, "")
        if found.code == 404:
            made = {"metadata": {"name": name}, "spec": {"source": str(path), "checksum": ""}}
            addon = self._taken(self._post(_ADDONS, {**_KIND, **made}))
        elif found.code != 200:
            raise ManifestError("ApplyManifestFailed", _message(found))
        objects = parsed(text)
        kept = [self._object(obj, name) for obj in objects]
        kinds = sorted({f"{obj['apiVersion']}, Kind={obj['kind']}" for obj in objects})
        self._prune(name, {*kinds, *filter(None, before.split(";"))}, kept)
        addon["metadata"].setdefault("annotations", {})[GVKS] = ";".join(kinds)
        addon["spec"] = {"source": str(path), "checksum": checksum}
        addon["metadata"].pop("resourceVersion", None)
        self._taken(self._call("PUT", f"{_ADDONS}/{name}", addon))
        log.info(f"Applied manifest at {path}")

    def _taken(self, answer: Answer) -> Obj:
        if answer.code not in (200, 201):
            raise ManifestError("ApplyManifestFailed", _message(answer))
        return _body(answer)

    def _address(self, version: str, kind: str, namespace: str) -> str:
        """Return the path of a kind's objects; raise ManifestError when there is no such kind."""
        start = f"/apis/{version}" if "/" in version else f"/api/{version}"
        found = self._call("GET", start)
        for row in _body(found).get("resources", []) if found.code == 200 else []:
            if row["kind"] == kind and "/" not in row["name"]:
                space = f"/namespaces/{namespace}" if row["namespaced"] and namespace else ""
                return f"{start}{space}/{row['name']}"
        text = f'no matches for kind "{kind}" in version "{version}"'
        raise ManifestError("ApplyManifestFailed", text)

    def _object(self, given: Obj, addon: str) -> tuple[str, str]:
        """Apply one object; return its path of the API and its name."""
        meta = {**(given.get("metadata") or {})}
        namespace = meta.get("namespace") or "default"
        path = self._address(str(given.get("apiVersion")), given["kind"], namespace)
        notes = {OWNER: addon, OWNER_KIND: "k3s.cattle.io/v1, Kind=Addon"}
        last = json.dumps(given, sort_keys=True)
        meta["annotations"] = {**(meta.get("annotations") or {}), **notes, APPLIED: last}
        wanted = {**given, "metadata": meta}
        found = self._call("GET", f"{path}/{meta.get('name')}")
        if found.code == 404:
            self._taken(self._post(path, wanted))
            return path, str(meta.get("name"))
        old = self._taken(found)
        before = json.loads((old["metadata"].get("annotations") or {}).get(APPLIED, "{}"))
        new = strategic_patch(without(old, before, given), wanted)
        new["metadata"].pop("resourceVersion", None)
        self._taken(self._call("PUT", f"{path}/{meta['name']}", new))
        return path, str(meta["name"])

    def _prune(self, addon: str, kinds: set[str], kept: list[tuple[str, str]]) -> None:
        """Delete what the file had before and has no more."""
        for text in kinds:
            version, _, kind = text.partition(", Kind=")
            try:
                path = self._address(version, kind, "")
            except ManifestError:
                continue
            for obj in _body(self._call("GET", path)).get("items", []):
                meta = obj["metadata"]
                mine = (meta.get("annotations") or {}).get(OWNER) == addon
                space = meta.get("namespace")
                start, _, plural = path.rpartition("/")
                full = f"{start}/namespaces/{space}/{plural}" if space else path
                if mine and (full, meta["name"]) not in kept:
                    self._call("DELETE", f"{full}/{meta['name']}")

    def _drop(self, path: Path) -> None:
        """Take a disabled component away: its objects, its Addon and its file."""
        name = path.name.split(".")[0]
        found = self._call("GET", f"{_ADDONS}/{name}")
        if found.code == 200:
            notes = _body(found)["metadata"].get("annotations") or {}
            self._prune(name, set(filter(None, notes.get(GVKS, "").split(";"))), [])
            self._call("DELETE", f"{_ADDONS}/{name}")
        if path.name.endswith(_ENDINGS):
            path.unlink(missing_ok=True)

    def _event(self, path: Path, reason: str, message: str) -> None:
        name = path.name.split(".")[0]
        event = {
            "metadata": {"generateName": f"{name}."},
            "involvedObject": {"kind": "Addon", "namespace": SYSTEM, "name": name},
            "type": "Warning",
            "reason": reason,
            "message": f'{reason} for manifest at "{path}": {message}',
            "firstTimestamp": now_text(),
            "lastTimestamp": now_text(),
            "source": {"component": "deploy"},
        }
        self._post(f"/api/v1/namespaces/{SYSTEM}/events", event)


_KIND = {"apiVersion": "k3s.cattle.io/v1", "kind": "Addon"}


def _body(answer: Answer) -> Obj:
    body = answer.body if isinstance(answer.body, dict) else json.loads(answer.data())
    found: Obj = json.loads(json.dumps(body))
    return found


def _message(answer: Answer) -> str:
    return str(_body(answer).get("message", answer.code))
