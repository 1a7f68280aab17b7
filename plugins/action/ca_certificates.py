# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control node's half of ca_certificates: reads and judges the certificates before a node is asked."""

from __future__ import annotations

import os
import re
from datetime import datetime, timezone
from typing import Any, Optional

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.x509 import (
    CertificateError,
    authorities,
)

MODULE = "rackforge.gpu_cluster.ca_certificates"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Hand the certificates of the files to the module."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        texts: dict[str, str] = {}
        path = ""
        try:
            for path in self._task.args.get("files") or []:
                with open(self._find_needle("files", path), "rb") as file:
                    texts[path] = file.read().decode("utf-8", "replace")
        except (AnsibleError, OSError) as error:
            return {**result, "failed": True, "msg": unreadable(path, error)}
        try:
            found = named(texts, datetime.now(timezone.utc))
        except CertificateError as error:
            return {**result, "failed": True, "msg": f"os_base_ca_files: {error}"}
        arguments = {"files": list(texts), "certificates": found}
        result.update(
            self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        )
        return result


def unreadable(path: str, error: Exception) -> str:
    """Return what to tell about a file that cannot be read."""
    why = str(error).splitlines()[0]
    return (
        f"os_base_ca_files: {path} on the control node cannot be read ({why}), expected a PEM file; "
        f"try 'ls -l {path}'; nothing was changed"
    )


def named(texts: dict[str, str], now: datetime) -> dict[str, str]:
    """Return the certificates, each once, under the names of their files on a node."""
    found: dict[str, str] = {}
    for path, text in texts.items():
        try:
            certificates = authorities(text, now)
        except CertificateError as error:
            raise CertificateError(f"{path}: {error}; nothing was changed") from error
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", os.path.splitext(os.path.basename(path))[0])
        for certificate in certificates:
            pem = certificate.pem()
            if pem not in found.values():
                found[_free(f"rackforge-{stem.strip('-') or 'ca'}", found)] = pem
    return found


def _free(name: str, taken: dict[str, str]) -> str:
    """Return the name, with a number when it is taken."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free
