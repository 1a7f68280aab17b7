# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernel modules that a node should have: which are there, and which must be loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import HEADER


class KernelModuleError(ValueError):
    """A module's name is none."""


def check_names(names: Iterable[str]) -> None:
    """Raise KernelModuleError for what cannot be a module's name."""
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
            raise KernelModuleError(
                f"os_base_kernel_modules has '{name}', expected a module's name such as rdma_ucm; "
                f"nothing was changed"
            )


def canonical(name: str) -> str:
    """Return a name as /sys/module has it: nvidia-drm is nvidia_drm there."""
    return name.replace("-", "_")


def parse_builtin(text: str) -> set[str]:
    """Return the modules that ``modules.builtin`` says are part of the kernel itself."""
    found = (re.search(r"([^/]+)\.ko", line) for line in text.splitlines())
    return {canonical(match.group(1)) for match in found if match}


def absent(names: Sequence[str], loaded: Iterable[str]) -> list[str]:
    """Return the modules that are neither loaded nor part of the kernel."""
    present = {canonical(name) for name in loaded}
    return [name for name in dict.fromkeys(names) if canonical(name) not in present]


def render(names: Sequence[str]) -> Optional[str]:
    """Return the file that loads the modules at boot, None for none."""
    lines = "".join(f"{name}\n" for name in dict.fromkeys(names))
    return HEADER + lines if lines else None
