"""Claims about the packages that unattended upgrades leave alone."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.held_packages import (
    apt_text,
    dnf_excluded,
    dnf_lines,
    ignored_by_apt,
    others_removed,
    wrong_pattern,
)

FOLDER = Path(__file__).parents[4] / "roles" / "os_base" / "vars" / "main"
HELD = yaml.safe_load((FOLDER / "unattended.yml").read_text())["__os_base_unattended_held"]

DUMP = """\
APT "";
Unattended-Upgrade "";
Unattended-Upgrade::Package-Blacklist "";
Unattended-Upgrade::Package-Blacklist:: "owners-own";
Unattended-Upgrade::Package-Blacklist:: "linux-(image|headers)";
Unattended-Upgrade::Origins-Pattern:: "origin=Debian";
"""


def test_apts_file_names_each_pattern() -> None:
    assert apt_text(["linux-image", ".*-dkms$"]) == (
        "// Managed by rackforge.gpu_cluster\n"
        "Unattended-Upgrade::Package-Blacklist {\n"
        '    "linux-image";\n'
        '    ".*-dkms$";\n'
        "};\n"
    )


def test_what_apt_does_not_see_is_named() -> None:
    assert ignored_by_apt(["linux-(image|headers)", "nvidia-"], DUMP) == ["nvidia-"]
    assert ignored_by_apt([], DUMP) == []


def test_dnfs_setting_is_one_line() -> None:
    assert dnf_lines(["kernel*", "nvidia-*"]) == ["excludepkgs=kernel*,nvidia-*"]
    assert dnf_lines([]) == []


def test_dnfs_setting_names_the_owners_packages_once_and_first() -> None:
    assert dnf_lines(["kernel*", "nvidia-*"], ["mariadb*", "kernel*"]) == [
        "excludepkgs=mariadb*,kernel*,nvidia-*"
    ]
    assert dnf_lines([], ["mariadb*"]) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("[base]\ndebuglevel = 1\n", [], id="none"),
        pytest.param("[base]\nexcludepkgs = a*, b\tc\n", ["a*", "b", "c"], id="blanks-and-commas"),
        pytest.param(
            "[base]\nexcludepkgs=\n  a*\n\tb,\n\n  c\nexclude=d\n", ["a*", "b"], id="goes-on"
        ),
        pytest.param("[base]\nexcludepkgs=a\nexcludepkgs=b\n", ["b"], id="last-line-counts"),
        pytest.param("[base]\n#excludepkgs=a\nexcludepkgs_x=b\n", [], id="comment-and-other-key"),
        pytest.param("[x]\nexcludepkgs=a\n[base]\n[y]\nexcludepkgs=b\n", [], id="other-sections"),
        pytest.param("[base]\r\nexcludepkgs=a b\r\n", ["a", "b"], id="carriage-returns"),
    ],
)
def test_the_owners_packages_for_dnf_are_read(text: str, found: list[str]) -> None:
    assert dnf_excluded(text) == found


@pytest.mark.parametrize(
    ("pattern", "regular", "message"),
    [
        pytest.param("linux-(image|headers)$", True, "", id="regular-expression"),
        pytest.param("kernel*", False, "", id="glob"),
        pytest.param(
            "*-dkms", True, "'*-dkms' is no regular expression (nothing", id="glob-for-apt"
        ),
        pytest.param('a";b', True, "'a\";b' has a space, a quote", id="quote"),
        pytest.param("", False, "'' has a space", id="empty"),
    ],
)
def test_patterns_are_checked(pattern: str, regular: bool, message: str) -> None:
    found = wrong_pattern([pattern], regular=regular)
    assert found.startswith(message)
    assert bool(found) == bool(message)


def test_a_removal_that_takes_others_along_is_seen() -> None:
    said = "Reading package lists...\nRemv tasks [1.0]\nRemv unattended-upgrades [2.9]\n"
    assert others_removed(said, "unattended-upgrades") == ["tasks"]
    assert others_removed("Purg unattended-upgrades [2.9]\n", "unattended-upgrades") == []


def is_held(family: str, name: str) -> bool:
    """Return whether the family's tool would pass a package over."""
    if family == "Debian":
        return any(re.match(pattern, name) for pattern in HELD[family])
    return any(fnmatchcase(name, pattern) for pattern in HELD[family])


@pytest.mark.parametrize("family", ["Debian", "RedHat"])
def test_default_patterns_can_be_used(family: str) -> None:
    assert wrong_pattern(HELD[family], regular=family == "Debian") == ""


@pytest.mark.parametrize(
    ("family", "name"),
    [
        pytest.param("Debian", name, id=f"debian-{name}")
        for name in (
            "linux-image-amd64",
            "linux-image-6.8.0-49-generic",
            "linux-generic-hwe-24.04",
            "linux-modules-nvidia-550-server-generic",
            "nvidia-driver-550-server",
            "libnvidia-compute-550",
            "nvidia-dkms-550",
            "r8125-dkms",
            "cuda-toolkit-12-4",
            "libcudnn9-cuda-12",
            "amdgpu-dkms",
            "rocm-hip-runtime",
            "docker-ce",
            "docker.io",
            "containerd.io",
            "k3s-selinux",
        )
    ]
    + [
        pytest.param("RedHat", name, id=f"redhat-{name}")
        for name in (
            "kernel",
            "kernel-core",
            "kmod-nvidia-latest-dkms",
            "nvidia-driver-cuda",
            "cuda-drivers",
            "amdgpu-dkms",
            "docker-ce-cli",
            "containerd.io",
            "kubelet",
        )
    ],
)
def test_what_work_depends_on_is_held_by_default(family: str, name: str) -> None:
    assert is_held(family, name)


@pytest.mark.parametrize(
    ("family", "name"),
    [
        pytest.param(family, name, id=f"{family}-{name}")
        for family in ("Debian", "RedHat")
        for name in ("openssl", "openssh-server", "linux-libc-dev", "linux-base", "sudo", "glibc")
    ],
)
def test_security_of_the_rest_goes_on(family: str, name: str) -> None:
    assert not is_held(family, name)
