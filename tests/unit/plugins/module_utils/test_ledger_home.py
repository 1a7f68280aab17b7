"""Claims about which homes hold nothing of their user's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_home import (
    foreign_in,
    home_of,
)

KEYS = (
    "# BEGIN rackforge.gpu_cluster os_base\nssh-ed25519 AAAA\n# END rackforge.gpu_cluster os_base\n"
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home as useradd makes it, beside the skeleton it was made from."""
    for name in ("skel", "ada"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".bashrc").write_text("# skeleton\n")
    return tmp_path / "ada"


def foreign(home: Path) -> str:
    found = foreign_in(str(home), os.getuid(), "os_base", str(home.parent / "skel"))
    return found.replace(str(home), "HOME")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, "", id="skeleton"),
        pytest.param({".ssh/authorized_keys": KEYS}, "", id="our-keys"),
        pytest.param({".cache/motd.legal-displayed": ""}, "", id="empty-file"),
        pytest.param({".bash_history": "ls\n"}, "HOME/.bash_history", id="history"),
        pytest.param({"deep/er/train.py": "x"}, "HOME/deep/er/train.py", id="work"),
        pytest.param({".bashrc": "alias x=y\n"}, "HOME/.bashrc", id="changed-skeleton"),
        pytest.param(
            {".ssh/authorized_keys": KEYS + "ssh-rsa BBBB\n"},
            "HOME/.ssh/authorized_keys",
            id="a-key-of-its-own",
        ),
        pytest.param({".ssh/id_ed25519": "secret"}, "HOME/.ssh/id_ed25519", id="private-key"),
    ],
)
def test_only_what_a_user_put_there_is_foreign(
    home: Path, files: dict[str, str], expected: str
) -> None:
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    assert foreign(home) == expected


@pytest.mark.parametrize("target", ["/etc/passwd", "/etc"], ids=["file", "directory"])
def test_a_link_is_foreign_and_not_followed(home: Path, target: str) -> None:
    (home / "link").symlink_to(target)
    assert foreign(home) == "HOME/link"


def test_a_home_of_somebody_else_is_foreign(home: Path) -> None:
    found = foreign_in(str(home), os.getuid() + 1, "os_base", "/nowhere")
    assert found == "what is no directory of that user"


@pytest.mark.parametrize(
    ("defaults", "expected"),
    [
        pytest.param("", "/home/ada", id="no-file"),
        pytest.param("# HOME=/home\nSHELL=/bin/sh\n", "/home/ada", id="commented"),
        pytest.param("GROUP=100\nHOME=/export/home\n", "/export/home/ada", id="elsewhere"),
    ],
)
def test_a_home_lies_where_useradd_puts_it(defaults: str, expected: str) -> None:
    assert home_of("ada", defaults) == expected
