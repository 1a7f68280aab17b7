# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the mark of a virtual environment, which outlives a node that loses its power."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.venv_mark import (
    is_ours,
    marked_digest,
    remove_marked,
    write_mark,
)


class PowerLoss(BaseException):
    """The moment at which nothing goes on."""


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """A whole environment, with a link to what is not ours."""
    path = tmp_path / "2.59.0"
    (path / "bin").mkdir(parents=True)
    (path / "lib" / "ray").mkdir(parents=True)
    (path / "lib" / "ray" / "raylet").write_text("program")
    (path / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.txt").write_text("years of work")
    (path / "lib64").symlink_to(tmp_path / "theirs")
    write_mark(str(path), {"digest": "abc"})
    return path


def test_a_removed_environment_is_gone_and_what_it_links_to_stays(venv: Path) -> None:
    remove_marked(str(venv))
    assert not venv.exists()
    assert (venv.parent / "theirs" / "thesis.txt").exists()


@pytest.mark.parametrize("steps", range(5))
def test_what_a_power_loss_leaves_is_ours_not_whole_and_removed_the_next_time(
    venv: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    left = [steps]

    def until(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            if not left[0]:
                raise PowerLoss
            left[0] -= 1
            return real(*arguments, **named)

        return step

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", until(os.unlink))
        patch.setattr(shutil, "rmtree", until(shutil.rmtree))
        with pytest.raises(PowerLoss):
            remove_marked(str(venv))
    assert is_ours(str(venv))
    assert marked_digest(str(venv)) == ""
    remove_marked(str(venv))
    assert not venv.exists()
