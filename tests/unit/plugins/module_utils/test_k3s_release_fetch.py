"""Claims about downloads of releases; the server is one on loopback."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release_fetch import (
    Web,
    fetch_digests,
    proxies,
    shown,
    trusted_digest,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release_files import (
    FetchError,
)

from tests.unit.plugins.k3s_web import Answer, Server, serving

A, B = "a" * 64, "b" * 64
VERSION = "v1.40.1+k3s1"
LIST = "/v1.40.1%2Bk3s1/sha256sum-amd64.txt"


@pytest.fixture
def server() -> Iterator[Server]:
    """A server without any file."""
    with serving() as state:
        yield state


def web() -> Web:
    """Return a way to download that does not wait between two attempts."""
    return Web(30.0, pause=lambda _seconds: None)


def fetched(server: Server, path: str = "/k3s") -> bytes:
    """Return what is downloaded."""
    return b"".join(web().blocks(server.url + path, lambda _seen, _all: None))


def test_a_file_comes_whole_and_progress_is_told(server: Server) -> None:
    server.has("/k3s", b"x" * (3 << 20))
    told: list[tuple[int, int | None]] = []
    blocks = web().blocks(f"{server.url}/k3s", lambda seen, all_: told.append((seen, all_)))
    assert b"".join(blocks) == b"x" * (3 << 20)
    assert told[-1] == (3 << 20, 3 << 20)
    assert web().size(f"{server.url}/k3s") == 3 << 20


def test_a_file_that_is_cut_short_is_refused(server: Server) -> None:
    server.answers["/k3s"] = [Answer(b"half", length=8)]
    with pytest.raises(FetchError, match="it ended after 4 of 8 bytes"):
        fetched(server)


def test_a_release_that_there_is_not_is_named(server: Server) -> None:
    with pytest.raises(FetchError, match="answered 404 Not Found; is there such a release"):
        fetched(server)
    assert server.asked == ["GET /k3s"]


def test_a_busy_server_is_asked_again(server: Server) -> None:
    server.answers["/k3s"] = [Answer(status=503), Answer(status=502), Answer(b"here")]
    assert fetched(server) == b"here"


def test_a_server_that_stays_busy_is_given_up(server: Server) -> None:
    server.answers["/k3s"] = [Answer(status=503)]
    with pytest.raises(FetchError, match="answered 503"):
        fetched(server)
    assert len(server.asked) == 3


def test_a_redirection_is_followed_without_the_password(server: Server) -> None:
    server.answers["/k3s"] = [Answer(status=302, location=f"{server.url}/elsewhere")]
    server.has("/elsewhere", b"here")
    url = server.url.replace("//", "//me:p%40ss@") + "/k3s"
    assert b"".join(web().blocks(url, lambda _seen, _all: None)) == b"here"
    expected = "Basic " + base64.b64encode(b"me:p@ss").decode()
    assert server.authorizations == [expected, ""]


def test_a_password_is_not_shown(server: Server) -> None:
    url = server.url.replace("//", "//me:geheim@") + "/k3s"
    with pytest.raises(FetchError) as raised:
        list(web().blocks(url, lambda _seen, _all: None))
    assert "geheim" not in str(raised.value)
    assert "//me:***@127.0.0.1" in str(raised.value)


def test_nobody_there_is_told_with_what_to_check() -> None:
    with pytest.raises(FetchError, match="Connection refused; check this address, the way to it"):
        list(web().blocks("http://127.0.0.1:1/k3s", lambda _seen, _all: None))


def test_a_download_that_takes_too_long_is_given_up(server: Server) -> None:
    server.has("/k3s", b"x" * (4 << 20))
    ticks = iter(range(0, 1000, 20))
    slow = Web(
        30.0, variable="monitoring_download_timeout_seconds", clock=lambda: float(next(ticks))
    )
    with pytest.raises(FetchError, match="bytes after 30 s; raise monitoring_download_timeout_"):
        list(slow.blocks(f"{server.url}/k3s", lambda _seen, _all: None))


def test_a_size_that_the_server_does_not_tell_is_unknown(server: Server) -> None:
    server.answers["/k3s"] = [Answer(status=405)]
    assert web().size(f"{server.url}/k3s") is None
    with pytest.raises(FetchError, match="404"):
        web().size(f"{server.url}/other")


def test_the_digests_that_a_release_lists_are_read(server: Server) -> None:
    server.has(LIST, f"{A}  k3s\n{B}  k3s-airgap-images-amd64.tar.zst\n".encode())
    assert fetch_digests(web(), server.url, VERSION, "amd64") == {
        "k3s": A,
        "k3s-airgap-images-amd64.tar.zst": B,
    }


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param(b"<html>Log in to the network</html>", "has no line for k3s", id="portal"),
        pytest.param(b"x" * (2 << 20), "this is no list of checksums", id="too-long"),
        pytest.param(b"\xff\xfe\x00", "has no line for k3s", id="garbage"),
    ],
)
def test_what_is_no_list_is_refused(server: Server, body: bytes, told: str) -> None:
    server.has(LIST, body)
    with pytest.raises(FetchError, match=told):
        fetch_digests(web(), server.url, VERSION, "amd64")


def test_what_is_known_counts_over_any_connection() -> None:
    assert trusted_digest("k3s", {"k3s": A}, {}, "http://m.example", VERSION) == A
    assert trusted_digest("k3s", {"k3s": A}, {"k3s": A}, "http://m.example", VERSION) == A


def test_what_a_release_says_of_itself_counts_over_https_only() -> None:
    assert trusted_digest("k3s", {}, {"k3s": A}, "https://m.example", VERSION) == A
    with pytest.raises(FetchError, match="is not https, so that its checksum file proves nothing"):
        trusted_digest("k3s", {}, {"k3s": A}, "http://m.example", VERSION)


def test_a_list_that_contradicts_what_is_known_is_refused() -> None:
    with pytest.raises(FetchError, match=f"lists {B} for k3s of {VERSION.replace('+', '.')}"):
        trusted_digest("k3s", {"k3s": A}, {"k3s": B}, "https://m.example", VERSION)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({}, {}, id="none"),
        pytest.param({"HTTPS_PROXY": "http://p:3"}, {"https": "http://p:3"}, id="upper-case"),
        pytest.param({"https_proxy": "http://p:3"}, {"https": "http://p:3"}, id="lower-case"),
        pytest.param({"http_proxy": "http://p:3"}, {}, id="other-scheme"),
        pytest.param({"https_proxy": "http://p:3", "NO_PROXY": ".example"}, {}, id="direct"),
        pytest.param(
            {"https_proxy": "http://p:3", "no_proxy": "other.test"},
            {"https": "http://p:3"},
            id="not-direct",
        ),
        pytest.param({"https_proxy": ""}, {}, id="empty"),
    ],
)
def test_the_proxy_is_the_environments(
    environment: dict[str, str], expected: dict[str, str]
) -> None:
    assert proxies("https://host.example/k3s", environment) == expected


def test_a_download_goes_through_the_proxy(server: Server) -> None:
    server.has("http://host.invalid/k3s", b"here")
    through = Web(30.0, {"HTTP_PROXY": server.url})
    assert b"".join(through.blocks("http://host.invalid/k3s", lambda _s, _a: None)) == b"here"


def test_an_address_without_a_password_is_shown_as_it_is() -> None:
    assert shown("https://me@host.example/k3s") == "https://me@host.example/k3s"
