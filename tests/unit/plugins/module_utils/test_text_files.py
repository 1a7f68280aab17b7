"""Claims about what makes a file differ from what is wanted."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_files import (
    Seen,
    TextFilesError,
    Wanted,
    check_files,
    describe,
    differences,
    parse_mode,
)

FILE = Wanted("/etc/x.conf", "a\n", 0o644, 0, 0)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(Seen("a\n", 0o644, 0, 0), [], id="equal"),
        pytest.param(Seen(), ["content", "mode", "owner"], id="absent"),
        pytest.param(Seen("", 0o644, 0, 0), ["content"], id="empty-is-not-absent"),
        pytest.param(Seen("a", 0o644, 0, 0), ["content"], id="line-feed"),
        pytest.param(Seen("a\n", 0o4644, 0, 0), ["mode"], id="setuid"),
        pytest.param(Seen("a\n", 0o644, 0, 7), ["owner"], id="group"),
    ],
)
def test_what_differs_is_named(seen: Seen, expected: list[str]) -> None:
    assert differences(FILE, seen) == expected


def test_diff_names_mode_and_owner_only_where_they_differ() -> None:
    assert describe("a\n", 0o600, 7, 8, []) == "a\n"
    assert describe("a\n", 0o600, 7, 8, ["mode", "owner"]) == "a\n(mode) 0600\n(owner) 7:8\n"
    assert describe(None, 0, 0, 0, ["content", "mode", "owner"]) == ""


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        pytest.param("0644", 0o644, id="four"),
        pytest.param("440", 0o440, id="three"),
        pytest.param("01777", 0o1777, id="sticky"),
    ],
)
def test_octal_modes_are_understood(text: str, mode: int) -> None:
    assert parse_mode("/x", text) == mode


@pytest.mark.parametrize("text", ["u=rw", "0888", "", "64"])
def test_other_modes_are_refused(text: str) -> None:
    with pytest.raises(TextFilesError, match=f"/x: mode is '{text}', expected octal digits"):
        parse_mode("/x", text)


def test_a_path_that_is_named_twice_is_refused() -> None:
    with pytest.raises(TextFilesError, match="files has /a twice, expected each path once"):
        check_files(["/a", "/b", "/a"], [])


def test_a_validation_without_a_draft_is_refused() -> None:
    with pytest.raises(TextFilesError, match="validate is 'sshd -t', expected %s"):
        check_files(["/a"], [("sshd", "-t")])
