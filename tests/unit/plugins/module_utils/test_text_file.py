"""Claims about reading and placing text files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    place_text,
    read_text,
    shown,
)


class Mover:
    """Moves as AnsibleModule does, without its care for attributes."""

    def __init__(self, folder: Path) -> None:
        self.tmpdir = str(folder)

    def atomic_move(self, src: str, dest: str, unsafe_writes: bool) -> None:
        """Move a file; what this module needs is that nothing but a mount is written in place."""
        assert unsafe_writes is False
        shutil.copyfile(src, dest)
        os.unlink(src)


@pytest.fixture
def mover(tmp_path: Path) -> Iterator[Mover]:
    """Something that moves, under the umask of a hardened server."""
    old = os.umask(0o077)
    folder = tmp_path / "tmp"
    folder.mkdir()
    yield Mover(folder)
    os.umask(old)


def test_a_new_file_and_its_folders_can_be_read_by_services(mover: Mover, tmp_path: Path) -> None:
    path = tmp_path / "etc" / "d" / "x.conf"
    place_text(mover, str(path), "a\n")
    assert path.read_text() == "a\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert path.parent.stat().st_mode & 0o777 == 0o755
    assert path.parent.parent.stat().st_mode & 0o777 == 0o755


def test_a_secret_file_is_closed_when_asked(mover: Mover, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    place_text(mover, str(path), "a\n", 0o600)
    assert path.stat().st_mode & 0o777 == 0o600


def test_none_takes_the_file_away(mover: Mover, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("a")
    place_text(mover, str(path), None)
    place_text(mover, str(path), None)
    assert not path.exists()


def test_a_file_that_is_not_there_has_no_text(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert read_text(str(tmp_path / "file")) == ""
    assert read_text(str(tmp_path / "none")) is None
    assert read_text(str(tmp_path / "file" / "below")) is None


def test_bytes_and_line_ends_survive(mover: Mover, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"caf\xe9\r\n")
    place_text(mover, str(path), read_text(str(path)))
    assert path.read_bytes() == b"caf\xe9\r\n"


def test_diff_of_a_file_that_goes_has_an_empty_side() -> None:
    assert shown("/x", "a\n", None) == {
        "before_header": "/x",
        "after_header": "/x",
        "before": "a\n",
        "after": "",
    }
