# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control node's half of docker_engine: reads the certificates of registries."""

from __future__ import annotations

from typing import Any, Optional

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_certificate import (
    CertificateError,
    certificates,
)

MODULE = "rackforge.gpu_cluster.docker_engine"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Hand the certificates' text to the module."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        texts = {}
        for host, path in (arguments.get("registry_ca_files") or {}).items():
            texts[host], problem = self._certificates(str(path))
            if problem:
                message = f"docker_registry_ca_files: {host}: {path}: {problem}"
                fix = f"'openssl x509 -in {path} -noout -subject' shows a right one"
                return {**result, "failed": True, "msg": f"{message}. Nothing was changed; {fix}"}
        arguments["registry_certificates"] = texts
        result.update(
            self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        )
        return result

    def _certificates(self, path: str) -> tuple[str, str]:
        """Return a file's certificates, and what is wrong with it."""
        try:
            with open(self._find_needle("files", path), encoding="utf-8") as file:
                return certificates(file.read()), ""
        except (OSError, UnicodeDecodeError, CertificateError, AnsibleError) as error:
            return "", str(error)
