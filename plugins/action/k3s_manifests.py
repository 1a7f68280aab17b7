# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control node's half of k3s_manifests: reads and checks the manifests, shows how far they are."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_manifests import (
    Manifest,
    ManifestError,
    pack,
    ref_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.control_files import (
    folders_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.k3s_manifests import (
    Loader,
    check_objects,
    find_below,
    read,
)

MODULE = "rackforge.gpu_cluster.k3s_manifests"
TIMEOUT = 600
#: Seconds between two lines that say what is waited for.
SLICE = 10
_HANDED_ON = ("group", "kubeconfig", "folder")
_OPTIONS = frozenset({*_HANDED_ON, "manifests", "charts", "wait", "timeout", "one_by_one"})

Result = dict[str, Any]


class ActionModule(ActionBase):  # type: ignore[misc]
    """Have everything rendered and parsed, then let the module write it and look at it."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the module's results, put together."""
        result: Result = super().run(tmp, task_vars)
        arguments, variables = self._task.args, task_vars or {}
        unknown = sorted(arguments.keys() - _OPTIONS)
        if unknown:
            return {**result, "failed": True, "msg": f"unknown options: {', '.join(unknown)}"}
        try:
            manifests = self._manifests(variables)
            waits = extra_objects(arguments.get("manifests") or [])
        except (ManifestError, AnsibleError, OSError) as error:
            return {**result, "failed": True, "msg": f"Could not read the manifests: {error}"}
        files = [described(each, waits.get(each.name, [])) for each in manifests]
        common = {key: arguments[key] for key in _HANDED_ON if key in arguments}
        common |= {"files": files, "contents": pack(manifests)}
        result.update(self._deploy(common, len(files), variables))
        return result

    def _manifests(self, variables: Result) -> list[Manifest]:
        """Return all manifests; ManifestError names the first that is wrong."""
        folders = folders_of(variables)
        loader = Loader(
            lambda path: find_below(path, folders),
            lambda path, more: self._rendered(path, {**variables, **more}),
        )
        ordered = bool(self._task.args.get("one_by_one"))
        entries = self._task.args.get("manifests") or []
        found = [
            loader.manifest(entry, number if ordered else 0)
            for number, entry in enumerate(entries, start=1)
        ]
        found += [loader.chart(entry) for entry in self._task.args.get("charts") or []]
        check_objects(found)
        return found

    def _rendered(self, path: str, variables: Result) -> str:
        """Return what a template comes to, in the way of Ansible's own template module."""
        templar = self._templar.copy_with_new_env(
            searchpath=[os.path.dirname(path)], available_variables=variables
        )
        try:
            text = templar.template(trusted(read(path)), escape_backslashes=False)
        except AnsibleError as error:
            raise ManifestError(f"{path}: cannot be rendered: {error}") from error
        return str(text)

    def _deploy(self, common: Result, total: int, variables: Result) -> Result:
        """Return the result of writing all, or of one after the other."""
        steps = range(1, total + 1) if self._task.args.get("one_by_one") and total else [None]
        answers: list[Result] = []
        for count in steps:
            answers.append(self._step(common, count, variables))
            if answers[-1].get("failed"):
                break
        return put_together(answers)

    def _step(self, common: Result, count: Optional[int], variables: Result) -> Result:
        """Return the result of one call, repeated until all is ready or the time is over."""
        timeout = int(self._task.args.get("timeout") or TIMEOUT)
        wait = bool(self._task.args.get("wait", True))
        arguments = {**common, "count": count, "wait": wait}
        started = time.monotonic()
        answers: list[Result] = []
        while True:
            left = timeout - (time.monotonic() - started)
            before = answers[-1]["before"] if answers else {}
            now = {**arguments, "slice": max(0, min(SLICE, int(left))), "before": before}
            answer = self._execute_module(module_name=MODULE, module_args=now, task_vars=variables)
            answers.append(answer)
            if answer.get("failed") or answer.get("ready") is not False:
                return put_together(answers)
            if time.monotonic() - started >= timeout:
                return {**put_together(answers), **too_late(answer["objects"], timeout)}
            Display().display(f"    {self._task.get_name()}: {waiting_line(answer['objects'])}")


def trusted(text: str) -> str:
    """Return the text of a template as ansible-core from 2.19 on wants it: marked as one."""
    try:
        from ansible.template import trust_as_template
    except ImportError:
        return text
    marked: str = trust_as_template(text)
    return marked


def extra_objects(entries: Sequence[Mapping[str, Any]]) -> dict[str, list[Result]]:
    """Return what is to be waited for besides a manifest's own objects, by its name."""
    found = {}
    for entry in entries:
        rows = [
            {
                "apiVersion": row.get("api_version", "apps/v1"),
                "kind": row.get("kind", "Deployment"),
                "metadata": {"name": row.get("name"), "namespace": row.get("namespace", "default")},
            }
            for row in entry.get("wait_for") or []
        ]
        found[str(entry.get("name"))] = [ref_of(row).to_dict() for row in rows]
    return found


def described(manifest: Manifest, wait_for: Sequence[Result]) -> Result:
    """Return what the module is told of a manifest besides its text."""
    return {
        "name": manifest.name,
        "objects": [each.to_dict() for each in manifest.objects],
        "wait_for": list(wait_for),
        "order": manifest.order,
    }


def put_together(answers: Sequence[Result]) -> Result:
    """Return the last answer with the changes of all of them."""
    found = dict(answers[-1])
    found["changed"] = any(answer.get("changed") for answer in answers)
    for key in ("written", "removed", "diff"):
        found[key] = [each for answer in answers for each in answer.get(key) or []]
    return found


def waiting_line(objects: Sequence[Mapping[str, Any]]) -> str:
    """Return one line about what is not ready yet."""
    late = [each for each in objects if not each["ready"]]
    ready = len(objects) - len(late)
    return f"{ready} of {len(objects)} ready; {_named(late[0])}" if late else f"{ready} ready"


def too_late(objects: Sequence[Mapping[str, Any]], timeout: int) -> Result:
    """Return the failure that names each object that did not get ready."""
    late = [each for each in objects if not each["ready"]]
    lines = "\n".join(f"- {_named(each)}" for each in late)
    first = late[0]
    where = f"-n {first['namespace']} " if first["namespace"] else ""
    return {
        "failed": True,
        "msg": f"{len(late)} of {len(objects)} objects were not ready after {timeout} s:\n{lines}\n"
        f"They stay deployed. Look closer on the server with: k3s kubectl {where}get pods,events",
    }


def _named(each: Mapping[str, Any]) -> str:
    where = f" in {each['namespace']}" if each["namespace"] else ""
    return f"{each['kind']} {each['name']}{where}: {each['reason']}"
