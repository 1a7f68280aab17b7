"""Claims about reading a directory with a release of k3s."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.k3s_directory import (
    look,
    request_of,
)

VERSION = "v1.40.1+k3s1"


def digest(data: bytes) -> str:
    """Return the digest of some bytes."""
    return hashlib.sha256(data).hexdigest()


def looked(directory: Path, **more: Any) -> Any:
    """Return what is said of a directory."""
    args = {
        "directory": str(directory),
        "version": VERSION,
        "images": True,
        "archives": [],
        "checksums": {},
        **more,
    }
    return look(request_of(args, ["x86_64"]))


def fill(folder: Path) -> None:
    """Write a whole release."""
    files = {"k3s": b"binary", "k3s-airgap-images-amd64.tar.gz": b"images"}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    rows = [f"{digest(data)}  {name}\n" for name, data in files.items()]
    (folder / "sha256sum-amd64.txt").write_text("".join(rows))


def test_a_whole_release_is_described(tmp_path: Path) -> None:
    fill(tmp_path)
    found = looked(tmp_path)
    assert [each["code"] for each in found["findings"]] == ["k3s-artifact-unpinned"]
    assert found["directory"] == str(tmp_path)
    assert found["artifacts"]["amd64"]["binary"] == {
        "name": "k3s",
        "path": f"{tmp_path}/k3s",
        "sha256": digest(b"binary"),
        "size": 6,
    }
    assert [each["name"] for each in found["artifacts"]["amd64"]["images"]] == [
        "k3s-airgap-images-amd64.tar.gz"
    ]


def test_one_byte_flipped_in_each_artifact_is_found(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "k3s").write_bytes(b"binarY")
    (tmp_path / "k3s-airgap-images-amd64.tar.gz").write_bytes(b"imageS")
    codes = [each["code"] for each in looked(tmp_path)["findings"]]
    assert codes == ["k3s-artifact-corrupt", "k3s-artifact-corrupt"]


def test_of_several_forms_of_the_archive_the_smallest_is_taken(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "k3s-airgap-images-amd64.tar.zst").write_bytes(b"small")
    found = looked(
        tmp_path,
        checksums={
            VERSION: {
                "amd64": {
                    "k3s": digest(b"binary"),
                    "k3s-airgap-images-amd64.tar.zst": digest(b"small"),
                }
            }
        },
    )
    assert found["findings"] == []
    assert [each["name"] for each in found["artifacts"]["amd64"]["images"]] == [
        "k3s-airgap-images-amd64.tar.zst"
    ]


def test_a_directory_in_the_place_of_a_file_is_no_crash(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "k3s").unlink()
    (tmp_path / "k3s").mkdir()
    (tmp_path / "sha256sum-amd64.txt").unlink()
    (tmp_path / "sha256sum-amd64.txt").mkdir()
    codes = {each["code"] for each in looked(tmp_path)["findings"]}
    assert codes == {"k3s-artifact-corrupt", "k3s-artifact-unverified"}


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    (finding,) = looked(tmp_path / "nowhere")["findings"]
    assert finding["code"] == "k3s-artifact-missing"
    assert finding["seen"] == f"{tmp_path}/nowhere: No such file or directory"


def test_without_a_directory_only_the_inputs_are_judged() -> None:
    args = {"directory": "", "version": "x", "images": True, "archives": [], "checksums": {}}
    assert [each["code"] for each in look(request_of(args, ["amd64"]))["findings"]] == [
        "value-invalid"
    ]
    assert look(request_of({**args, "version": VERSION}, ["amd64"]))["findings"] == []
