# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``Command`` needs of a host, for programs that run on a node by themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Optional

#: A program that cannot be started ends as in a shell.
_NOT_STARTED = 127


class LocalHost:
    """Starts programs of this machine, as AnsibleModule does, without Ansible."""

    def run_command(
        self, args: list[str], data: Optional[str], environ_update: dict[str, str]
    ) -> tuple[int, str, str]:
        """Run ``args`` and return exit status, standard output and standard error."""
        try:
            ended = subprocess.run(
                args,
                input=None if data is None else data.encode("utf-8", "surrogateescape"),
                stdin=subprocess.DEVNULL if data is None else None,
                capture_output=True,
                env={**os.environ, **environ_update},
                check=False,
            )
        except OSError as error:
            return _NOT_STARTED, "", f"{args[0]}: {error.strerror or error}"
        return ended.returncode, _text(ended.stdout), _text(ended.stderr)

    def get_bin_path(self, arg: str, required: bool, opt_dirs: list[str]) -> Optional[str]:
        """Return where the program ``arg`` lies, or None."""
        del required  # whether it is there is for the caller to judge
        folders = [*os.environ.get("PATH", os.defpath).split(os.pathsep), *opt_dirs]
        return shutil.which(arg, path=os.pathsep.join(folders))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
