# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the running processes of Ray tell about themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Optional

#: Where the raylet lies below Ray's Python package (wheel of Ray 2.60).
RAYLET = "/core/src/ray/raylet/raylet"

#: How the kernel marks a program whose file was replaced or removed.
DELETED = " (deleted)"


def raylet_package_dir(executable: str) -> str:
    """Return the package's directory if ``executable`` is a raylet, else nothing."""
    path = executable[: -len(DELETED)] if executable.endswith(DELETED) else executable
    return path[: -len(RAYLET)] if path.endswith(RAYLET) else ""


def python_of(package: str) -> str:
    """Return the interpreter of the environment in which Ray's package lies."""
    return package.rpartition("/lib/")[0] + "/bin/python"


def version_in(source: str) -> Optional[str]:
    """Return the version that Ray's ``_version.py`` states, None when it states none."""
    found = re.search(r"""^version\s*=\s*["']([^"']+)["']""", source, re.MULTILINE)
    return found.group(1) if found else None


def flag_value(words: Sequence[str], flag: str) -> Optional[str]:
    """Return the value of ``flag=value`` on a command line, None when it is not there."""
    for word in words:
        if word.startswith(flag + "="):
            return word[len(flag) + 1 :]
    return None
