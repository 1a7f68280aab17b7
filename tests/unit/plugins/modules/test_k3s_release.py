"""Claims about a release of k3s on a node."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import k3s_paths
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    k3s_release as plans,
)
from ansible_collections.rackforge.gpu_cluster.plugins.modules import k3s_release
from ansible_collections.rackforge.gpu_cluster.plugins.modules.k3s_release import main

from tests.unit.plugins.k3s_web import Server, serving
from tests.unit.plugins.modules.conftest import Node

VERSION = "v1.40.1+k3s1"
ADDRESS = "/v1.40.1%2Bk3s1"
OLD, NEW, IMAGES = b"the former k3s", b"k3s v1.40.1+k3s1", b"layers"


def digest(data: bytes) -> str:
    """Return the digest of some bytes."""
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The node's files, in a folder of the test."""
    (tmp_path / "bin").mkdir()
    images, record = tmp_path / "agent" / "images", tmp_path / "agent" / "record.json"
    binary = str(tmp_path / "bin" / "k3s")
    monkeypatch.setattr(k3s_paths, "BINARY", binary)
    monkeypatch.setattr(
        k3s_paths, "LINKS", tuple(str(tmp_path / "bin" / x) for x in ("ctr", "kubectl"))
    )
    monkeypatch.setattr(plans, "BINARY", binary)
    monkeypatch.setattr(plans, "IMAGES_DIR", str(images))
    monkeypatch.setattr(k3s_release, "RECORD", str(record))
    monkeypatch.setattr(k3s_release, "PROGRAM_DIRS", (str(tmp_path / "usr"),))
    return tmp_path


@pytest.fixture
def server() -> Iterator[Server]:
    """A server without any file."""
    with serving() as state:
        yield state


def artifact(name: str = "i.tar.zst") -> dict[str, Any]:
    """Return the artifacts as the control node describes them."""
    return {
        "binary": {"name": "k3s", "path": "-", "sha256": digest(NEW), "size": len(NEW)},
        "images": [{"name": name, "path": "-", "sha256": digest(IMAGES), "size": len(IMAGES)}],
    }


def brought(root: Path, binary: bytes = NEW, name: str = "i.tar.zst") -> dict[str, str]:
    """Return the files that came from the control node."""
    (root / "tmp").mkdir(exist_ok=True)
    for each, data in (("k3s", binary), (name, IMAGES)):
        (root / "tmp" / each).write_bytes(data)
    return {each: str(root / "tmp" / each) for each in ("k3s", name)}


def arguments(**more: Any) -> dict[str, Any]:
    """Return the usual arguments."""
    return {"version": VERSION, "architecture": "x86_64", **more}


def known(data: bytes = NEW) -> dict[str, Any]:
    """Return the owner's table of digests."""
    return {VERSION: {"amd64": {"k3s": digest(data)}}}


def test_the_node_says_what_it_lacks_before_anything_travels(node: Node, root: Path) -> None:
    result = node.run(main, **arguments(files=artifact()))
    assert (result["changed"], result["needs_sources"]) == (True, ["i.tar.zst", "k3s"])
    assert os.listdir(root / "bin") == []


def test_what_came_is_put_in_place_and_the_second_run_is_quiet(node: Node, root: Path) -> None:
    result = node.run(main, **arguments(files=artifact(), sources=brought(root)))
    binary = root / "bin" / "k3s"
    assert result["changed"] is True
    assert result["placed"] == [str(root / "agent/images/i.tar.zst"), str(binary)]
    assert binary.read_bytes() == NEW
    assert binary.stat().st_mode & 0o777 == 0o755
    assert os.readlink(root / "bin" / "ctr") == "k3s"
    again = node.run(main, **arguments(files=artifact()))
    assert (again["changed"], again["needs_sources"], again["version_before"]) == (
        False,
        [],
        VERSION,
    )


@pytest.mark.parametrize(
    "answer", [(0, "", ""), (255, "", "no such type")], ids=["labelled", "failed"]
)
def test_a_new_binary_gets_its_label_once_and_a_failure_of_that_is_none(
    node: Node, root: Path, answer: tuple[int, str, str]
) -> None:
    node.answers("restorecon", answer)
    node.answers("timeout --kill-after=5 60 restorecon", answer)
    result = node.run(main, **arguments(files=artifact(), sources=brought(root)))
    assert (result["changed"], "failed" in result) == (True, False)
    assert node.calls == [f"timeout --kill-after=5 60 restorecon -F {root}/bin/k3s"]
    node.run(main, **arguments(files=artifact()))
    assert len(node.calls) == 1


def test_check_mode_changes_nothing_and_shows_the_difference(node: Node, root: Path) -> None:
    result = node.run(main, check=True, **arguments(files=artifact()))
    assert result["changed"] is True
    assert result["diff"]["before"] == "k3s none\n"
    assert f"{root}/bin/k3s sha256:{digest(NEW)}\n" in result["diff"]["after"]
    assert os.listdir(root) == ["bin"]
    assert os.listdir(root / "bin") == []


def test_a_file_that_was_damaged_on_its_way_is_not_put_in_place(node: Node, root: Path) -> None:
    (root / "bin" / "k3s").write_bytes(OLD)
    result = node.run(main, **arguments(files=artifact(), sources=brought(root, b"damaged")))
    assert result["failed"] is True
    assert f"digest {digest(b'damaged')}, expected {digest(NEW)}" in result["msg"]
    assert (root / "bin" / "k3s").read_bytes() == OLD
    assert os.listdir(root / "bin") == ["k3s"]


def test_an_archive_that_is_not_wanted_any_more_goes_and_others_stay(
    node: Node, root: Path
) -> None:
    node.run(main, **arguments(files=artifact("old.tar"), sources=brought(root, name="old.tar")))
    (root / "agent/images/mine.tar").write_bytes(b"mine")
    result = node.run(
        main, **arguments(files=artifact("new.tar"), sources=brought(root, name="new.tar"))
    )
    assert result["changed"] is True
    assert sorted(os.listdir(root / "agent/images")) == ["mine.tar", "new.tar"]


def test_programs_of_the_owner_are_left(node: Node, root: Path) -> None:
    (root / "bin" / "kubectl").write_bytes(b"mine")
    (root / "usr").mkdir()
    (root / "usr" / "ctr").write_bytes(b"the distribution's")
    result = node.run(main, **arguments(files=artifact(), sources=brought(root)))
    assert result["left"] == [str(root / "usr/ctr"), str(root / "bin/kubectl")]
    assert sorted(os.listdir(root / "bin")) == ["k3s", "kubectl"]


def test_a_full_disk_is_told_before_anything_is_written(
    node: Node, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(k3s_release, "free_bytes", lambda _path: (str(root), 5))
    result = node.run(main, **arguments(files=artifact()))
    assert result["failed"] is True
    assert f"{root} has 0 MiB free" in result["msg"]
    assert os.listdir(root / "bin") == []


def test_a_disk_that_fills_up_meanwhile_is_told(
    node: Node, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    result = node.run(main, **arguments(files=artifact(), sources=brought(root)))
    assert result["failed"] is True
    assert "No space left on device; is there room?" in result["msg"]
    assert os.listdir(root / "agent/images") == []


def test_what_an_interrupted_run_left_is_taken_away(node: Node, root: Path) -> None:
    (root / "bin" / ".rackforge-new-x").write_bytes(b"half")
    node.run(main, **arguments(files=artifact(), sources=brought(root)))
    assert ".rackforge-new-x" not in os.listdir(root / "bin")


def test_a_node_downloads_what_is_known(node: Node, root: Path, server: Server) -> None:
    server.has(f"{ADDRESS}/k3s", NEW)
    result = node.run(main, **arguments(url=server.url, checksums=known()))
    assert result["changed"] is True
    assert (root / "bin" / "k3s").read_bytes() == NEW
    server.asked.clear()
    again = node.run(main, **arguments(url=server.url, checksums=known()))
    assert (again["changed"], server.asked) == (False, [])


def test_a_download_with_another_digest_is_refused(node: Node, root: Path, server: Server) -> None:
    (root / "bin" / "k3s").write_bytes(OLD)
    server.has(f"{ADDRESS}/k3s", b"<html>")
    result = node.run(main, **arguments(url=server.url, checksums=known()))
    assert result["failed"] is True
    assert f"has the SHA-256 digest {digest(b'<html>')}" in result["msg"]
    assert (root / "bin" / "k3s").read_bytes() == OLD


def test_an_unreachable_server_leads_to_the_directory(node: Node) -> None:
    result = node.run(main, **arguments(url="http://127.0.0.1:1", checksums=known()))
    assert result["failed"] is True
    assert "Connection refused" in result["msg"]
    assert "(playbooks/k3s_download.yml) and set k3s_artifact_dir" in result["msg"]


def test_check_mode_asks_no_server(node: Node, root: Path, server: Server) -> None:
    result = node.run(main, check=True, **arguments(url=server.url))
    assert (result["changed"], server.asked) == (True, [])
    assert os.listdir(root / "bin") == []


def test_a_release_that_nobody_vouches_for_is_not_taken_over_http(
    node: Node, server: Server
) -> None:
    result = node.run(main, **arguments(url=server.url))
    assert result["failed"] is True
    assert "is not https" in result["msg"]
    assert server.asked == []


def test_a_brought_release_is_not_asked_for_again_where_nobody_else_knows_it(
    node: Node, server: Server
) -> None:
    server.has(f"{ADDRESS}/k3s", NEW)
    node.run(main, **arguments(url=server.url, checksums=known()))
    again = node.run(main, **arguments(url="https://127.0.0.1:1"))
    assert again["changed"] is False


def test_a_machine_without_a_release_is_named(node: Node) -> None:
    result = node.run(main, version=VERSION, architecture="riscv64")
    assert result["failed"] is True
    assert "this machine is riscv64, expected x86_64 or aarch64" in result["msg"]


def test_the_version_of_a_binary_of_somebody_else_is_read_from_it(node: Node, root: Path) -> None:
    (root / "bin" / "k3s").write_bytes(b"\0v1.33.6+k3s1\0")
    result = node.run(main, check=True, **arguments(files=artifact()))
    assert result["version_before"] == "v1.33.6+k3s1"


def test_a_node_of_a_cluster_keeps_its_version_unless_told(
    node: Node, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of its files may change, and a node that has not joined takes any version."""
    password = root / "password"
    monkeypatch.setattr(k3s_paths, "NODE_PASSWORD", str(password))
    node.run(main, **arguments(files=artifact(), sources=brought(root)))
    other = arguments(files=artifact(), version="v1.41.0+k3s1", replace=False)
    assert node.run(main, check=True, **other)["changed"] is True
    password.write_text("made when it joined")
    said = node.run(main, **other)["msg"]
    assert said.startswith(f"k3s v1.41.0+k3s1: the node runs {VERSION} in a cluster")
    assert node.run(main, **arguments(files=artifact(), replace=False))["changed"] is False
    assert node.run(main, **{**other, "replace": True})["changed"] is True
