"""Claims about programs out of release archives."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.release_archive import (
    Record,
    Release,
    ReleaseArchiveError,
    chosen_members,
    is_missing,
    ordered,
    parse_record,
    parse_release,
    refuse_older,
)

DIGEST = "ab" * 32
GIVEN = {"name": "prometheus", "source": "/p.tar.gz", "checksum": DIGEST, "programs": ["promtool"]}
RELEASE = Release("prometheus", "/p.tar.gz", DIGEST, ("promtool",), "prometheus")
FOLDER = "prometheus-2.53.3.linux-amd64"
RECORD = Record("2.53.3", DIGEST, {"promtool": "cd"})


def test_a_release_is_read_with_either_form_of_its_digest() -> None:
    assert parse_release(GIVEN) == RELEASE
    assert parse_release({**GIVEN, "checksum": "sha256:" + DIGEST.upper()}) == RELEASE


@pytest.mark.parametrize(
    ("more", "message"),
    [
        pytest.param({"source": ""}, "archives.p has no source", id="no-source"),
        pytest.param({"checksum": "abc"}, "archives.p: checksum is 'abc'", id="no-digest"),
    ],
)
def test_a_release_that_lacks_something_is_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ReleaseArchiveError, match=message):
        parse_release({**GIVEN, "input": "archives.p", **more})


def test_the_record_survives_being_written() -> None:
    assert parse_record(RECORD.text()) == RECORD
    assert parse_record("[broken") == Record()


@pytest.mark.parametrize(
    ("record", "seen", "expected"),
    [
        pytest.param(RECORD, {"promtool": "cd"}, False, id="there"),
        pytest.param(RECORD, {"promtool": "ee"}, True, id="changed"),
        pytest.param(RECORD, {"promtool": None}, True, id="gone"),
        pytest.param(Record(), {"promtool": "cd"}, True, id="not-ours"),
        pytest.param(
            Record("2", "00" * 32, {"promtool": "cd"}), {"promtool": "cd"}, True, id="old"
        ),
    ],
)
def test_an_archive_is_needed_where_its_programs_are_not_there(
    record: Record, seen: dict[str, str], expected: bool
) -> None:
    assert is_missing(RELEASE, record, seen) is expected


def test_the_layout_of_releases_is_read() -> None:
    members = [FOLDER, f"{FOLDER}/promtool", f"{FOLDER}/LICENSE"]
    expected = ("2.53.3", {"promtool": f"{FOLDER}/promtool"})
    assert chosen_members(RELEASE, members, "x86_64") == expected
    assert chosen_members(RELEASE, [f"./{name}" for name in members], "amd64") == expected


@pytest.mark.parametrize(
    ("members", "machine", "message"),
    [
        pytest.param(["a/promtool"], "x86_64", "holds a, expected one directory", id="layout"),
        pytest.param([], "x86_64", "holds nothing", id="empty"),
        pytest.param(
            ["alertmanager-0.28.1.linux-amd64/amtool"],
            "x86_64",
            "expected one directory",
            id="other",
        ),
        pytest.param([f"{FOLDER}/promtool"], "aarch64", "is for linux-amd64", id="processor"),
        pytest.param([f"{FOLDER}/x"], "x86_64", "has no promtool in it", id="program"),
        pytest.param([f"{FOLDER}/promtool"], "riscv64", "this node is riscv64", id="machine"),
    ],
)
def test_another_archive_is_refused(members: list[str], machine: str, message: str) -> None:
    with pytest.raises(ReleaseArchiveError, match=message):
        chosen_members(RELEASE, members, machine)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        pytest.param("2.9.1", "2.10.0", id="numbers"),
        pytest.param("3.0.0-rc.1", "3.0.0", id="candidate"),
        pytest.param("2.53.3", "3.0", id="shorter"),
    ],
)
def test_versions_are_ordered_as_people_do(older: str, newer: str) -> None:
    assert ordered(older) < ordered(newer)


def test_an_older_version_is_refused_with_the_way_back() -> None:
    with pytest.raises(
        ReleaseArchiveError, match=r"is prometheus 2.52.0, expected 2.53.3 or newer"
    ):
        refuse_older(RELEASE, "2.53.3", "2.52.0")


@pytest.mark.parametrize("before", [pytest.param("", id="none"), pytest.param("2.53.3", id="same")])
def test_other_versions_are_not_refused(before: str) -> None:
    refuse_older(RELEASE, before, "2.53.3")
