"""Claims about secrets on the control node."""

from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.secrets import (
    PREVIOUS,
    SecretError,
    begin_rotation,
    check_secret,
    end_rotation,
    ensure_secret,
    holds_other,
    replace_secret,
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


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """Return a secret that is there and closed."""
    path = tmp_path / "token"
    path.write_text("old\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("old", False, id="the-same"),
        pytest.param("old\n", False, id="the-same-with-its-line-end"),
        pytest.param("new", True, id="another"),
    ],
)
def test_a_value_is_compared_with_what_the_file_holds(
    token: Path, value: str, expected: bool
) -> None:
    assert holds_other(str(token), value) is expected
    assert token.read_text() == "old\n"


def test_a_missing_file_holds_no_value_and_is_not_made_by_asking(tmp_path: Path) -> None:
    assert holds_other(str(tmp_path / "token"), "new") is True
    assert list(tmp_path.iterdir()) == []


def test_another_value_takes_the_files_place_closed_and_without_leftovers(token: Path) -> None:
    assert replace_secret(str(token), "new\n") is True
    assert (token.read_text(), mode(token)) == ("new", 0o600)
    assert [each.name for each in token.parent.iterdir()] == ["token"]


def test_the_same_value_leaves_the_file_untouched(token: Path) -> None:
    before = token.stat()
    assert replace_secret(str(token), "old") is False
    assert (token.stat().st_ino, token.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_given_value_makes_the_file_and_its_closed_folder(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "token"
    assert replace_secret(str(path), "new") is True
    assert path.read_text() == "new"
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param(" \n", id="only-blanks"),
        pytest.param("two words", id="two-words"),
        pytest.param("two\nlines", id="two-lines"),
    ],
)
def test_a_value_that_is_no_word_is_refused_without_being_told(token: Path, value: str) -> None:
    with pytest.raises(SecretError) as caught:
        replace_secret(str(token), value)
    assert str(caught.value) == (
        "the given value is empty or has white space in it, expected one word"
    )
    assert token.read_text() == "old\n"


def test_a_file_that_others_can_read_is_not_replaced(token: Path) -> None:
    token.chmod(0o644)
    with pytest.raises(SecretError, match="mode is 0644, expected 0600"):
        replace_secret(str(token), "new")
    assert token.read_text() == "old\n"


def rotated(path: Path) -> tuple[str, str | None]:
    """Return the secret and the former one beside it."""
    kept = path.with_name(path.name + PREVIOUS)
    return path.read_text(), kept.read_text() if kept.exists() else None


def test_a_rotation_keeps_the_old_secret_until_its_end(tmp_path: Path) -> None:
    path = tmp_path / "token"
    replace_secret(str(path), "old")
    assert begin_rotation(str(path), 32) is True
    new, kept = rotated(path)
    assert (len(new), kept) == (64, "old")
    assert (mode(path), mode(path.with_name("token.previous"))) == (0o600, 0o600)
    assert end_rotation(str(path)) is True
    assert rotated(path) == (new, None)
    assert end_rotation(str(path)) is False


def test_a_rotation_that_was_begun_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "token"
    replace_secret(str(path), "old")
    begin_rotation(str(path), 32)
    before = rotated(path)
    assert begin_rotation(str(path), 32) is False
    assert rotated(path) == before


def test_a_rotation_cut_before_the_new_secret_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "token"
    replace_secret(str(path), "old")
    replace_secret(str(path) + PREVIOUS, "old")
    begin_rotation(str(path), 32)
    new, kept = rotated(path)
    assert (len(new), kept) == (64, "old")


@pytest.mark.parametrize("cut", [1, 2], ids=["first-write", "second-write"])
def test_a_rotation_killed_at_a_write_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    path = tmp_path / "token"
    replace_secret(str(path), "old")
    calls = []
    real = os.replace

    def killed(source: str, dest: str) -> None:
        calls.append(dest)
        if len(calls) == cut:
            raise KeyboardInterrupt
        real(source, dest)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            begin_rotation(str(path), 32)
    assert path.read_text() == "old"
    begin_rotation(str(path), 32)
    assert rotated(path)[1] == "old"
