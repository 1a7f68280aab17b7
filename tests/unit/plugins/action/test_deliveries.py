"""Claims about the control node's halves of container_image and python_venv."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.action.container_image import wrong_name
from ansible_collections.rackforge.gpu_cluster.plugins.action.python_venv import (
    packed,
    wheel_names,
)

RAY = "rayproject/ray:2.60.0"


@pytest.mark.parametrize(
    ("name", "names", "expected"),
    [
        pytest.param(RAY, (RAY,), "", id="the-same"),
        pytest.param(f"docker.io/{RAY}", (RAY,), "", id="the-same-spelt-out"),
        pytest.param("mine:1", (RAY, "mine:1"), "", id="its-second-name"),
        pytest.param(
            RAY,
            ("rayproject/ray:2.59.0",),
            "ray.tar holds rayproject/ray:2.59.0, expected rayproject/ray:2.60.0; set ray_image to"
            " rayproject/ray:2.59.0 or point ray_image_archive at the right file",
            id="another-version",
        ),
        pytest.param(
            RAY,
            (),
            "ray.tar holds an image without a name, expected rayproject/ray:2.60.0; write it anew"
            " with 'docker save --output ray.tar rayproject/ray:2.60.0'",
            id="no-name",
        ),
    ],
)
def test_an_archive_with_another_image_is_named(
    name: str, names: tuple[str, ...], expected: str
) -> None:
    assert wrong_name("ray.tar", name, names) == expected


def test_only_wheels_are_packed_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "b-1-py3-none-any.whl").write_bytes(b"b")
    (tmp_path / "a-1-py3-none-any.whl").write_bytes(b"a")
    (tmp_path / "README").write_text("notes")
    names = wheel_names(str(tmp_path))
    assert names == ["a-1-py3-none-any.whl", "b-1-py3-none-any.whl"]
    with packed(str(tmp_path), names) as path, tarfile.open(path) as archive:
        assert archive.getnames() == names
    assert not os.path.exists(path)


def test_a_folder_that_is_missing_has_no_wheels(tmp_path: Path) -> None:
    assert wheel_names(str(tmp_path / "nowhere")) == []
