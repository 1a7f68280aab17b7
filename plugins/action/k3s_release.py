# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control node's half of k3s_release: finds the artifacts and brings those that a node lacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release import (
    doubled_names,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_releases import (
    release_architecture,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.url_secret import wrong_url
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.k3s_directory import (
    ARGUMENTS,
    look,
    request_of,
)

MODULE = "rackforge.gpu_cluster.k3s_release"
PROXIES = frozenset({"http_proxy", "https_proxy", "no_proxy"})
display = Display()
#: Files of which it is worth to say that they are on their way, in bytes.
LARGE = 32 << 20


class RefusedError(Exception):
    """The artifacts cannot be used, and why."""


class ActionModule(ActionBase):  # type: ignore[misc]
    """Ask the node what it lacks, bring that, and have it put in place."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = {k: v for k, v in self._task.args.items() if v is not None}
        try:
            artifact = self._artifact(arguments)
        except RefusedError as error:
            return {**result, "failed": True, "msg": str(error)}
        arguments.pop("planned", None)
        # Of k3s's whole environment only what the download needs; its values count as secret.
        given = dict(arguments.get("environment") or {})
        arguments["environment"] = {k: v for k, v in given.items() if k.lower() in PROXIES}
        if artifact:
            arguments["files"] = artifact
        answer = self._ask(arguments, task_vars)
        needs = answer.pop("needs_sources", [])
        if needs and artifact and not self._play_context.check_mode and not answer.get("failed"):
            answer = self._bring(arguments, files_of(artifact, needs), task_vars)
            answer.pop("needs_sources", None)
        result.update(answer)
        return result

    def _artifact(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the artifacts of the node's architecture, none where the node downloads."""
        common = {
            name: arguments.get(name, spec.get("default")) for name, spec in ARGUMENTS.items()
        }
        request = request_of(common, [str(arguments.get("architecture"))])
        planned = arguments.get("planned") or {}
        if not matches(planned, request.directory, request.version):
            planned = look(request)
        errors = [x for x in planned["findings"] if x["severity"] == "error"]
        if errors:
            raise RefusedError(sentence(errors))
        wrong = wrong_url(arguments.get("url"), ("https", "http"))
        if wrong:
            raise RefusedError(f"k3s_download_url {wrong}")
        if not request.directory:
            return {}
        name = release_architecture(str(arguments.get("architecture"))) or ""
        if name not in planned["artifacts"]:
            planned = look(request)
        found: dict[str, Any] = planned["artifacts"].get(name, {})
        twice = doubled_names(found)
        if twice:
            raise RefusedError(
                f"k3s_image_archives: several archives are named {', '.join(twice)}, expected a "
                "name of its own for each, since they become files of one directory"
            )
        return found

    def _ask(self, arguments: dict[str, Any], task_vars: Optional[dict[str, Any]]) -> Any:
        return self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)

    def _bring(
        self,
        arguments: dict[str, Any],
        files: Iterable[Mapping[str, Any]],
        task_vars: Optional[dict[str, Any]],
    ) -> Any:
        """Return the module's answer to the files that it asked for; they are gone afterwards."""
        directory = self._make_tmp_path()
        sources = {}
        try:
            for each in files:
                remote = self._connection._shell.join_path(directory, each["name"])
                self._transfer(each, remote, (task_vars or {}).get("inventory_hostname", ""))
                sources[each["name"]] = remote
            self._fixup_perms2((directory, *sources.values()))
            return self._ask({**arguments, "sources": sources}, task_vars)
        except RefusedError as error:
            return {"failed": True, "msg": str(error)}
        finally:
            self._remove_tmp_path(directory)

    def _transfer(self, each: Mapping[str, Any], remote: str, host: str) -> None:
        if each["size"] >= LARGE:
            display.display(f"{host}: bringing {each['name']} ({each['size'] >> 20} MiB)")
        try:
            self._transfer_file(each["path"], remote)
        except (AnsibleError, OSError) as error:
            raise RefusedError(
                f"{each['path']} could not be brought to {remote}: {error}; is there room for "
                f"{each['size'] >> 20} MiB (df -h there), or set ansible_remote_tmp to a larger "
                "file system. Nothing was put in place"
            ) from error


def matches(planned: Mapping[str, Any], directory: str, version: str) -> bool:
    """Return whether what was found in this run is about the same release."""
    return (
        "findings" in planned
        and planned.get("directory") == directory
        and planned.get("version") == version
    )


def files_of(artifact: Mapping[str, Any], names: Iterable[str]) -> list[Mapping[str, Any]]:
    """Return the artifacts of these names."""
    every = [*artifact["images"], artifact["binary"]]
    return [each for each in every if each["name"] in set(names)]


def sentence(findings: Iterable[Mapping[str, str]]) -> str:
    """Return findings as the message of a failed task: one line each, the fixes last."""
    rows = list(findings)
    lines = [
        f"{x['message']} Saw {x['seen']}"
        + (f", expected {x['expected']}." if x["expected"] else ".")
        for x in rows
    ]
    fixes = dict.fromkeys(x["fix"] for x in rows if x["fix"])
    return " ".join([*lines, *(f"Fix: {each}" for each in fixes)])
