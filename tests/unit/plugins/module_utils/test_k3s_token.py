"""Claims about k3s's tokens and lines without them."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_token import (
    Token,
    parse_token,
    without_secrets,
)

HASH = "6f2d1e3b7c0a4f5e8d9c6b1a2f3e4d5c6b7a8f9e0d1c2b3a4f5e6d7c8b9a0f1e"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            f"K10{HASH}::server:abc\n", Token(HASH, "server", "abc"), id="secure-with-user"
        ),
        pytest.param(f"K10{HASH}::abc", Token(HASH, "", "abc"), id="secure-without-user"),
        pytest.param("abc\n", Token("", "", "abc"), id="bare-password"),
        pytest.param("K10abc::server:x", Token("", "", "K10abc::server:x"), id="no-hash"),
    ],
)
def test_a_token_is_taken_apart(text: str, expected: Token) -> None:
    assert parse_token(text) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(f"with K10{HASH}::node:pass now", "with ******** now", id="secure-token"),
        pytest.param("login s3cret failed", "login ******** failed", id="known-password"),
        pytest.param("--token=abcdef given", "--token=******** given", id="by-its-name"),
        pytest.param('{"password": "abcdef"}', '{"password": "********"}', id="in-json"),
        pytest.param(
            "token CA hash does not match", "token CA hash does not match", id="words-stay"
        ),
    ],
)
def test_a_line_loses_its_secrets(line: str, expected: str) -> None:
    assert without_secrets(line, ["s3cret", ""]) == expected
