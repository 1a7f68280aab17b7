"""Claims about replacing a text file on the node."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.write_file import (
    is_mount_point,
    write_text,
)

IN_A_CONTAINER = """\
612 601 0:58 / / rw,relatime - overlay overlay rw
641 612 254:0 /var/lib/x/hosts /etc/hosts rw,relatime - ext4 /dev/vda rw
642 612 254:0 /var/lib/x/a /srv/a\\040b rw,relatime - ext4 /dev/vda rw
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/etc/hosts", True, id="bound-by-the-engine"),
        pytest.param("/srv/a b", True, id="space"),
        pytest.param("/etc/fstab", False, id="ordinary"),
    ],
)
def test_only_a_mount_point_is_written_in_place(path: str, expected: bool) -> None:
    assert is_mount_point(path, IN_A_CONTAINER) is expected


class Mover:
    """An AnsibleModule that notes how it was asked to move."""

    def __init__(self, tmpdir: Path) -> None:
        self.tmpdir = str(tmpdir)
        self.asked: list[tuple[str, str, bool]] = []

    def atomic_move(self, src: str, dest: str, unsafe_writes: bool) -> None:
        self.asked.append((Path(src).read_text(encoding="utf-8"), dest, unsafe_writes))


def test_an_ordinary_file_is_replaced_and_never_written_in_place(tmp_path: Path) -> None:
    mover = Mover(tmp_path)
    write_text(mover, str(tmp_path / "settings"), "new\n")
    assert mover.asked == [("new\n", str(tmp_path / "settings"), False)]
