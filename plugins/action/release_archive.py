# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control node's half of release_archive: checks archives here, and brings those that are needed."""

from __future__ import annotations

import os
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release_files import (
    read_content,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.release_archive import (
    Release,
    ReleaseArchiveError,
    parse_release,
)

MODULE = "rackforge.gpu_cluster.release_archive"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Ask the node what it lacks, and bring that."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = {k: v for k, v in self._task.args.items() if v is not None}
        try:
            releases = [parse_release(each) for each in arguments.get("releases") or []]
            local = {each.name: checked(each) for each in releases if not each.remote}
        except ReleaseArchiveError as error:
            return {**result, "failed": True, "msg": str(error)}
        answer = self._ask(arguments, task_vars)
        needs = [name for name in answer.pop("needs_sources", []) if name in local]
        if needs and not self._play_context.check_mode and not answer.get("failed"):
            answer = self._bring(arguments, {name: local[name] for name in needs}, task_vars)
            answer.pop("needs_sources", None)
        result.update(answer)
        return result

    def _ask(self, arguments: dict[str, Any], task_vars: Optional[dict[str, Any]]) -> Any:
        return self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)

    def _bring(
        self,
        arguments: dict[str, Any],
        files: dict[str, str],
        task_vars: Optional[dict[str, Any]],
    ) -> Any:
        """Return the module's answer to the archives; they are gone afterwards."""
        directory = self._make_tmp_path()
        sources = {}
        try:
            for name, path in files.items():
                remote = self._connection._shell.join_path(directory, f"{name}.tar.gz")
                self._transfer_file(path, remote)
                sources[name] = remote
            self._fixup_perms2((directory, *sources.values()))
            return self._ask({**arguments, "sources": sources}, task_vars)
        finally:
            self._remove_tmp_path(directory)


def checked(release: Release) -> str:
    """Return the path of an archive of this machine that is what its digest says."""
    path = os.path.abspath(os.path.expanduser(release.source))
    try:
        seen = read_content(path).sha256
    except OSError as error:
        raise ReleaseArchiveError(
            f"{release.given_by}: {path}: {error.strerror}, expected a .tar.gz on the control node"
        ) from error
    if seen != release.checksum:
        raise ReleaseArchiveError(
            f"{release.given_by}: {path} has the SHA-256 digest {seen}, expected {release.checksum}; "
            "fetch it anew, or correct the checksum"
        )
    return path
