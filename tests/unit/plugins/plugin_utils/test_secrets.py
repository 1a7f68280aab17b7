"""Claims about secrets on the control node."""

from __future__ import annotations

import multiprocessing
import stat
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.secrets import (
    SecretError,
    check_secret,
    ensure_secret,
)


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_made_once_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "lab" / "ray_auth_token"
    assert ensure_secret(str(path), 32) is True
    value = path.read_text()
    assert len(bytes.fromhex(value)) == 32
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert ensure_secret(str(path), 32) is False
    assert path.read_text() == value
    assert [each.name for each in path.parent.iterdir()] == ["ray_auth_token"]


def test_two_secrets_differ(tmp_path: Path) -> None:
    ensure_secret(str(tmp_path / "a"), 32)
    ensure_secret(str(tmp_path / "b"), 32)
    assert (tmp_path / "a").read_text() != (tmp_path / "b").read_text()


def ask(path: str) -> tuple[bool, str]:
    """Ask for a secret in a process of its own, as Ansible's workers do."""
    made = ensure_secret(path, 32)
    return made, Path(path).read_text()


def test_many_processes_at_once_get_one_value(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "ray_auth_token"
    with multiprocessing.get_context("fork").Pool(8) as pool:
        answers = pool.map(ask, [str(path)] * 32, chunksize=1)
    assert sum(made for made, _value in answers) == 1
    assert {value for _made, value in answers} == {path.read_text()}
    assert [each.name for each in path.parent.iterdir()] == ["ray_auth_token"]


@pytest.mark.parametrize(
    ("content", "permissions", "message"),
    [
        pytest.param(
            "abc",
            0o644,
            "{path}: mode is 0644, expected 0600, since others could read the secret;"
            " run: chmod 600 {path}",
            id="readable-for-everybody",
        ),
        pytest.param(
            "abc",
            0o640,
            "{path}: mode is 0640, expected 0600, since others could read the secret;"
            " run: chmod 600 {path}",
            id="readable-for-the-group",
        ),
        pytest.param(
            "",
            0o600,
            "{path}: the file is empty, expected a secret; remove it and one is generated,"
            " or put the cluster's own in",
            id="empty",
        ),
        pytest.param(
            " \n",
            0o600,
            "{path}: the file is empty, expected a secret; remove it and one is generated,"
            " or put the cluster's own in",
            id="only-blanks",
        ),
    ],
)
def test_a_useless_secret_is_refused_and_left_alone(
    tmp_path: Path, content: str, permissions: int, message: str
) -> None:
    path = tmp_path / "token"
    path.write_text(content)
    path.chmod(permissions)
    with pytest.raises(SecretError) as caught:
        ensure_secret(str(path), 32)
    assert str(caught.value) == message.format(path=path)
    assert path.read_text() == content


@pytest.mark.parametrize("permissions", [0o600, 0o400])
def test_the_owners_own_secret_is_taken(tmp_path: Path, permissions: int) -> None:
    path = tmp_path / "token"
    path.write_text("from the vault\n")
    path.chmod(permissions)
    check_secret(str(path))
    assert ensure_secret(str(path), 32) is False
