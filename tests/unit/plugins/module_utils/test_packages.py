"""Claims about what package managers print."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.packages import (
    cause_of_failure,
    installed_dpkg,
    is_locked,
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
            " (E: Some index files failed to download.)",
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
