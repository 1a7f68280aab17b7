"""Claims about the files that name a web proxy."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.web_proxy import (
    PAM_LINE,
    Proxy,
    apt_text,
    cluster_direct,
    dnf_lines,
    environment_lines,
    fits,
    profile_text,
    wrong_entry,
)

URL = "http://proxy.example:3128"
BOTH = Proxy(URL, URL, ("localhost", "10.1.0.0/24", ".lab.example", "gpu-01", "::1"))
SECRET = Proxy("http://joe:geheim@proxy.example:3128", None)


def test_sessions_get_each_variable_in_both_cases() -> None:
    assert environment_lines(BOTH) == [
        "http_proxy=http://proxy.example:3128",
        "HTTP_PROXY=http://proxy.example:3128",
        "https_proxy=http://proxy.example:3128",
        "HTTPS_PROXY=http://proxy.example:3128",
        "no_proxy=localhost,10.1.0.0/24,.lab.example,gpu-01,::1",
        "NO_PROXY=localhost,10.1.0.0/24,.lab.example,gpu-01,::1",
    ]


def test_login_shells_get_quoted_values() -> None:
    assert profile_text(Proxy("http://a:x&y@p.example", None)) == (
        "# Managed by rackforge.gpu_cluster\n"
        "export http_proxy='http://a:x&y@p.example'\n"
        "export HTTP_PROXY='http://a:x&y@p.example'\n"
    )


def test_a_password_is_not_for_every_session() -> None:
    assert (SECRET.secret, environment_lines(SECRET)) == (True, [])
    assert BOTH.secret is False


def test_apt_keeps_schemes_apart_and_excepts_whole_names() -> None:
    assert apt_text(Proxy(URL, None, BOTH.direct)) == (
        "// Managed by rackforge.gpu_cluster\n"
        'Acquire::http::Proxy "http://proxy.example:3128";\n'
        'Acquire::https::Proxy "DIRECT";\n'
        'Acquire::http::Proxy::localhost "DIRECT";\n'
        'Acquire::https::Proxy::localhost "DIRECT";\n'
        'Acquire::http::Proxy::gpu-01 "DIRECT";\n'
        'Acquire::https::Proxy::gpu-01 "DIRECT";\n'
    )


@pytest.mark.parametrize(
    ("proxy", "expected"),
    [
        pytest.param(Proxy("http://a", "http://b"), ["proxy=http://b"], id="https-first"),
        pytest.param(Proxy("http://a", None), ["proxy=http://a"], id="http-alone"),
    ],
)
def test_dnf_has_one_proxy(proxy: Proxy, expected: list[str]) -> None:
    assert dnf_lines(proxy) == expected


def test_a_line_that_pam_would_cut_ends_with_a_whole_entry() -> None:
    direct = tuple(f"gpu-{number:04}.lab.example" for number in range(100))
    line = environment_lines(Proxy(URL, None, direct))[2]
    assert line.startswith("no_proxy=gpu-0000.lab.example,gpu-0001.lab.example,")
    assert line.endswith(",gpu-0046.lab.example")
    assert len(line) < PAM_LINE + len("NO_PROXY=")
    assert (fits(Proxy(URL, None, direct)), fits(BOTH)) == (False, True)
    assert "gpu-0099" in profile_text(Proxy(URL, None, direct))


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        pytest.param("gpu_01.lab.example", "", id="name"),
        pytest.param("[fd00::1]", "", id="brackets"),
        pytest.param("a,b", "a,b", id="two-in-one"),
        pytest.param('x"; y', 'x"; y', id="quote"),
        pytest.param("", "", id="no-entries"),
    ],
)
def test_entries_are_checked(entry: str, wrong: str) -> None:
    assert wrong_entry([entry] if entry else []) == wrong


def test_what_stands_for_many_comes_first_and_nothing_twice() -> None:
    hosts: list[list[str | None]] = [
        ["gpu-01", "gpu-01", "10.1.0.11", "203.0.113.11"],
        ["gpu-02", None, "10.1.0.12", ""],
    ]
    assert cluster_direct(hosts, "10.1.0.0/24", [".lab.example", "localhost"]) == [
        "localhost",
        "127.0.0.1",
        "::1",
        "10.1.0.0/24",
        ".lab.example",
        "gpu-01",
        "10.1.0.11",
        "203.0.113.11",
        "gpu-02",
        "10.1.0.12",
    ]
