# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control node's half of container_image: reads the archive and brings it where it is missing."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.delivery import (
    DeliveringAction,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.image_archive import (
    ImageArchiveError,
    normal_name,
    read_archive,
)

MODULE = "rackforge.gpu_cluster.container_image"


class ActionModule(DeliveringAction):
    """Compare the node's image with the archive's and load the archive where they differ."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        local = arguments.get("archive")
        if not local:
            result.update(self._execute_module(module_name=MODULE, task_vars=task_vars))
            return result
        try:
            path = self._find_needle("files", local)
            image = read_archive(path)
        except (ImageArchiveError, OSError) as error:
            return {**result, "failed": True, "msg": f"ray_image_archive: {error}"}
        wrong = wrong_name(local, str(arguments["name"]), image.names)
        if wrong:
            return {**result, "failed": True, "msg": wrong}
        arguments["layers"] = list(image.layers)
        result.update(self.deliver(MODULE, arguments, lambda: nullcontext(path), task_vars or {}))
        return result


def wrong_name(archive: str, name: str, names: tuple[str, ...]) -> str:
    """Return why the archive cannot provide the image ``name``, nothing when it can."""
    if not names:
        return (
            f"{archive} holds an image without a name, expected {name}; "
            f"write it anew with 'docker save --output {archive} {name}'"
        )
    if normal_name(name) in [normal_name(each) for each in names]:
        return ""
    return (
        f"{archive} holds {', '.join(names)}, expected {name}; "
        f"set ray_image to {names[0]} or point ray_image_archive at the right file"
    )
