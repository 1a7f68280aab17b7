# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the collection keeps on the control node what belongs to an inventory."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Optional


class SecretsWithinError(Exception):
    """The secrets of a cluster lie within a directory that is an inventory."""


def beside_inventory(inventory_dir: Optional[str], sources: Iterable[str]) -> Path:
    """Return the directory beside an inventory; ``sources`` are what -i names.

    That is the one its file lies in, or where a directory that is an inventory holds the file, the
    parent of that directory: within it, every file would be taken for a part of the inventory.
    Without a file it is the one in which the command is run.
    """
    own = Path(os.path.abspath(inventory_dir or "."))
    directories = [Path(os.path.abspath(each)) for each in sources if os.path.isdir(each)]
    holding = [each for each in directories if each in (own, *own.parents)]
    return min(holding, key=lambda each: len(each.parts)).parent if holding else own


def secrets_directory(
    wish: Optional[str], inventory_dir: Optional[str], sources: Iterable[str], cluster: str
) -> str:
    """Return the directory of a cluster's secrets: as wished, else beside the inventory.

    SecretsWithinError where they lie in the inventory already: others would be made beside it.
    """
    if wish:
        return wish
    place = beside_inventory(inventory_dir, sources) / f"secrets/{cluster}"
    former = Path(os.path.abspath(inventory_dir or ".")) / f"secrets/{cluster}"
    if former.is_dir() and not place.exists():
        move = f"mkdir -p {_quote(place.parent)} && mv {_quote(former)} {_quote(place)}"
        raise SecretsWithinError(
            f"The cluster's secrets lie in {former}, where Ansible takes every file for a part of"
            f" the inventory. They are expected in {place}. Move them: {move}"
        )
    return str(place)


def _quote(path: Path) -> str:
    return shlex.quote(str(path))
