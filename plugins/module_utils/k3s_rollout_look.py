# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a server how far the objects of our manifests are, in as few calls as it takes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_kubectl import (
    Kubectl,
    KubectlError,
    explain,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_manifests import (
    ObjectRef,
    as_list,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_rollout import (
    Item,
    Progress,
    condition,
    explain_pods,
    find_item,
    number,
    part,
    pods_of,
    waits_for,
)

#: Where k3s keeps its record of the files that it has applied.
SYSTEM = "kube-system"
ADDONS = "addons.k3s.cattle.io"
#: What a release of Helm is made of, as far as it can be waited for.
_RELEASE_KINDS = "deployments.apps,statefulsets.apps,daemonsets.apps"
_RELEASE = "meta.helm.sh/release-name"
_UNKNOWN_KIND = "no matches for kind"


class Rollout:
    """The objects of our manifests, as one server's API knows them."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl

    def read(self, refs: Sequence[ObjectRef]) -> list[Item]:
        """Return the objects that exist."""
        if not refs:
            return []
        argv = ["get", "--filename=-", "--ignore-not-found", "--output=json"]
        result = self._kubectl.attempt(argv, as_list(refs))
        # A kind may be unknown as long as the file that defines it has not been applied.
        if result.rc != 0 and _UNKNOWN_KIND not in result.err:
            raise explain(result)
        if not result.out.strip():
            return []
        try:
            answer = json.loads(result.out)
        except ValueError as error:
            said = result.out.strip()[:100]
            raise KubectlError(f"kubectl get: saw no JSON: {said!r}") from error
        found = answer.get("items", [answer]) if isinstance(answer, Mapping) else []
        return [each for each in found if isinstance(each, Mapping)]

    def delete(self, refs: Sequence[ObjectRef], seconds: int) -> None:
        """Have the objects gone."""
        if not refs:
            return
        argv = ["delete", "--filename=-", "--ignore-not-found", f"--timeout={seconds}s"]
        result = self._kubectl.attempt(argv, as_list(refs), seconds + 30)
        if result.rc != 0 and _UNKNOWN_KIND not in result.err:
            raise explain(result, seconds)

    def forget(self, addon: str) -> None:
        """Have k3s' record of a file gone."""
        argv = ["delete", ADDONS, addon, f"--namespace={SYSTEM}", "--ignore-not-found"]
        self._kubectl.run(argv)

    def applied(self) -> dict[str, str]:
        """Return the checksums of the files that k3s has applied, by what it calls them."""
        rows = self._kubectl.get(ADDONS, namespace=SYSTEM)
        names = [str(part(row, "metadata").get("name")) for row in rows]
        sums = [str(part(row, "spec").get("checksum") or "") for row in rows]
        return dict(zip(names, sums))

    def complaint(self, addon: str) -> str:
        """Return what k3s last said of a file that it could not apply, nothing when it is silent.

        k3s tells this as an event of the Addon that stands for the file.
        """
        argv = ["get", "events", f"--namespace={SYSTEM}", "--output=json"]
        argv.append(f"--field-selector=involvedObject.name={addon},type=Warning")
        try:
            rows = self._kubectl.json(argv).get("items") or []
        except KubectlError:
            return ""
        told = [row for row in rows if isinstance(row, Mapping) and row.get("message")]
        told.sort(key=lambda row: str(row.get("lastTimestamp") or ""))
        return " ".join(str(told[-1]["message"]).split())[:400] if told else ""

    def charts(self, refs: Iterable[ObjectRef]) -> dict[str, list[Any]]:
        """Return generation of each chart and the job that installed it, to notice new ones."""
        items = self.read([each for each in refs if each.kind == "HelmChart"])
        return {_key(item): [_generation(item), _uid(self._job(item))] for item in items}

    def look(
        self, refs: Sequence[ObjectRef], before: Mapping[str, Sequence[Any]]
    ) -> list[Progress]:
        """Return how far each object is; ``before`` is what ``charts`` said before a change."""
        items = self.read(refs)
        pods: dict[str, list[Item]] = {}
        return [self._progress(ref, find_item(items, ref), pods, before) for ref in refs]

    def _progress(
        self,
        ref: ObjectRef,
        item: Optional[Item],
        pods: dict[str, list[Item]],
        before: Mapping[str, Sequence[Any]],
    ) -> Progress:
        if item is None:
            return Progress(ref, False, "it does not exist yet")
        if ref.kind == "HelmChart":
            reason = self._chart_waits(item, pods, before)
        else:
            reason = self._waits(item, pods)
        return Progress(ref, not reason, reason)

    def _waits(self, item: Item, pods: dict[str, list[Item]]) -> str:
        """Return what an object waits for, with the reasons of its pods."""
        reason = waits_for(item)
        if not reason:
            return ""
        namespace = str(part(item, "metadata").get("namespace") or "default")
        if namespace not in pods:
            pods[namespace] = self._kubectl.get("pods", namespace=namespace)
        why = explain_pods(pods_of(item, pods[namespace]))
        return f"{reason} ({why})" if why else reason

    def _chart_waits(
        self, chart: Item, pods: dict[str, list[Item]], before: Mapping[str, Sequence[Any]]
    ) -> str:
        """Return what a chart waits for: its job first, then what the job brought."""
        failed = condition(chart, "Failed")
        if failed.get("status") == "True":
            return f"the chart failed: {failed.get('message') or failed.get('reason')}"
        job = self._job(chart)
        if not job:
            return "its job does not exist yet"
        generation, uid = before.get(_key(chart), [None, None])
        if uid is not None and generation != _generation(chart) and uid == _uid(job):
            return "its change has not been noticed yet"
        reason = self._waits(job, pods)
        if reason:
            return f"{part(job, 'metadata').get('name')}: {reason}"
        return self._release_waits(chart, pods)

    def _job(self, chart: Item) -> Item:
        """Return the job that installs a chart, empty where there is none."""
        name = part(chart, "status").get("jobName")
        namespace = part(chart, "metadata").get("namespace")
        return self._kubectl.get("jobs.batch", name, namespace) or {} if name else {}

    def _release_waits(self, chart: Item, pods: dict[str, list[Item]]) -> str:
        """Return what the workloads of a release wait for, the first one's words."""
        about, spec = part(chart, "metadata"), part(chart, "spec")
        namespace = str(spec.get("targetNamespace") or "default")
        for item in self._kubectl.get(_RELEASE_KINDS, namespace=namespace):
            notes = part(item, "metadata", "annotations")
            if notes.get(_RELEASE) != about.get("name"):
                continue
            reason = self._waits(item, pods)
            if reason:
                return f"{item.get('kind')} {part(item, 'metadata').get('name')}: {reason}"
        return ""


def _key(item: Item) -> str:
    about = part(item, "metadata")
    return f"{about.get('namespace')}/{about.get('name')}"


def _generation(item: Item) -> int:
    return number(part(item, "metadata"), "generation")


def _uid(item: Item) -> str:
    return str(part(item, "metadata").get("uid") or "")
