"""Claims about Docker's repository on each platform: what would be written, and where."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_repository import (
    RepositoryError,
    repository,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_facts import (
    parse_os_release,
)

# The lines of /etc/os-release that matter here.
SYSTEMS = {
    "ubuntu-22.04": 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy\n',
    "ubuntu-24.04": 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n',
    "debian-12": 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n',
    "debian-13": 'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\n',
    "rocky-8": 'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="8.10"\n',
    "rhel-9": 'ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="9.6"\n',
    "alma-10": 'ID="almalinux"\nID_LIKE="rhel centos fedora"\nVERSION_ID="10.0"\n',
    "suse": 'ID="sles"\nID_LIKE="suse"\nVERSION_ID="15.6"\nPRETTY_NAME="SLES 15"\n',
}
MIRROR = "https://mirror.example/linux"


def system(name: str) -> dict[str, str]:
    return parse_os_release(SYSTEMS[name]).to_dict()


@pytest.mark.parametrize(
    ("name", "folder", "suite"),
    [
        pytest.param("debian-12", "debian", "bookworm", id="debian-12"),
        pytest.param("debian-13", "debian", "trixie", id="debian-13"),
        pytest.param("ubuntu-22.04", "ubuntu", "jammy", id="ubuntu-22.04"),
        pytest.param("ubuntu-24.04", "ubuntu", "noble", id="ubuntu-24.04"),
    ],
)
def test_apt_is_told_folder_suite_and_key(name: str, folder: str, suite: str) -> None:
    assert repository(MIRROR, system(name)).to_dict() == {
        "key_url": f"https://mirror.example/linux/{folder}/gpg",
        "key_file": "/etc/apt/keyrings/docker.asc",
        "path": "/etc/apt/sources.list.d/docker.sources",
        "text": "# Managed by rackforge.gpu_cluster\n"
        "Types: deb\n"
        f"URIs: https://mirror.example/linux/{folder}\n"
        f"Suites: {suite}\n"
        "Components: stable\n"
        "Signed-By: /etc/apt/keyrings/docker.asc\n",
    }


@pytest.mark.parametrize(
    ("name", "major"),
    [
        pytest.param("rocky-8", "8", id="el-8"),
        pytest.param("rhel-9", "9", id="el-9"),
        pytest.param("alma-10", "10", id="el-10"),
    ],
)
def test_dnf_is_told_the_major_version_and_the_key(name: str, major: str) -> None:
    assert repository(MIRROR, system(name)).to_dict() == {
        "key_url": "https://mirror.example/linux/rhel/gpg",
        "key_file": "/etc/pki/rpm-gpg/RPM-GPG-KEY-docker",
        "path": "/etc/yum.repos.d/docker-ce.repo",
        "text": "# Managed by rackforge.gpu_cluster\n"
        "[docker-ce-stable]\n"
        "name=Docker CE Stable\n"
        "# The repository has a folder for each major version only.\n"
        f"baseurl=https://mirror.example/linux/rhel/{major}/$basearch/stable\n"
        "enabled=1\n"
        "gpgcheck=1\n"
        "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-docker\n",
    }


@pytest.mark.parametrize(
    ("url", "name", "expected"),
    [
        pytest.param(f"{MIRROR}/", "debian-12", f"{MIRROR}/debian/gpg", id="slash-at-the-end"),
        pytest.param(f"{MIRROR}/ubuntu", "ubuntu-24.04", f"{MIRROR}/ubuntu/gpg", id="own-folder"),
        pytest.param(f"{MIRROR}/ubuntu/", "debian-13", f"{MIRROR}/debian/gpg", id="other-folder"),
        pytest.param(f"{MIRROR}/ubuntu", "rhel-9", f"{MIRROR}/rhel/gpg", id="apts-folder-on-el"),
        pytest.param(f"{MIRROR}/centos", "rocky-8", f"{MIRROR}/centos/gpg", id="mirror-of-centos"),
    ],
)
def test_a_url_may_end_with_a_distribution(url: str, name: str, expected: str) -> None:
    assert repository(url, system(name)).key_url == expected


def test_what_cannot_be_named_is_explained() -> None:
    with pytest.raises(RepositoryError, match=r"docker_repository_url is 'mirror\.example/linux'"):
        repository("mirror.example/linux", system("debian-12"))
    with pytest.raises(RepositoryError, match="Docker has no repository for SLES 15"):
        repository(MIRROR, system("suse"))
