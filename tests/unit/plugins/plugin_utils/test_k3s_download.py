"""Claims about filling a directory with a release of k3s; the server is one on loopback."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_artifacts import Request
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release_fetch import Web
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release_files import (
    ReleaseError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils import k3s_download
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.k3s_download import (
    Download,
    Teller,
    run,
)

from tests.unit.plugins.k3s_web import Answer, Server, serving

VERSION = "v1.40.1+k3s1"
AT = "/v1.40.1%2Bk3s1"
IMAGES = "k3s-airgap-images-amd64.tar.zst"
FILES = {"k3s": b"binary", "k3s-airgap-images-amd64.tar": b"large", IMAGES: b"images"}


def digest(data: bytes) -> str:
    """Return the digest of some bytes."""
    return hashlib.sha256(data).hexdigest()


LIST = "".join(f"{digest(data)}  {name}\n" for name, data in FILES.items())
KNOWN = {VERSION: {"amd64": {"k3s": digest(b"binary"), IMAGES: digest(b"images")}}}


@pytest.fixture
def server() -> Iterator[Server]:
    """A server with a release."""
    with serving() as state:
        for name, data in FILES.items():
            state.has(f"{AT}/{name}", data)
        state.has(f"{AT}/sha256sum-amd64.txt", LIST.encode())
        yield state


def download(server: Server, folder: Path, said: list[str] | None = None, **more: Any) -> Download:
    """Return the download of a release whose digests are known."""
    values = {"architectures": ("amd64",), "checksums": KNOWN, **more}
    request = Request(str(folder), VERSION, **values)
    tell = Teller((said if said is not None else []).append)
    return Download(request, server.url, Web(30.0, pause=lambda _seconds: None), tell)


def test_a_release_comes_with_its_list_of_checksums(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    result = run(download(server, folder), check_mode=False)
    assert result["downloaded"] == ["k3s", IMAGES, "sha256sum-amd64.txt"]
    assert sorted(os.listdir(folder)) == ["k3s", IMAGES, "sha256sum-amd64.txt"]
    assert (folder / "sha256sum-amd64.txt").read_text() == LIST
    assert (folder / "k3s").stat().st_mode & 0o777 == 0o755


def test_the_second_time_nobody_is_asked(server: Server, tmp_path: Path) -> None:
    run(download(server, tmp_path), check_mode=False)
    server.asked.clear()
    result = run(download(server, tmp_path), check_mode=False)
    assert (result["changed"], result["downloaded"], server.asked) == (False, [], [])


def test_only_what_is_damaged_comes_again(server: Server, tmp_path: Path) -> None:
    run(download(server, tmp_path), check_mode=False)
    (tmp_path / IMAGES).write_bytes(b"imageS")
    assert run(download(server, tmp_path), check_mode=False)["downloaded"] == [IMAGES]
    assert (tmp_path / IMAGES).read_bytes() == b"images"


def test_check_mode_downloads_nothing(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    result = run(download(server, folder), check_mode=True)
    assert result["changed"] is True
    assert not folder.exists()
    assert server.gets() == [f"{AT}/sha256sum-amd64.txt"]


def test_a_file_with_another_digest_is_thrown_away(server: Server, tmp_path: Path) -> None:
    server.has(f"{AT}/k3s", b"binarY")
    with pytest.raises(ReleaseError, match="it was thrown away"):
        run(download(server, tmp_path), check_mode=False)
    assert os.listdir(tmp_path) == []


def test_what_nobody_knows_is_not_taken_over_http(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="is not https"):
        run(download(server, tmp_path, checksums={}), check_mode=False)
    assert server.gets() == [f"{AT}/sha256sum-amd64.txt"]


def test_a_release_without_an_archive_of_images_is_named(server: Server, tmp_path: Path) -> None:
    server.has(f"{AT}/sha256sum-amd64.txt", f"{digest(b'binary')}  k3s\n".encode())
    with pytest.raises(ReleaseError, match="lists no archive of images"):
        run(download(server, tmp_path), check_mode=False)
    result = run(download(server, tmp_path, images=False), check_mode=False)
    assert result["downloaded"] == ["k3s", "sha256sum-amd64.txt"]


def test_the_second_architecture_that_is_missing_stops_all(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"sha256sum-arm64\.txt: the server answered 404"):
        run(download(server, tmp_path, architectures=("amd64", "arm64")), check_mode=False)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_told_before_the_download(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(k3s_download, "free_bytes", lambda _path: ("/srv", 3))
    with pytest.raises(ReleaseError, match="/srv has 0 MiB free"):
        run(download(server, tmp_path), check_mode=False)
    assert server.gets() == [f"{AT}/sha256sum-amd64.txt"]


def test_a_server_that_tells_no_size_is_no_obstacle(server: Server, tmp_path: Path) -> None:
    server.answers[f"{AT}/k3s"] = [Answer(status=405), Answer(b"binary")]
    assert run(download(server, tmp_path), check_mode=False)["changed"] is True


def test_another_release_replaces_the_one_that_lies_there(server: Server, tmp_path: Path) -> None:
    (tmp_path / "k3s").write_bytes(b"former")
    (tmp_path / "sha256sum-amd64.txt").write_text(f"{digest(b'former')}  k3s\n")
    run(download(server, tmp_path), check_mode=False)
    assert (tmp_path / "k3s").read_bytes() == b"binary"
    assert (tmp_path / "sha256sum-amd64.txt").read_text() == LIST


def test_progress_is_told_every_ten_seconds() -> None:
    said: list[str] = []
    ticks = iter([0.0, 4.0, 11.0, 11.0, 15.0, 22.0, 22.0])
    progress = Teller(said.append, clock=lambda: next(ticks)).begin("k3s")
    for mib in (10, 20, 30, 40):
        progress(mib << 20, 70 << 20)
    assert said == ["k3s: 20 of 70 MiB", "k3s: 40 of 70 MiB"]
