"""Claims about NVIDIA's repositories on each platform."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.filter.nvidia_repository import (
    nvidia_repository,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_repository import (
    RepositoryError,
    driver_repository,
    toolkit_repository,
)

CUDA = "https://developer.download.nvidia.com/compute/cuda/repos"
TOOLKIT = "https://nvidia.github.io/libnvidia-container"
DEBIAN_KEY = "EB693B3035CD5710E231E123A4B469963BF863CC"
EL_KEY = "610C7B14E068A878070DA4E99CD0A493D42D0685"


def system(name: str, version: str) -> dict[str, str]:
    """Return an operating system as node_probe describes it."""
    family = "Debian" if name in ("debian", "ubuntu") else "RedHat"
    return {"id": name, "version_id": version, "family": family, "name": f"{name} {version}"}


@pytest.mark.parametrize(
    ("name", "version", "uri", "key", "fingerprint", "files"),
    [
        pytest.param(
            *("debian", "12", f"{CUDA}/debian12/x86_64/", "3bf863cc.pub", DEBIAN_KEY),
            ["/etc/apt/sources.list.d/rackforge-nvidia.sources"],
            id="debian-12",
        ),
        pytest.param(
            *("debian", "13", f"{CUDA}/debian13/x86_64/", "8793F200.pub"),
            "02182E60104FCDC26EAE1B8597A5D4CB8793F200",
            ["/etc/apt/sources.list.d/rackforge-nvidia.sources"],
            id="debian-13-has-a-key-of-its-own",
        ),
        pytest.param(
            *("ubuntu", "22.04", f"{CUDA}/ubuntu2204/x86_64/", "3bf863cc.pub", DEBIAN_KEY),
            ["/etc/apt/sources.list.d/rackforge-nvidia.sources"],
            id="jammy",
        ),
        pytest.param(
            *("ubuntu", "24.04", f"{CUDA}/ubuntu2404/x86_64/", "3bf863cc.pub", DEBIAN_KEY),
            ["/etc/apt/sources.list.d/rackforge-nvidia.sources"],
            id="noble",
        ),
        pytest.param(
            *("rocky", "8.10", f"{CUDA}/rhel8/x86_64/", "D42D0685.pub", EL_KEY),
            [
                "/etc/yum.repos.d/rackforge-nvidia.repo",
                "/etc/dnf/modules.d/nvidia-driver.module",
            ],
            id="el-8-has-streams",
        ),
        pytest.param(
            *("rhel", "9.6", f"{CUDA}/rhel9/x86_64/", "D42D0685.pub", EL_KEY),
            [
                "/etc/yum.repos.d/rackforge-nvidia.repo",
                "/etc/dnf/modules.d/nvidia-driver.module",
            ],
            id="el-9-has-streams",
        ),
    ],
)
def test_each_platform_has_its_folder_and_key(
    name: str, version: str, uri: str, key: str, fingerprint: str, files: list[str]
) -> None:
    found = driver_repository(CUDA, system(name, version), "x86_64", "580-open")
    assert (found.uri, found.key_url, found.fingerprint) == (uri, f"{uri}{key}", fingerprint)
    assert list(found.files) == files


def test_el_10_has_no_streams_and_needs_the_fingerprint_from_the_owner() -> None:
    el10 = system("almalinux", "10.0")
    with pytest.raises(RepositoryError) as refused:
        driver_repository(CUDA, el10, "x86_64", "580-open")
    assert str(refused.value) == (
        "the fingerprint of NVIDIA's key for rhel10 is not known here; set "
        "nvidia_repository_key_fingerprint after you have looked at it: 'curl -O "
        f"{CUDA}/rhel10/x86_64/CDF6BA43.pub && gpg --show-keys CDF6BA43.pub'"
    )
    found = driver_repository(CUDA, el10, "x86_64", "580-open", "AB" * 20)
    assert (found.fingerprint, list(found.files)) == (
        "AB" * 20,
        ["/etc/yum.repos.d/rackforge-nvidia.repo"],
    )


def test_the_repository_of_apt_is_flat_and_names_its_key() -> None:
    found = driver_repository(f"{CUDA}/", system("debian", "13"), "x86_64")
    assert found.files == {
        "/etc/apt/sources.list.d/rackforge-nvidia.sources": (
            "# Managed by rackforge.gpu_cluster\n"
            "Types: deb\n"
            f"URIs: {CUDA}/debian13/x86_64/\n"
            "# The repository is flat.\n"
            "Suites: /\n"
            "Signed-By: /etc/apt/keyrings/rackforge-nvidia.asc\n"
        )
    }


def test_the_stream_is_chosen_as_dnf_writes_it_down() -> None:
    found = driver_repository(CUDA, system("rocky", "9.6"), "x86_64", "580-dkms")
    assert found.files == {
        "/etc/yum.repos.d/rackforge-nvidia.repo": (
            "# Managed by rackforge.gpu_cluster\n"
            "[rackforge-nvidia]\n"
            "name=NVIDIA drivers (CUDA repository)\n"
            f"baseurl={CUDA}/rhel9/x86_64/\n"
            "enabled=1\n"
            "gpgcheck=1\n"
            "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-rackforge-nvidia\n"
        ),
        "/etc/dnf/modules.d/nvidia-driver.module": (
            "[nvidia-driver]\nname=nvidia-driver\nstream=580-dkms\nprofiles=\nstate=enabled\n"
        ),
    }


def test_arm_servers_have_a_folder_of_their_own() -> None:
    found = driver_repository(CUDA, system("ubuntu", "24.04"), "aarch64")
    assert found.uri == f"{CUDA}/ubuntu2404/sbsa/"


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        pytest.param("debian", f"{TOOLKIT}/stable/deb/$(ARCH)/", id="apt"),
        pytest.param("rocky", f"{TOOLKIT}/stable/rpm/$basearch", id="dnf"),
    ],
)
def test_the_toolkit_has_one_repository_for_all_versions(name: str, uri: str) -> None:
    found = toolkit_repository(TOOLKIT, system(name, "9"))
    assert (found.uri, found.key_url) == (uri, f"{TOOLKIT}/gpgkey")
    assert found.fingerprint == "C95B321B61E88C1809C4F759DDCAE044F796ECB0"


def test_a_mirror_with_its_own_key_is_believed() -> None:
    found = nvidia_repository(
        "http://mirror.example/cuda", "driver", system("debian", "12"), fingerprint="12" * 20
    )
    assert (found["uri"], found["fingerprint"]) == (
        "http://mirror.example/cuda/debian12/x86_64/",
        "12" * 20,
    )


@pytest.mark.parametrize(
    ("url", "kind", "name", "version", "words"),
    [
        pytest.param(
            *("ftp://x", "driver", "debian", "12"),
            "nvidia_repository_url is 'ftp://x', expected a URL such as https://mirror.example/x",
            id="no-url",
        ),
        pytest.param(
            *("x y", "toolkit", "debian", "12"),
            "nvidia_toolkit_repository_url is 'x y', expected a URL such as "
            "https://mirror.example/x",
            id="no-toolkit-url",
        ),
        pytest.param(
            *(CUDA, "driver", "debian", "11"),
            "NVIDIA has no driver repository that is known here for debian 11 on x86_64; set "
            "nvidia_driver_source to distribution, runfile or existing",
            id="unknown-system",
        ),
    ],
)
def test_what_cannot_be_named_is_explained(
    url: str, kind: str, name: str, version: str, words: str
) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        nvidia_repository(url, kind, system(name, version))
    assert str(refused.value) == words
