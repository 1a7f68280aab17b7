"""Make the checkout importable as the collection that it is.

Ansible and the tests both find the plugins as ``ansible_collections.rackforge.gpu_cluster``. In a
checkout that name leads through a link under ``.cache/collections`` back to the repository.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COLLECTIONS = ROOT / ".cache" / "collections"


def link_collection(root: Path, collections: Path) -> Path:
    """Return the link to ``root`` below ``collections``, made or corrected if needed."""
    link = collections / "ansible_collections" / "rackforge" / "gpu_cluster"
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink() and link.resolve() != root:
        link.unlink()
    if not link.is_symlink():
        link.symlink_to(Path("..", "..", "..", ".."))
    return link


link_collection(ROOT, COLLECTIONS)
sys.path[:0] = [str(COLLECTIONS), str(ROOT)]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT
