# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action k3s_download: see plugins/modules/k3s_download.py for what it promises."""

from __future__ import annotations

import os
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release_fetch import Web
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release_files import (
    ReleaseError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.url_secret import wrong_url
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.k3s_directory import (
    ARGUMENTS,
    request_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.k3s_download import (
    Download,
    Teller,
    run,
)

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]
    """Downloads in this process, so that it can say how far it is."""

    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return what came, or why it did not."""
        super().run(tmp, task_vars)
        _result, args = self.validate_argument_spec(
            argument_spec={
                **{name: spec for name, spec in ARGUMENTS.items() if name != "archives"},
                "architectures": {"type": "list", "elements": "str", "required": True},
                "url": {"type": "str", "required": True},
                "timeout": {"type": "int", "default": 1800},
            }
        )
        request = request_of({**args, "archives": []}, args["architectures"])
        problem = request.problem()
        if problem:
            return failed(f"{problem.variable}: saw {problem.seen}, expected {problem.expected}")
        if not request.directory:
            return failed("k3s_artifact_dir is not set; say -e k3s_artifact_dir=DIRECTORY")
        wrong = wrong_url(args["url"], ("https", "http"))
        if wrong:
            return failed(f"k3s_download_url {wrong}")
        web = Web(float(args["timeout"]), dict(os.environ), "k3s_download_timeout_seconds")
        try:
            return run(
                Download(request, args["url"], web, Teller(display.display)),
                bool(self._play_context.check_mode),
            )
        except ReleaseError as error:
            return failed(f"k3s {request.version}: {error}")
        except OSError as error:
            where = error.filename or request.directory
            return failed(f"{where}: {error.strerror or error}; look at the file system (df -h)")


def failed(message: str) -> dict[str, Any]:
    """Return the result of a task that could not do it."""
    return {"failed": True, "msg": message}
