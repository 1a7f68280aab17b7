# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One file that Python runs, made of the parts of this collection that a program imports."""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "ansible_collections.rackforge.gpu_cluster.plugins.module_utils"
FOLDER = Path(__file__).resolve().parents[1] / "module_utils"
#: The oldest time that the format has: the digest must not depend on when it was made.
_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644
_FIRST_LINE = b"#!/usr/bin/env python3\n"


def program(module: str, folder: Path = FOLDER) -> bytes:
    """Return the program whose ``main`` is in ``module``: always the same bytes of the same code.

    It is not compressed, since Python reads it faster so and compressors differ.
    """
    start = f"import sys\n\nfrom {PACKAGE}.{module} import main\n\nsys.exit(main())\n"
    files = {"__main__.py": start}
    package = ""
    for part in PACKAGE.split("."):
        package += f"{part}/"
        files[f"{package}__init__.py"] = ""
    for name, text in sources(module, folder).items():
        files[f"{package}{name}.py"] = text
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, text in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr = _MODE << 16
            archive.writestr(entry, text)
    return _FIRST_LINE + buffer.getvalue()


def sources(module: str, folder: Path = FOLDER) -> dict[str, str]:
    """Return the texts of a module of module_utils and of all that it imports from there."""
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = (folder / f"{name}.py").read_text(encoding="utf-8")
            waiting.extend(_imported(found[name]))
    return found


def _imported(text: str) -> Iterator[str]:
    """Yield the modules of module_utils that a text imports, at its top or inside functions."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        if node.module == PACKAGE:
            yield from (each.name for each in node.names)
        elif node.module.startswith(f"{PACKAGE}."):
            yield node.module[len(PACKAGE) + 1 :]
