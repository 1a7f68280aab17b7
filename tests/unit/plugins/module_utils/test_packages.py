"""Claims about what package managers print."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.packages import (
    cause_of_failure,
    explain_removal,
    going_with_apt,
    going_with_dnf,
    installed_dpkg,
    is_locked,
    needs_removal,
    outdated_apt,
    outdated_dnf,
)

# dpkg-query --show --showformat '${Package}\t${db:Status-Status}\n'
LISTING = (
    "rsync\tinstalled\n"
    "pciutils\thalf-configured\n"
    "chrony\tunpacked\n"
    "nfs-common\tconfig-files\n"
    "jq\tnot-installed\n"
    "broken line\n"
)


def test_only_complete_packages_count_as_installed() -> None:
    assert installed_dpkg(LISTING) == {"rsync"}
    assert installed_dpkg("") == set()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(
            "E: You don't have enough free space in /var/cache/apt/archives/.\n"
            "dpkg: error: write failed (No space left on device)\n",
            "the disk is full; free space (see 'df -h') and run again"
            " (E: You don't have enough free space in /var/cache/apt/archives/.)",
            id="disk-full",
        ),
        pytest.param(
            "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (apt)\n"
            "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another"
            " process using it?\n",
            "another package manager holds the lock; wait for it (see 'ps aux | grep -E"
            ' "apt|dnf"\') (E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by'
            " process 812 (apt))",
            id="lock",
        ),
        pytest.param(
            "Ign:1 http://mirror.example/debian trixie InRelease\n"
            "W: Failed to fetch http://mirror.example/debian/dists/trixie/InRelease"
            "  Temporary failure resolving 'mirror.example'\n"
            "E: Some index files failed to download.\n",
            "the package mirror cannot be reached; check the node's DNS, proxy and mirror"
            " (W: Failed to fetch http://mirror.example/debian/dists/trixie/InRelease"
            "  Temporary failure resolving 'mirror.example')",
            id="no-name-service",
        ),
        pytest.param(
            "E: Failed to fetch http://mirror.example/pool/ca-certificates_20250419_all.deb"
            "  Connection refused\n",
            "the package mirror cannot be reached; check the node's DNS, proxy and mirror"
            " (E: Failed to fetch http://mirror.example/pool/ca-certificates_20250419_all.deb"
            "  Connection refused)",
            id="mirror-down-and-a-package-named-after-certificates",
        ),
        pytest.param(
            "E: Unable to locate package rsyncc\n",
            "no configured repository has it; check the distribution's version and its"
            " repositories (E: Unable to locate package rsyncc)",
            id="unknown-to-apt",
        ),
        pytest.param(
            "No match for argument: rsyncc\nError: Unable to find a match: rsyncc\n",
            "no configured repository has it; check the distribution's version and its"
            " repositories (Error: Unable to find a match: rsyncc)",
            id="unknown-to-dnf",
        ),
        pytest.param(
            "E: Failed to fetch https://mirror.example/debian/dists/trixie/InRelease  Certificate"
            " verification failed: The certificate is NOT trusted. The certificate issuer is"
            " unknown.\n",
            "the mirror's certificate is not trusted; is a corporate CA missing on the node?"
            " (E: Failed to fetch https://mirror.example/debian/dists/trixie/InRelease"
            "  Certificate verification failed: The certificate is NOT trusted. The certificate"
            " issuer is unknown.)",
            id="private-ca-seen-by-apt",
        ),
        pytest.param(
            "Error: Failed to download metadata for repo 'baseos': Curl error (60): SSL peer"
            " certificate or SSH remote key was not OK [SSL certificate problem: unable to get"
            " local issuer certificate]\n",
            "the mirror's certificate is not trusted; is a corporate CA missing on the node?"
            " (Error: Failed to download metadata for repo 'baseos': Curl error (60): SSL peer"
            " certificate or SSH remote key was not OK [SSL certificate problem: unable to get"
            " local issuer certificate])",
            id="private-ca-seen-by-dnf",
        ),
        pytest.param(
            "The following packages have unmet dependencies:\n"
            " docker-ce : Depends: containerd.io (>= 1.7.27) but it is not installable\n"
            "E: Unable to correct problems, you have held broken packages.\n",
            "a package that it needs cannot be had"
            " (docker-ce : Depends: containerd.io (>= 1.7.27) but it is not installable)",
            id="dependency-apt-cannot-find",
        ),
        pytest.param(
            "Error: \n Problem: conflicting requests\n  - nothing provides container-selinux needed"
            " by docker-ce-3:29.1.3-1.el8.x86_64\n",
            "a package that it needs cannot be had"
            " (- nothing provides container-selinux needed by docker-ce-3:29.1.3-1.el8.x86_64)",
            id="dependency-dnf-cannot-find",
        ),
        pytest.param(
            "some remark\nE: held broken packages\n",
            "E: held broken packages; try it on the node by hand with the packages rsync, jq",
            id="something-else",
        ),
        pytest.param(
            "",
            "no message; try it on the node by hand with the packages rsync, jq",
            id="nothing-said",
        ),
    ],
)
def test_the_cause_is_said_with_the_managers_own_words(said: str, expected: str) -> None:
    assert cause_of_failure(said, ["rsync", "jq"]) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(
            "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 9 (apt-get)",
            True,
            id="lists",
        ),
        pytest.param(
            "dpkg: error: dpkg frontend lock was locked by another process with pid 9",
            True,
            id="dpkg",
        ),
        pytest.param("E: Unable to locate package x", False, id="another-error"),
    ],
)
def test_a_lock_is_recognised(said: str, expected: bool) -> None:
    assert is_locked(said) is expected


# apt-get install --no-remove docker-ce, on a Debian with the distribution's engine
APT_CONFLICT = """\
The following additional packages will be installed:
  containerd.io docker-ce-cli
The following packages will be REMOVED:
  containerd docker.io
  runc:amd64*
The following NEW packages will be installed:
  containerd.io docker-ce docker-ce-cli
0 upgraded, 3 newly installed, 3 to remove and 0 not upgraded.
"""
APT_ERROR = "E: Packages need to be removed but remove is disabled.\n"

# dnf install docker-ce, on EL 8 with the container tools
DNF_CONFLICT = """\
Error:
 Problem 1: problem with installed package podman-3:4.9.4-1.module_el8.10.0.x86_64
  - package podman-3:4.9.4-1.el8.x86_64 requires runc >= 1.0.0-57, but it cannot be installed
  - package containerd.io-1.6.32-3.1.el8.x86_64 conflicts with runc provided by runc-1:1.1.12-1
(try to add '--allowerasing' to command line to replace conflicting packages)
"""
DNF_TABLE = """\
Dependencies resolved.
==========================================================================================
 Package               Arch    Version                            Repository         Size
==========================================================================================
Installing:
 containerd.io         x86_64  1.6.32-3.1.el8                     docker-ce-stable   35 M
     replacing  runc.x86_64 1:1.1.12-1.module_el8.10.0
 docker-ce             x86_64  3:26.1.3-1.el8                     docker-ce-stable   27 M
Removing dependent packages:
 buildah               x86_64  2:1.33.8-4.module_el8.10.0         @appstream         30 M
 podman-catatonit-with-a-long-name
                       x86_64  3:4.9.4-1.module_el8.10.0          @appstream         50 M

Transaction Summary
==========================================================================================
Install  2 Packages
Remove   2 Packages
"""


def test_packages_that_would_go_are_known_before() -> None:
    assert going_with_apt(APT_CONFLICT) == ["containerd", "docker.io", "runc"]
    assert going_with_apt("Reading package lists...\n") == []
    assert going_with_dnf(DNF_TABLE) == ["buildah", "podman-catatonit-with-a-long-name"]
    assert going_with_dnf("Nothing to do.\n") == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(APT_ERROR, True, id="apt"),
        pytest.param(DNF_CONFLICT, True, id="dnf"),
        pytest.param("E: Unable to locate package jq\n", False, id="something-else"),
    ],
)
def test_a_conflict_is_told_from_other_failures(said: str, expected: bool) -> None:
    assert needs_removal(said) is expected


def test_who_is_in_the_way_is_named_with_the_way_out() -> None:
    assert explain_removal(["podman", "runc"], ["runc"], "docker_replaced_packages") == (
        "podman would have to go for it. Remove it yourself, or name what may go in"
        " docker_replaced_packages: then it goes now, and reset installs it again"
    )


def test_packages_with_a_newer_version_are_read_from_apts_plan() -> None:
    out = "Inst libc6 [2.41-1] (2.41-2 Debian)\nInst jq (1.7 Debian)\nInst rsync [1] (2 Debian)\n"
    assert outdated_apt(out, ["rsync", "jq", "curl"]) == ["rsync"]


def test_packages_with_a_newer_version_are_read_from_dnfs_list() -> None:
    out = "\nrsync.x86_64    3.2.7-2.el9    baseos\njq.x86_64  1.7-1.el9  appstream\n"
    assert outdated_dnf(out, ["jq", "curl"]) == ["jq"]
