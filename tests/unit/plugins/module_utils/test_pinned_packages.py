"""Claims about packages that must have one version and keep it."""

from __future__ import annotations

import fnmatch
import re
from typing import NamedTuple

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.pinned_packages import (
    Asked,
    Wrong,
    apt_pin,
    coming_in_simulation,
    common_version,
    explain_versions,
    going_in_simulation,
    has_version,
    limited_repository,
    parse_dpkg,
    parse_rpm,
    pinned_files,
    tightened,
    upstream,
    wrong_packages,
)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param("580.95.05-1", "580.95.05", id="debian"),
        pytest.param("580.95.05-0ubuntu0.24.04.2", "580.95.05", id="ubuntu"),
        pytest.param("3:580.95.05-1.el9", "580.95.05", id="rpm-with-epoch"),
        pytest.param("580.95.05", "580.95.05", id="bare"),
        pytest.param("20220217+3~deb12u1", "20220217+3~deb12u1", id="native"),
    ],
)
def test_epoch_and_revision_are_no_part_of_a_driver_version(version: str, expected: str) -> None:
    assert upstream(version) == expected


@pytest.mark.parametrize(
    ("version", "wanted", "expected"),
    [
        pytest.param("580.95.05-1", "580", True, id="branch"),
        pytest.param("580.95.05-1", "580.95.05", True, id="exact"),
        pytest.param("580.105.08-1", "580.10", False, id="no-prefix-of-a-number"),
        pytest.param("5800.1-1", "580", False, id="longer-number"),
        pytest.param("3:580.95.05", "580.95.05", True, id="epoch"),
        pytest.param("590.48.01-1", "580", False, id="other-branch"),
        pytest.param("1.17.80-1", "1.17.8", False, id="last-part-is-longer"),
    ],
)
def test_a_version_begins_with_whole_numbers(version: str, wanted: str, expected: bool) -> None:
    assert has_version(version, wanted) is expected


@pytest.mark.parametrize(
    ("asked", "version", "expected"),
    [
        pytest.param(Asked(), "1-1", True, id="anything"),
        pytest.param(Asked(lowest="1.17.8"), "1.16.2-1", False, id="too-old"),
        pytest.param(Asked(lowest="1.17.8"), "1.17.8-1", True, id="lowest-itself"),
        pytest.param(Asked(lowest="1.17.8"), "1.18.1-1", True, id="newer"),
        pytest.param(Asked(lowest="1.17.8"), "garbage", False, id="unreadable-is-below"),
        pytest.param(Asked("1.16.2", "1.17.8"), "1.16.2-1", False, id="lowest-wins"),
    ],
)
def test_what_is_asked_for_has_two_sides(asked: Asked, version: str, expected: bool) -> None:
    assert asked.fits(version) is expected


def test_missing_and_other_versions_are_wrong() -> None:
    installed = {"a": "580.95.05-1", "b": "575.57.08-1"}
    assert wrong_packages(["a", "b", "c"], installed, Asked("580")) == [
        Wrong("b", "575.57.08-1"),
        Wrong("c", None),
    ]


def test_a_package_that_is_added_gets_the_version_of_the_others() -> None:
    installed = {"driver": "580.95.05-1", "kernel": "580.95.05-1"}
    asked = tightened(["driver", "kernel", "fabric"], installed, Asked("580"))
    assert asked == Asked("580.95.05")


def test_packages_of_another_branch_do_not_decide_the_version() -> None:
    assert tightened(["driver"], {"driver": "525.147.05-1"}, Asked("580")) == Asked("580")


def test_two_versions_are_no_common_one() -> None:
    assert common_version(["a", "b"], {"a": "580.95.05-1", "b": "580.105.08-1"}) is None


def test_the_apt_pin_holds_what_is_named() -> None:
    assert apt_pin(["*nvidia*", "libcuda*"], "580.95.05") == (
        "# Managed by rackforge.gpu_cluster\n"
        "Package: *nvidia* libcuda*\n"
        "Pin: version 580.95.05*\n"
        "Pin-Priority: 1001\n"
    )


def test_without_a_version_nothing_is_held() -> None:
    assert apt_pin(["*nvidia*"], None) is None
    assert limited_repository("[x]\n", ["*nvidia*"], None) == "[x]\n"


def test_dnf_takes_only_the_version_from_the_repository() -> None:
    assert limited_repository("[x]\nenabled=1\n", ["*nvidia*", "libcuda*"], "580") == (
        "[x]\nenabled=1\nincludepkgs=*nvidia*-580*-*.* libcuda*-580*-*.* dkms dnf-plugin-nvidia "
        "nvlsm egl-*\n"
    )


class Rpm(NamedTuple):
    """A package of a repository."""

    name: str
    version: str
    release: str = "1.el9"
    arch: str = "x86_64"


def taken(spec: str, repository: list[Rpm]) -> set[Rpm]:
    """Return what dnf takes by a spec: the first of its readings that fits anything."""
    word = r"([^:(/=<> ]+)"
    part = r"([^-:(/=<> ]+)"
    readings = [
        (f"{word}-{part}-{part}\\.([^-:.(/=<> ]+)", ("name", "version", "release", "arch")),
        (f"{word}\\.([^-:.(/=<> ]+)", ("name", "arch")),
        (word, ("name",)),
        (f"{word}-{part}-{part}", ("name", "version", "release")),
        (f"{word}-{part}", ("name", "version")),
    ]
    for pattern, fields in readings:
        globs = re.fullmatch(pattern, spec)
        found = {
            rpm
            for rpm in repository
            if globs
            and all(
                fnmatch.fnmatchcase(getattr(rpm, field), glob)
                for field, glob in zip(fields, globs.groups(), strict=True)
            )
        }
        if found:
            return found
    return set()


def test_dnf_sees_the_driver_of_the_version_and_what_it_needs() -> None:
    wanted = [
        Rpm("nvidia-driver-cuda", "580.95.05"),
        Rpm("kmod-nvidia-open-dkms", "580.95.05", arch="noarch"),
        Rpm("libnvidia-ml", "580.95.05"),
        Rpm("kmod-nvidia-open-580.95.05-5.14.0-570", "580.95.05"),
        Rpm("dkms", "3.1.8", arch="noarch"),
    ]
    others = [
        Rpm("nvidia-driver-cuda", "590.48.01"),
        Rpm("kmod-nvidia-open-dkms", "575.57.08", arch="noarch"),
        Rpm("cuda-toolkit-13-0", "13.0.1"),
    ]
    for version in ("580", "580.95.05"):
        text = limited_repository("[x]\n", ["*nvidia*", "libcuda*"], version)
        specs = text.partition("includepkgs=")[2].split()
        assert set().union(*(taken(spec, wanted + others) for spec in specs)) == set(wanted)


def test_only_repo_files_are_limited_and_the_pin_is_a_file_of_its_own() -> None:
    files = {"/etc/yum.repos.d/x.repo": "[x]\n", "/etc/dnf/modules.d/y.module": "[y]\n"}
    assert pinned_files(files, None, ["*nvidia*"], "580") == {
        "/etc/yum.repos.d/x.repo": (
            "[x]\nincludepkgs=*nvidia*-580*-*.* dkms dnf-plugin-nvidia nvlsm egl-*\n"
        ),
        "/etc/dnf/modules.d/y.module": "[y]\n",
    }
    assert list(pinned_files({"/x.sources": "s\n"}, "/pin", ["a"], "1")) == ["/x.sources", "/pin"]


def test_half_installed_packages_do_not_count() -> None:
    listing = "a\t1-1\tinstalled\nb\t1-1\thalf-configured\nc\t\tnot-installed\ngarbage\n"
    assert parse_dpkg(listing) == {"a": "1-1"}


def test_rpm_tells_of_missing_packages_in_words() -> None:
    assert parse_rpm("a\t580.95.05\npackage b is not installed\n") == {"a": "580.95.05"}


def test_a_simulation_names_what_would_go() -> None:
    said = "Inst nvidia-smi [525-1] (580.95.05-1)\nRemv nvidia-docker2 [2.13]\nRemv a:i386 [1]\n"
    assert going_in_simulation(said) == ["a", "nvidia-docker2"]


def test_a_simulation_names_the_versions_that_would_come() -> None:
    said = (
        "Inst a [525.147.05-1] (580.95.05-1 x:y [amd64]) []\n"
        "Inst b:i386 (580.95.05-1 x:y [i386])\nConf a (580.95.05-1 x:y [amd64])\n"
    )
    assert coming_in_simulation(said) == {"a": "580.95.05-1", "b": "580.95.05-1"}


def test_a_repository_that_lacks_the_version_is_named() -> None:
    said = explain_versions(["a", "b"], {"a": "580.95.05-1"}, Asked("580.105.08"))
    assert said == (
        "saw a 580.95.05-1, b (missing) as the best on offer, expected version 580.105.08 of all of"
        " them; it may be lacking: 'apt-cache madison a' or 'dnf --showduplicates list a' on this"
        " node shows what it has"
    )
