"""Claims about the release_archive module and its control node's half."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.action.release_archive import checked
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.release_archive import (
    Release,
    ReleaseArchiveError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.modules.release_archive import main

from tests.unit.plugins.modules.conftest import Node


def archive(folder: Path, version: str, content: bytes = b"program") -> tuple[str, str]:
    """Return path and digest of a release with one program."""
    path = folder / f"{version}.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo(f"prometheus-{version}.linux-amd64/prometheus")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return str(path), hashlib.sha256(path.read_bytes()).hexdigest()


def have(node: Node, dest: Path, path: str, digest: str, brought: bool = True, **more: Any) -> Any:
    """Return the module's answer about one archive."""
    release = {
        "name": "prometheus",
        "source": path,
        "checksum": digest,
        "programs": ["prometheus"],
        "input": "monitoring_archives.prometheus",
    }
    sources = {"prometheus": path} if brought else {}
    return node.run(
        main, dest=str(dest), architecture="x86_64", releases=[release], sources=sources, **more
    )


def test_the_program_comes_once(node: Node, tmp_path: Path) -> None:
    path, digest = archive(tmp_path, "2.53.3")
    first = have(node, tmp_path / "opt", path, digest)
    assert (first["changed"], first["versions"]) == (True, {"prometheus": "2.53.3"})
    program = tmp_path / "opt" / "prometheus"
    assert (program.read_bytes(), stat.S_IMODE(program.stat().st_mode)) == (b"program", 0o755)
    assert sorted(x.name for x in (tmp_path / "opt").iterdir()) == [
        ".prometheus.json",
        "prometheus",
    ]
    again = have(node, tmp_path / "opt", path, digest, brought=False)
    assert (again["changed"], again["needs_sources"]) == (False, [])


def test_an_archive_is_asked_for_only_where_it_is_needed(node: Node, tmp_path: Path) -> None:
    path, digest = archive(tmp_path, "2.53.3")
    result = have(node, tmp_path / "opt", path, digest, brought=False)
    assert (result["needs_sources"], (tmp_path / "opt").exists()) == (["prometheus"], False)


def test_a_newer_release_takes_the_place_of_the_old(node: Node, tmp_path: Path) -> None:
    have(node, tmp_path / "opt", *archive(tmp_path, "2.53.3"))
    result = have(node, tmp_path / "opt", *archive(tmp_path, "2.54.0", b"newer"))
    assert result["diff"] == {"before": "prometheus 2.53.3\n", "after": "prometheus 2.54.0\n"}
    assert (tmp_path / "opt" / "prometheus").read_bytes() == b"newer"


def test_an_older_release_changes_nothing(node: Node, tmp_path: Path) -> None:
    have(node, tmp_path / "opt", *archive(tmp_path, "2.53.3"))
    result = have(node, tmp_path / "opt", *archive(tmp_path, "2.52.0", b"older"))
    assert result["failed"] is True
    assert "is prometheus 2.52.0, expected 2.53.3 or newer" in result["msg"]
    assert (tmp_path / "opt" / "prometheus").read_bytes() == b"program"


def test_an_archive_with_another_digest_changes_nothing(node: Node, tmp_path: Path) -> None:
    path, _digest = archive(tmp_path, "2.53.3")
    result = have(node, tmp_path / "opt", path, "00" * 32)
    assert f"expected {'00' * 32}; nothing was changed" in result["msg"]
    assert list((tmp_path / "opt").iterdir()) == []


def test_what_is_no_archive_is_explained(node: Node, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"hello")
    digest = hashlib.sha256(b"hello").hexdigest()
    result = have(node, tmp_path / "opt", str(tmp_path / "x"), digest)
    assert (result["failed"], "Could not have the release" in result["msg"]) == (True, True)


def test_check_mode_says_what_would_come(node: Node, tmp_path: Path) -> None:
    path, digest = archive(tmp_path, "2.53.3")
    result = have(node, tmp_path / "opt", path, digest, check=True)
    assert (result["placed"], (tmp_path / "opt").exists()) == (["prometheus"], False)


def test_archives_of_the_control_node_are_checked_there(tmp_path: Path) -> None:
    path, digest = archive(tmp_path, "2.53.3")
    assert checked(Release("prometheus", path, digest, (), "archives.p")) == path
    with pytest.raises(ReleaseArchiveError, match=f"archives.p: .* expected {'00' * 32}"):
        checked(Release("prometheus", path, "00" * 32, (), "archives.p"))
    with pytest.raises(ReleaseArchiveError, match=r"archives.p: /none: No such file"):
        checked(Release("prometheus", "/none", digest, (), "archives.p"))
