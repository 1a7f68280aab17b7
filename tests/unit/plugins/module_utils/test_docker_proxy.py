"""Claims about the engine's proxy."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_proxy import (
    Proxy,
    ProxyError,
    drop_in,
    hidden,
    not_in_effect,
    proxy_of,
)

SECRET = "http://me:pa%40ss@proxy.example:3128"
PLAIN = "http://proxy.example:3128"


def test_the_drop_in_keeps_percent_signs_from_systemd() -> None:
    assert drop_in(proxy_of(SECRET, PLAIN, ["localhost", ".example", "localhost"])) == (
        "# Managed by rackforge.gpu_cluster\n"
        "[Service]\n"
        'Environment="HTTP_PROXY=http://me:pa%%40ss@proxy.example:3128"\n'
        'Environment="HTTPS_PROXY=http://proxy.example:3128"\n'
        'Environment="NO_PROXY=localhost,.example"\n'
    )


def test_without_a_proxy_there_is_no_drop_in() -> None:
    assert drop_in(proxy_of(None, "", ["localhost"])) == ""


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(SECRET, True, id="password"),
        pytest.param(PLAIN, False, id="none"),
        pytest.param("http://me@proxy.example:3128", False, id="user-only"),
        pytest.param("http://proxy.example:3128/a@b:c", False, id="in-the-path"),
    ],
)
def test_a_password_makes_the_file_secret(url: str, expected: bool) -> None:
    assert Proxy(https=url).secret is expected


@pytest.mark.parametrize(
    "url",
    ["proxy.example:3128", "http://a b", 'http://a"b', "ftp://proxy.example"],
    ids=["no-scheme", "space", "quote", "other-scheme"],
)
def test_what_is_no_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ProxyError, match="docker_https_proxy is"):
        proxy_of(None, url, [])


def test_a_password_is_not_told_again() -> None:
    with pytest.raises(ProxyError) as caught:
        proxy_of("http://me:secret@proxy example", None, [])
    assert "secret" not in str(caught.value)
    assert hidden(SECRET) == "http://***@proxy.example:3128"


def test_a_list_in_one_entry_is_refused() -> None:
    with pytest.raises(ProxyError, match="docker_no_proxy has 'a,b'"):
        proxy_of(PLAIN, None, ["a,b"])


def test_an_engine_with_another_proxy_is_noticed() -> None:
    proxy = proxy_of(SECRET, None, ["localhost"])
    info = {"HttpProxy": "http://xxxxx:xxxxx@proxy.example:3128", "NoProxy": "localhost"}
    assert not_in_effect(proxy, info) == []
    assert not_in_effect(proxy, {**info, "HttpProxy": "http://u:p@other.example"}) == [
        "HTTP_PROXY is 'http://***@other.example', expected 'http://***@proxy.example:3128'"
    ]
