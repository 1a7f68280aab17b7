"""Claims about the hosts_file module on files made for the purpose."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules.hosts_file import main

from tests.unit.plugins.modules.conftest import Node

ENTRIES = {"198.18.1.10": ["head", "gpu-01"]}
BLOCK = (
    b"# BEGIN rackforge.gpu_cluster os_base\n"
    b"198.18.1.10 head gpu-01\n"
    b"# END rackforge.gpu_cluster os_base\n"
)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(b"127.0.0.1 localhost\n", id="plain"),
        pytest.param(b"127.0.0.1 localhost\r\n10.0.0.1 nas\r\n", id="carriage-returns"),
        pytest.param(b"10.0.0.1 nas # caf\xe9\n", id="latin-1"),
        pytest.param(b"# page one\x0c\n# page\x1ctwo \xe2\x80\xa8\n", id="other-separators"),
        pytest.param(b"", id="empty"),
    ],
)
def test_the_rest_of_the_file_stays_byte_for_byte(
    node: Node, tmp_path: Path, before: bytes
) -> None:
    path = tmp_path / "hosts"
    path.write_bytes(before)
    assert node.run(main, owner="os_base", entries=ENTRIES, path=str(path))["changed"] is True
    assert path.read_bytes() == before + BLOCK
    assert node.run(main, owner="os_base", entries={}, path=str(path))["changed"] is True
    assert path.read_bytes() == before


def test_the_second_run_is_quiet(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    node.run(main, owner="os_base", entries=ENTRIES, path=str(path))
    stamp = path.stat().st_mtime_ns
    assert node.run(main, owner="os_base", entries=ENTRIES, path=str(path))["changed"] is False
    assert path.stat().st_mtime_ns == stamp


def test_mode_of_the_file_is_kept(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_bytes(b"127.0.0.1 localhost\n")
    path.chmod(0o640)
    node.run(main, owner="os_base", entries=ENTRIES, path=str(path))
    assert path.stat().st_mode & 0o777 == 0o640


def test_check_mode_predicts_and_writes_nothing(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_bytes(b"127.0.0.1 localhost\n")
    result = node.run(main, check=True, owner="os_base", entries=ENTRIES, path=str(path))
    assert result["changed"] is True
    assert result["diff"]["after"] == (
        "127.0.0.1 localhost\n"
        "# BEGIN rackforge.gpu_cluster os_base\n"
        "198.18.1.10 head gpu-01\n"
        "# END rackforge.gpu_cluster os_base\n"
    )
    assert path.read_bytes() == b"127.0.0.1 localhost\n"
