# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_lock import alone_on_node


def is_held(path: Path) -> bool:
    with path.open("w") as other:
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_nobody_else_gets_the_lock_inside_the_block(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with alone_on_node(str(path)):
        assert is_held(path)


def test_the_lock_is_free_after_a_failure_in_the_block(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(RuntimeError), alone_on_node(str(path)):
        raise RuntimeError
    assert not is_held(path)
