"""Claims about the hashes of passwords."""

from __future__ import annotations

import bcrypt
import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils import web_password
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.web_password import (
    PasswordError,
    hash_password,
)

PASSWORD = "0f" * 32


def test_the_hash_is_the_passwords_and_no_others() -> None:
    made = hash_password("admin", PASSWORD).encode()
    assert made.startswith(b"$2b$10$")
    assert bcrypt.checkpw(PASSWORD.encode(), made)
    assert not bcrypt.checkpw(b"another", made)


def test_the_hash_is_the_same_in_every_run() -> None:
    assert hash_password("admin", PASSWORD) == hash_password("admin", PASSWORD)


def test_equal_passwords_of_two_users_have_different_hashes() -> None:
    assert hash_password("admin", PASSWORD) != hash_password("prometheus", PASSWORD)


@pytest.mark.parametrize(
    ("password", "seen"),
    [
        pytest.param("", "has 0 bytes", id="empty"),
        pytest.param("x" * 73, "has 73 bytes", id="long"),
    ],
)
def test_a_password_that_bcrypt_does_not_take_whole_is_refused(password: str, seen: str) -> None:
    with pytest.raises(PasswordError, match=f"{seen}, expected 1 to 72"):
        hash_password("admin", password)


def test_a_missing_bcrypt_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_password, "bcrypt", None)
    with pytest.raises(
        PasswordError, match=r"bcrypt is missing on the control node.*pip install bcrypt"
    ):
        hash_password("admin", PASSWORD)
