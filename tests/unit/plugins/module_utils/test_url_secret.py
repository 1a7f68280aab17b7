"""Claims about addresses that an owner gave."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.url_secret import (
    passwords,
    wrong_url,
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(None, set(), id="none"),
        pytest.param("http://proxy.example:3128", set(), id="port-is-no-password"),
        pytest.param("http://joe@proxy.example", set(), id="user-alone"),
        pytest.param("http://joe:s%40fe@proxy.example:3128/", {"s%40fe"}, id="as-it-stands-there"),
        pytest.param("http://host.example/a:b@c", set(), id="later-at-sign"),
    ],
)
def test_the_password_is_found(url: str | None, expected: set[str]) -> None:
    assert passwords([url]) == expected


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("http://proxy.example:3128", id="plain"),
        pytest.param("https://joe:s%40fe@[fd00::1]:3128/x", id="everything"),
    ],
)
def test_good_addresses_pass(url: str | None) -> None:
    assert wrong_url(url, ("http", "https")) == ""


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param("proxy.example:3128", "proxy.example:3128", id="no-scheme"),
        pytest.param("ftp://proxy.example", "ftp://proxy.example", id="scheme"),
        pytest.param('http://a"; evil "', 'http://a"; evil "', id="quote"),
        pytest.param("http://joe:a b@x.example", "http://***@x.example", id="password-masked"),
    ],
)
def test_others_are_explained(url: str, shown: str) -> None:
    assert wrong_url(url, ("http", "https")) == (
        f"is '{shown}', expected an address such as http://host.example/path (special characters"
        " as %XX)"
    )
