"""Claims about which releases of ROCm, of the driver and of systems fit each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.rocm_versions import (
    COMPATIBLE,
    RELEASES,
    SUITES,
    RocmError,
    check_system,
    driver_for,
    drivers_for,
    release_of,
    same_release,
    series_of,
    system_of,
)


@pytest.mark.parametrize(
    ("rocm", "driver", "graphics"),
    [
        pytest.param("6.2.2", "6.2.2", None, id="one-number-until-6.4"),
        pytest.param("6.4.4", "6.4.4", None, id="last-of-6.4"),
        pytest.param("7.0", "30.10", "7.0", id="7.0"),
        pytest.param("7.0.0", "30.10", "7.0", id="7.0-with-three-numbers"),
        pytest.param("7.0.1", "30.10.1", "7.0.1", id="7.0.1"),
        pytest.param("7.0.2", "30.10.2", "7.0.2", id="7.0.2"),
        pytest.param("7.1", "30.20", "7.1", id="7.1"),
        pytest.param("7.1.1", "30.20.1", "7.1.1", id="7.1.1"),
        pytest.param("7.2", "30.30", "7.2", id="7.2"),
        pytest.param("7.2.1", "30.30.1", "7.2.1", id="7.2.1"),
        pytest.param("7.2.2", "30.30.1", "7.2.1", id="7.2.2-came-without-its-driver"),
        pytest.param("7.2.3", "30.30.3", "7.2.3", id="7.2.3"),
        pytest.param("7.2.4", "30.30.4", "7.2.4", id="7.2.4"),
    ],
)
def test_a_release_has_the_driver_that_was_made_with_it(
    rocm: str, driver: str, graphics: str | None
) -> None:
    release = release_of(rocm)
    assert (driver_for(release, None, "ubuntu-24.04"), release.graphics) == (driver, graphics)


def test_every_driver_of_the_table_works_with_its_own_release() -> None:
    for each in RELEASES:
        assert each.series in COMPATIBLE[series_of(each.driver)], each.rocm


def test_every_apt_system_of_the_table_has_a_suite() -> None:
    apt = {name for each in RELEASES for name in each.systems if not name.startswith("el-")}
    assert apt == set(SUITES)


@pytest.mark.parametrize(
    ("rocm", "expected"),
    [
        pytest.param(
            "7.1", ("30.20", "30.20.1", "30.30", "30.30.1", "30.30.3", "30.30.4"), id="7.1"
        ),
        pytest.param(
            "6.4.3",
            (
                *("6.4.3", "6.4.4", "30.10", "30.10.1", "30.10.2"),
                *("30.30", "30.30.1", "30.30.3", "30.30.4"),
            ),
            id="6.4",
        ),
        pytest.param("7.2.2", ("30.30.1", "30.30", "30.30.3", "30.30.4"), id="own-one-first"),
    ],
)
def test_drivers_that_work_with_a_release_are_listed(rocm: str, expected: tuple[str, ...]) -> None:
    assert drivers_for(release_of(rocm)) == expected


def test_a_pair_that_is_not_known_is_refused_with_those_that_are() -> None:
    message = (
        "rocm_driver_version is '30.10.1', which is not known to work with ROCm 7.2.1 on "
        "ubuntu-24.04, expected one of 30.30.1, 30.30, 30.30.3, 30.30.4. Nothing was changed; "
        "leave rocm_driver_version out for the first of them"
    )
    with pytest.raises(RocmError, match=f"^{re.escape(message)}$"):
        driver_for(release_of("7.2.1"), "30.10.1", "ubuntu-24.04")


def test_a_driver_that_fits_but_is_not_made_for_the_system_is_refused() -> None:
    assert driver_for(release_of("7.0.2"), "30.30.1", "el-9.7") == "30.30.1"
    with pytest.raises(
        RocmError, match=r"30\.10\.2.*on el-9\.7, expected one of 30\.30, 30\.30\.1"
    ):
        driver_for(release_of("7.0.2"), "30.10.2", "el-9.7")


def test_an_unknown_release_is_refused_with_the_list() -> None:
    with pytest.raises(RocmError) as caught:
        release_of("7.9")
    assert str(caught.value) == (
        "rocm_version is '7.9', expected one of 6.2.2, 6.3.4, 6.4.3, 6.4.4, 7.0, 7.0.1, 7.0.2, "
        "7.1, 7.1.1, 7.2, 7.2.1, 7.2.2, 7.2.3, 7.2.4. Nothing was changed"
    )


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        pytest.param(
            {"id": "ubuntu", "version_id": "22.04", "family": "Debian"}, "ubuntu-22.04", id="u"
        ),
        pytest.param({"id": "debian", "version_id": "13", "family": "Debian"}, "debian-13", id="d"),
        pytest.param(
            {"id": "rocky", "version_id": "9.6", "family": "RedHat"}, "el-9.6", id="rocky"
        ),
        pytest.param(
            {"id": "rhel", "version_id": "10.1", "family": "RedHat"}, "el-10.1", id="rhel"
        ),
        pytest.param({}, "-", id="nothing-known"),
    ],
)
def test_a_system_is_named_as_the_table_names_it(system: dict[str, str], expected: str) -> None:
    assert system_of(system) == expected


@pytest.mark.parametrize(
    ("rocm", "system"),
    [
        pytest.param("7.2.1", "ubuntu-22.04", id="jammy"),
        pytest.param("7.2.1", "ubuntu-24.04", id="noble"),
        pytest.param("7.2.1", "debian-12", id="bookworm"),
        pytest.param("7.2.1", "debian-13", id="trixie"),
        pytest.param("7.2.1", "el-8.10", id="el-8"),
        pytest.param("7.2.1", "el-9.7", id="el-9"),
        pytest.param("7.2.1", "el-10.1", id="el-10"),
        pytest.param("7.0", "debian-12", id="7.0-on-bookworm"),
    ],
)
def test_systems_that_amd_names_are_accepted(rocm: str, system: str) -> None:
    check_system(release_of(rocm), system, "")


@pytest.mark.parametrize(
    ("rocm", "system", "name", "expected"),
    [
        pytest.param(
            "7.0",
            "debian-13",
            "Debian GNU/Linux 13 (trixie)",
            "this node has Debian GNU/Linux 13 (trixie) (debian-13), and AMD makes ROCm 7.0 for "
            "ubuntu-22.04, ubuntu-24.04, debian-12, el-8.10, el-9.4, el-9.6. Nothing was changed; "
            "set rocm_version to one that knows debian-13: 7.0.2, 7.1, 7.1.1, 7.2, 7.2.1, 7.2.2, "
            "7.2.3, 7.2.4",
            id="another-release-would-do",
        ),
        pytest.param(
            "7.2.1",
            "el-9.9",
            "Rocky Linux 9.9",
            "this node has Rocky Linux 9.9 (el-9.9), and AMD makes ROCm 7.2.1 for ubuntu-22.04, "
            "ubuntu-24.04, debian-12, debian-13, el-8.10, el-9.4, el-9.6, el-10.0, el-9.7, "
            "el-10.1. Nothing was changed; use a system of the list, have "
            "rocm_driver_source=existing and rocm_packages=[], or set rocm_system to the nearest "
            "one of the list and test it well",
            id="no-release-would-do",
        ),
    ],
)
def test_another_system_is_refused_with_a_way_out(
    rocm: str, system: str, name: str, expected: str
) -> None:
    with pytest.raises(RocmError) as caught:
        check_system(release_of(rocm), system, name)
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param("7.2", "7.2.0", True, id="missing-zero"),
        pytest.param("7.2.1", "7.2.1", True, id="equal"),
        pytest.param("7.2.1-81", "7.2.1", True, id="with-a-build"),
        pytest.param("7.2.10", "7.2.1", False, id="ten-is-not-one"),
        pytest.param("7.2", "7.20", False, id="twenty-is-not-two"),
    ],
)
def test_versions_are_compared_as_numbers(one: str, other: str, expected: bool) -> None:
    assert same_release(one, other) is expected


def test_the_documentation_names_every_release_and_driver(repository: Path) -> None:
    text = (repository / "docs" / "amd.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    missing = [
        word
        for each in RELEASES
        for word in (each.rocm, each.driver)
        if not any(re.search(rf"(?<![\d.]){re.escape(word)}(?![\d.])", row) for row in rows)
    ]
    assert missing == []
