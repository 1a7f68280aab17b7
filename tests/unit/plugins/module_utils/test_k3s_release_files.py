"""Claims about how the large files of a release are read and placed."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release_files import (
    BLOCK,
    DRAFT,
    Content,
    ReleaseError,
    digest_of,
    drop_drafts,
    free_bytes,
    label,
    put,
    read_content,
)


def fine(_content: Content) -> str:
    """Have nothing against any content."""
    return ""


def test_a_files_digest_size_and_versions_are_read(tmp_path: Path) -> None:
    path = tmp_path / "k3s"
    # The name of the version lies across two blocks.
    data = b"\0" * (BLOCK - 5) + b"v1.34.2+k3s1" + b"\0" * 9
    path.write_bytes(data)
    assert read_content(str(path)) == Content(
        hashlib.sha256(data).hexdigest(), BLOCK + 16, frozenset({"v1.34.2+k3s1"})
    )


def test_only_regular_files_have_a_digest(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("file")
    assert digest_of(str(tmp_path / "file")) == hashlib.sha256(b"").hexdigest()
    assert digest_of(str(tmp_path / "link")) is None
    assert digest_of(str(tmp_path)) is None
    assert digest_of(str(tmp_path / "nowhere")) is None


def test_a_file_takes_its_place_and_a_reader_keeps_the_former(tmp_path: Path) -> None:
    path = tmp_path / "new" / "bin" / "k3s"
    put([b"one"], str(path), 0o755, fine)
    with path.open("rb") as running:
        content = put([b"t", b"wo"], str(path), 0o755, fine)
        assert running.read() == b"one"
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o755
    assert content.sha256 == hashlib.sha256(b"two").hexdigest()
    assert os.listdir(path.parent) == ["k3s"]


def test_what_is_not_accepted_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "k3s"
    path.write_bytes(b"one")
    with pytest.raises(ReleaseError, match="3 bytes are wrong"):
        put([b"two"], str(path), 0o755, lambda content: f"{content.size} bytes are wrong")
    assert path.read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["k3s"]


def test_a_killed_run_leaves_the_former_file_and_the_next_one_tidies_up(tmp_path: Path) -> None:
    path = tmp_path / "k3s"
    path.write_bytes(b"one")

    def blocks() -> Iterator[bytes]:
        yield b"t" * BLOCK
        os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        put(blocks(), str(path), 0o755, fine)
        os._exit(0)
    _pid, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert path.read_bytes() == b"one"
    left = [name for name in os.listdir(tmp_path) if name.startswith(DRAFT)]
    assert len(left) == 1
    assert drop_drafts(str(tmp_path)) == [str(tmp_path / left[0])]
    assert os.listdir(tmp_path) == ["k3s"]


class Machine:
    """A machine that has the programs named, and notes what is run."""

    def __init__(self, *programs: str) -> None:
        self.programs = programs
        self.calls: list[str] = []

    def get_bin_path(self, arg: str, _required: bool, _opt_dirs: list[str]) -> str | None:
        """Return where the program lies."""
        return f"/sbin/{arg}" if arg in self.programs else None

    def run_command(
        self, args: list[str], data: str | None, environ_update: dict[str, str]
    ) -> tuple[int, str, str]:
        """Note the command and fail."""
        assert data is None
        assert environ_update
        self.calls.append(" ".join(args))
        return 1, "", "no"


@pytest.mark.parametrize(
    ("programs", "calls"),
    [
        pytest.param((), [], id="none"),
        pytest.param(
            ("restorecon",),
            ["timeout --kill-after=5 60 /sbin/restorecon -F /usr/local/bin/k3s"],
            id="selinux",
        ),
    ],
)
def test_a_file_is_labelled_where_that_can_be_done(
    programs: tuple[str, ...], calls: list[str]
) -> None:
    machine = Machine(*programs)
    label(Command(machine), "/usr/local/bin/k3s")
    assert machine.calls == calls


def test_a_directory_that_is_missing_has_no_drafts(tmp_path: Path) -> None:
    assert drop_drafts(str(tmp_path / "nowhere")) == []


def test_room_is_that_of_the_nearest_directory(tmp_path: Path) -> None:
    nearest, free = free_bytes(str(tmp_path / "a" / "b"))
    assert nearest == str(tmp_path)
    assert free > 0
