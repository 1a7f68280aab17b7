"""Claims about what is known of releases of k3s."""

from __future__ import annotations

import re

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_releases import (
    PINNED,
    file_url,
    image_names,
    is_version,
    known_digests,
    other_version,
    parse_checksums,
    release_architecture,
    versions_in,
    wrong_checksums,
)

A, B = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("v1.34.2+k3s1", True, id="release"),
        pytest.param("v1.34.2-rc1+k3s1", True, id="candidate"),
        pytest.param("1.34.2+k3s1", False, id="without-v"),
        pytest.param("v1.34.2", False, id="kubernetes"),
        pytest.param("latest", False, id="channel"),
        pytest.param("v1.34.2+k3s1\n", False, id="newline"),
        pytest.param("", False, id="empty"),
    ],
)
def test_only_tags_of_releases_are_versions(text: str, expected: bool) -> None:
    assert is_version(text) is expected


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        pytest.param("x86_64", "amd64", id="x86_64"),
        pytest.param("aarch64", "arm64", id="aarch64"),
        pytest.param("AMD64", "amd64", id="upper-case"),
        pytest.param("ppc64le", None, id="none"),
    ],
)
def test_machines_have_a_release_or_none(machine: str, expected: str | None) -> None:
    assert release_architecture(machine) == expected


def test_a_list_of_checksums_is_read_as_sha256sum_writes_it() -> None:
    text = f"{A}  k3s\n{B.upper()} *k3s-images.txt\n\n# a remark\n{A[:-1]}  short\n<html>\n{A}\n"
    assert parse_checksums(text) == {"k3s": A, "k3s-images.txt": B}


def test_the_smallest_archive_comes_first() -> None:
    assert image_names("arm64") == [
        "k3s-airgap-images-arm64.tar.zst",
        "k3s-airgap-images-arm64.tar.gz",
        "k3s-airgap-images-arm64.tar",
    ]


def test_the_owners_digest_counts_more_than_ours() -> None:
    own = {"v1.34.2+k3s1": {"amd64": {"k3s": A.upper(), "mine.tar": B}}}
    found = known_digests("v1.34.2+k3s1", "amd64", own)
    assert found["k3s"] == A
    assert found["mine.tar"] == B
    assert found["k3s-airgap-images-amd64.tar.zst"].startswith("24359781bd77")


def test_a_version_that_nobody_knows_has_no_digests() -> None:
    assert known_digests("v1.2.3+k3s1", "amd64", {}) == {}


def test_a_digest_tells_of_which_other_release_it_is() -> None:
    older = PINNED["v1.33.6+k3s1"]["amd64"]["k3s"]
    assert other_version(older, "v1.34.2+k3s1", {}) == "v1.33.6+k3s1"
    assert other_version(older, "v1.33.6+k3s1", {}) == ""
    assert other_version(A, "v1.34.2+k3s1", {"v9": {"amd64": {"k3s": A}}}) == "v9"
    assert other_version(B, "v1.34.2+k3s1", {}) == ""


def test_pinned_digests_have_the_shape_of_digests() -> None:
    digests = [x for archs in PINNED.values() for files in archs.values() for x in files.values()]
    assert len(digests) == 7
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in digests)
    assert len(set(digests)) == 7
    assert wrong_checksums(PINNED) == ""


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param([], "k3s_checksums is a list", id="list"),
        pytest.param({"v1": "x"}, "v1 has a str where architectures belong", id="no-architectures"),
        pytest.param(
            {"v1": {"x86_64": {}}}, "v1: x86_64 is no architecture of a release", id="machine"
        ),
        pytest.param({"v1": {"amd64": A}}, "v1: amd64 has a str where files belong", id="no-files"),
        pytest.param({"v1": {"amd64": {"k3s": "abc"}}}, "v1: amd64: k3s has 'abc'", id="short"),
        pytest.param({"v1": {"amd64": {"k3s": None}}}, "v1: amd64: k3s has 'None'", id="empty"),
        pytest.param({"v1": {"arm64": {"k3s-arm64": A}}}, "", id="sound"),
    ],
)
def test_a_table_of_another_shape_is_named(own: object, expected: str) -> None:
    assert wrong_checksums(own) == expected


def test_the_plus_sign_is_encoded_in_addresses() -> None:
    assert file_url("https://host.example/d/", "v1.34.2+k3s1", "k3s") == (
        "https://host.example/d/v1.34.2%2Bk3s1/k3s"
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"\x00v1.34.2+k3s1go1.24", {"v1.34.2+k3s1"}, id="text-follows"),
        pytest.param(b"v1.34.2-rc3+k3s1", {"v1.34.2-rc3+k3s1"}, id="candidate"),
        pytest.param(b"v1.34.2 v2.1.5-k3s1", set(), id="others"),
    ],
)
def test_versions_are_found_in_binaries(data: bytes, expected: set[str]) -> None:
    assert versions_in(data) == expected
