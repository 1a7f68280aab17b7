"""Claims about image archives, on small ones in the form that ``docker save`` of 28.x writes."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.image_archive import (
    ImageArchive,
    ImageArchiveError,
    normal_name,
    read_archive,
)

CONFIG = "blobs/sha256/c0ff"
MANIFEST = [{"Config": CONFIG, "RepoTags": ["rayproject/ray:2.60.0"], "Layers": ["blobs/sha256/a"]}]
FILES: Mapping[str, Any] = {
    "blobs/sha256/a": "x" * 4000,
    CONFIG: {"rootfs": {"type": "layers", "diff_ids": ["sha256:aa", "sha256:bb"]}},
    "manifest.json": MANIFEST,
}


def write(path: Path, files: Mapping[str, Any], compression: str = "") -> Path:
    """Write an archive; what is no text is written as JSON."""
    mode: Any = f"w:{compression}"
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            text = content if isinstance(content, str) else json.dumps(content)
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.mark.parametrize("compression", ["", "gz", "xz"])
def test_names_and_layers_are_read(tmp_path: Path, compression: str) -> None:
    path = write(tmp_path / "image.tar", FILES, compression)
    assert read_archive(str(path)) == ImageArchive(
        ("rayproject/ray:2.60.0",), ("sha256:aa", "sha256:bb")
    )


def test_an_image_may_lack_a_name(tmp_path: Path) -> None:
    unnamed = {**FILES, "manifest.json": [{"Config": CONFIG, "RepoTags": None}]}
    assert read_archive(str(write(tmp_path / "image.tar", unnamed))).names == ()


def without(name: str) -> dict[str, Any]:
    """Return the archive's files but for one."""
    return {key: value for key, value in FILES.items() if key != name}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        pytest.param(without("manifest.json"), "no manifest.json inside", id="no-manifest"),
        pytest.param(without(CONFIG), f"no {CONFIG} inside", id="no-config"),
        pytest.param({}, "no manifest.json inside", id="nothing-inside"),
        pytest.param({**FILES, "manifest.json": []}, "saw no image archive", id="no-image"),
        pytest.param({**FILES, "manifest.json": "{"}, "saw no image archive", id="broken-json"),
        pytest.param({**FILES, "manifest.json": [{}]}, "saw no image archive", id="no-config-name"),
        pytest.param({**FILES, CONFIG: {}}, "saw no image archive", id="no-layers"),
        pytest.param({**FILES, CONFIG: None}, "saw no image archive", id="null"),
    ],
)
def test_what_is_missing_inside_is_named(
    tmp_path: Path, files: Mapping[str, Any], message: str
) -> None:
    path = write(tmp_path / "image.tar", files)
    with pytest.raises(ImageArchiveError, match="expected what 'docker save' writes") as caught:
        read_archive(str(path))
    assert str(caught.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize("compression", ["", "gz", "xz"])
@pytest.mark.parametrize("kept", [0, 1, 20, 100, 1000, 5000])
def test_an_archive_that_was_cut_short_is_named(
    tmp_path: Path, compression: str, kept: int
) -> None:
    whole = write(tmp_path / "whole.tar", FILES, compression).read_bytes()
    path = tmp_path / "image.tar"
    path.write_bytes(whole[: min(kept, len(whole) // 2)])
    with pytest.raises(ImageArchiveError, match="expected what 'docker save' writes"):
        read_archive(str(path))


def test_a_damaged_compressed_archive_is_named(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "whole.tar", FILES, "gz").read_bytes())
    for place in range(30, len(data) - 8):
        data[place] ^= 0x55
    path = tmp_path / "image.tar"
    path.write_bytes(bytes(data))
    with pytest.raises(ImageArchiveError, match="expected what 'docker save' writes"):
        read_archive(str(path))


def test_another_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_text("404: Not Found")
    with pytest.raises(ImageArchiveError, match="saw no image archive"):
        read_archive(str(path))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("rayproject/ray:2.60.0", "rayproject/ray:2.60.0", id="as-docker-writes-it"),
        pytest.param("docker.io/rayproject/ray:2.60.0", "rayproject/ray:2.60.0", id="docker-hub"),
        pytest.param("docker.io/library/debian:13", "debian:13", id="docker-hub-library"),
        pytest.param("library/debian:13", "debian:13", id="library"),
        pytest.param("rayproject/ray", "rayproject/ray:latest", id="without-tag"),
        pytest.param("host:5000/ray", "host:5000/ray:latest", id="registry-with-a-port"),
        pytest.param("host:5000/ray:1", "host:5000/ray:1", id="registry-and-tag"),
        pytest.param("ray@sha256:aa", "ray@sha256:aa", id="digest"),
    ],
)
def test_names_are_compared_as_docker_does(name: str, expected: str) -> None:
    assert normal_name(name) == expected
