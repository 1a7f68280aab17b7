"""Claims about how recorded output of dpkg, apt, dnf, systemctl and the kernel is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import UnitState
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_parse import (
    Process,
    left_behind,
    mounts_below,
    parse_apt_removals,
    parse_depends,
    parse_dnf_removals,
    parse_dpkg,
    parse_extended_states,
    parse_mounts,
    parse_rpm,
    parse_units,
)

FIXTURES = Path(__file__).parents[3] / "fixtures" / "ledger"
DNF_WITH_DEPENDENCIES = """\
Dependencies resolved.
================================================================================
 Package                    Arch    Version          Repository            Size
================================================================================
Removing:
 docker-ce                  x86_64  3:28.0.1-1.el9   @docker-ce-stable     83 M
Removing dependent packages:
 docker-ce-rootless-extras  x86_64  28.0.1-1.el9     @docker-ce-stable     10 M
Removing unused dependencies:
 a-package-with-a-name-that-does-not-fit-into-its-column
                            x86_64  3:2.229.0-1.el9  @appstream            50 k
 slirp4netns                x86_64  1.3.1-1.el9      @appstream            98 k

Transaction Summary
================================================================================
Remove  4 Packages
"""


def recorded(name: str) -> str:
    return (FIXTURES / name).read_text()


@pytest.mark.parametrize(
    ("abbreviation", "expected"),
    [
        pytest.param("ii ", {"less": "installed"}, id="installed"),
        pytest.param("hi ", {"less": "installed"}, id="held"),
        pytest.param("rc ", {"less": "config-files"}, id="removed-but-not-purged"),
        pytest.param("iU ", {"less": "broken"}, id="unpacked"),
        pytest.param("iF ", {"less": "broken"}, id="half-configured"),
        pytest.param("it ", {"less": "broken"}, id="triggers-pending"),
        pytest.param("iHR", {"less": "broken-reinstall"}, id="half-installed"),
        pytest.param("un ", {}, id="only-heard-of"),
    ],
)
def test_state_of_a_package_follows_dpkgs_abbreviation(
    abbreviation: str, expected: dict[str, str]
) -> None:
    assert parse_dpkg(f"less\tamd64\t{abbreviation}\t\n").states == expected


def test_foreign_architecture_is_part_of_a_packages_name() -> None:
    text = "dpkg\tamd64\tii \t\nlibc6\tamd64\tii \t\nlibc6\ti386\tii \t\ntzdata\tall\tii \t\n"
    assert sorted(parse_dpkg(text).states) == ["dpkg", "libc6", "libc6:i386", "tzdata"]


@pytest.mark.parametrize("system", ["debian12", "debian13"])
def test_recorded_dpkg_query_knows_docker_as_installed(system: str) -> None:
    assert (
        parse_dpkg(recorded(f"dpkg-query-{system}-docker.txt")).states["docker.io"] == "installed"
    )


def test_recommendations_lose_versions_and_keep_alternatives() -> None:
    text = "xz\tall\tii \tneedrestart (>= 3.1~), bc | dc:any, libx-1.0\n"
    assert parse_dpkg(text).recommends["xz"] == ("needrestart", "bc", "dc", "libx-1.0")


def test_extended_states_names_automatic_packages_only() -> None:
    text = "Package: a\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: b\nAuto-Installed: 0\n"
    assert parse_extended_states(text) == ("a",)


def test_recorded_extended_states_are_sorted() -> None:
    assert parse_extended_states(recorded("extended-states-debian13.txt")) == (
        "libffi8",
        "libgssapi-krb5-2",
        "libkeyutils1",
        "libwrap0",
        "libxtables12",
        "python3.13",
    )


def test_rpm_keys_are_no_packages() -> None:
    assert parse_rpm("bash\ngpg-pubkey\nkernel\nkernel\n") == {
        "bash": "installed",
        "kernel": "installed",
    }


@pytest.mark.parametrize(
    ("system", "count"),
    [pytest.param("debian12", 66, id="debian12"), pytest.param("debian13", 66, id="debian13")],
)
def test_every_package_that_apt_would_purge_is_found(system: str, count: int) -> None:
    removals = parse_apt_removals(recorded(f"apt-autoremove-{system}-docker.txt"))
    assert len(removals) == count
    assert {"docker.io", "containerd", "runc", "iptables"} <= set(removals)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Remv less [668-1]\nPurg x:i386 [1]\n", ("less", "x:i386"), id="both-words"),
        pytest.param("0 upgraded, 0 newly installed\n", (), id="nothing"),
        pytest.param("E: Unmet dependencies.\n", (), id="apt-refuses"),
    ],
)
def test_removals_of_a_simulation(text: str, expected: tuple[str, ...]) -> None:
    assert parse_apt_removals(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            recorded("dnf-remove-fedora23-puppet.txt"),
            ("dmidecode", "facter", "puppet"),
            id="recorded-dnf4",
        ),
        pytest.param(
            DNF_WITH_DEPENDENCIES,
            (
                "docker-ce",
                "docker-ce-rootless-extras",
                "a-package-with-a-name-that-does-not-fit-into-its-column",
                "slirp4netns",
            ),
            id="dependencies-and-wrapped-name",
        ),
        pytest.param("No packages marked for removal.\n", (), id="nothing"),
    ],
)
def test_removals_of_dnf(text: str, expected: tuple[str, ...]) -> None:
    assert parse_dnf_removals(text) == expected


@pytest.mark.parametrize("system", ["debian12", "debian13"])
def test_closure_has_dependencies_and_recommendations(system: str) -> None:
    found = parse_depends(recorded(f"apt-depends-{system}-docker.txt"))
    assert {"docker.io", "containerd", "runc", "iptables", "git", "needrestart"} <= found


def test_alternatives_of_a_dependency_are_in_the_closure() -> None:
    text = "aa\n |Depends: bb\n  Depends: cc\n  Depends: <virtual>\n"
    assert parse_depends(text) == {"aa", "bb", "cc"}


@pytest.mark.parametrize("system", ["debian12", "debian13"])
def test_recorded_units_keep_their_order(system: str) -> None:
    units = ["system.slice", "docker.service", "docker.socket", "ray.service", "nonesuch.service"]
    states = parse_units(units, recorded(f"systemctl-show-{system}-docker.txt"))
    assert states["docker.service"].enabled == "enabled"
    assert states["docker.service"].group.endswith("/system.slice/docker.service")
    assert states["nonesuch.service"] == UnitState("not-found", "inactive", "")


def test_a_missing_unit_description_is_an_error() -> None:
    with pytest.raises(ValueError, match="described 1 of 2 units"):
        parse_units(["a.service", "b.service"], "LoadState=loaded\n")


def test_mount_points_lose_their_escapes() -> None:
    text = "36 35 98:0 / /mnt/with\\040space rw - ext4 /dev/a rw\n"
    assert parse_mounts(text) == ("/mnt/with space",)


def test_mounts_inside_a_tree_come_last_mounted_first() -> None:
    points = ("/", "/run/docker", "/run/docker/netns/a", "/run/docker/netns/a/b", "/run/docker2/x")
    assert mounts_below(points, "/run/docker") == ("/run/docker/netns/a/b", "/run/docker/netns/a")


@pytest.mark.parametrize("system", ["debian12", "debian13"])
def test_recorded_containers_have_mounts_below_dockers_directory(system: str) -> None:
    points = parse_mounts(recorded(f"mountinfo-{system}-docker.txt"))
    below = mounts_below(points, "/var/lib/docker")
    assert len(below) == 2
    assert all(point.endswith("/merged") for point in below)


SHIM = (
    "9:name=systemd:/lab/system.slice/containerd.service\n0::/lab/system.slice/containerd.service\n"
)
PROCESSES = [
    Process(1, 0, "0::/lab/init.scope\n"),
    Process(10, 1, SHIM),
    Process(11, 10, "0::/docker/abc\n"),
    Process(12, 11, "0::/docker/abc\n"),
    Process(20, 1, "0::/lab/docker/x/system.slice/containerd.service\n"),
    Process(30, 1, "0::/lab/system.slice/containerd.service.d\n"),
]


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        pytest.param("/lab/system.slice/containerd.service", (10, 11, 12), id="shim-and-container"),
        pytest.param("/lab/system.slice/docker.service", (), id="nothing-left"),
        pytest.param("/lab/docker/x/system.slice/containerd.service", (20,), id="nested-node"),
    ],
)
def test_processes_left_behind_by_a_unit(group: str, expected: tuple[int, ...]) -> None:
    assert left_behind(PROCESSES, group) == expected
