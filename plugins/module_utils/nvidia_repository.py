# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NVIDIA's package repositories, or mirrors of them, as each package manager wants them named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Optional

#: What NVIDIA calls processors in its folders (CUDA repositories); Arm servers only.
_ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "sbsa"}

#: Key file and its fingerprint by the folder of the CUDA repository. NVIDIA signs each folder with
#: a key of its own. The fingerprints are those that independent repositories pin: of 3bf863cc and
#: D42D0685 many, of 8793F200 two. None pins that of CDF6BA43, so it has to be handed in.
_DRIVER_KEYS: Mapping[str, tuple[str, Optional[str]]] = {
    "debian12": ("3bf863cc.pub", "EB693B3035CD5710E231E123A4B469963BF863CC"),
    "debian13": ("8793F200.pub", "02182E60104FCDC26EAE1B8597A5D4CB8793F200"),
    "ubuntu2204": ("3bf863cc.pub", "EB693B3035CD5710E231E123A4B469963BF863CC"),
    "ubuntu2404": ("3bf863cc.pub", "EB693B3035CD5710E231E123A4B469963BF863CC"),
    "rhel8": ("D42D0685.pub", "610C7B14E068A878070DA4E99CD0A493D42D0685"),
    "rhel9": ("D42D0685.pub", "610C7B14E068A878070DA4E99CD0A493D42D0685"),
    "rhel10": ("CDF6BA43.pub", None),
}
#: NVIDIA signs the packages of the container toolkit with one key for all systems.
_TOOLKIT_FINGERPRINT = "C95B321B61E88C1809C4F759DDCAE044F796ECB0"

_APT_KEYS = "/etc/apt/keyrings"
_RPM_KEYS = "/etc/pki/rpm-gpg"
_STREAM_FILE = "/etc/dnf/modules.d/nvidia-driver.module"


class RepositoryError(Exception):
    """The repository cannot be named, and why."""


@dataclass(frozen=True)
class Repository:
    """Where the key is fetched from and written to, and the files that name the repository.

    ``uri`` is how the package manager's files call it, by which an owner's own entry is found.
    """

    uri: str
    key_url: str
    key_file: str
    fingerprint: str
    files: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """Return plain data, as templates read it."""
        return asdict(self)


def driver_repository(
    url: str,
    system: Mapping[str, str],
    architecture: str,
    stream: Optional[str] = None,
    fingerprint: Optional[str] = None,
) -> Repository:
    """Return the CUDA repository, which has the drivers, for a system as node_probe describes it.

    ``stream`` is that of the module nvidia-driver on EL 8 and 9, such as 580-open.
    """
    _expect_url("nvidia_repository_url", url)
    folder, processor = _folder(system), _ARCHITECTURES.get(architecture)
    if folder not in _DRIVER_KEYS or processor is None:
        raise RepositoryError(
            f"NVIDIA has no driver repository that is known here for {system.get('name')} on "
            f"{architecture}; set nvidia_driver_source to distribution, runfile or existing"
        )
    key, known = _DRIVER_KEYS[folder]
    if not (fingerprint or known):
        raise RepositoryError(
            f"the fingerprint of NVIDIA's key for {folder} is not known here; set "
            f"nvidia_repository_key_fingerprint after you have looked at it: 'curl -O "
            f"{url.rstrip('/')}/{folder}/{processor}/{key} && gpg --show-keys {key}'"
        )
    return _repository(
        name="rackforge-nvidia",
        title="NVIDIA drivers (CUDA repository)",
        uri=f"{url.rstrip('/')}/{folder}/{processor}/",
        key_url=f"{url.rstrip('/')}/{folder}/{processor}/{key}",
        fingerprint=fingerprint or str(known),
        system=system,
        stream=stream if folder in ("rhel8", "rhel9") else None,
    )


def toolkit_repository(
    url: str, system: Mapping[str, str], fingerprint: Optional[str] = None
) -> Repository:
    """Return the repository of NVIDIA's container toolkit."""
    _expect_url("nvidia_toolkit_repository_url", url)
    base = url.rstrip("/")
    apt = system.get("family") == "Debian"
    return _repository(
        name="rackforge-nvidia-toolkit",
        title="NVIDIA container toolkit",
        uri=f"{base}/stable/deb/$(ARCH)/" if apt else f"{base}/stable/rpm/$basearch",
        key_url=f"{base}/gpgkey",
        fingerprint=fingerprint or _TOOLKIT_FINGERPRINT,
        system=system,
    )


def _folder(system: Mapping[str, str]) -> str:
    """Return the folder of a system: debian13, ubuntu2404 or rhel9 (for every rebuild of RHEL)."""
    version = system.get("version_id", "")
    if system.get("family") == "RedHat":
        return f"rhel{version.split('.')[0]}"
    return f"{system.get('id', '')}{version.replace('.', '')}"


def _expect_url(name: str, url: str) -> None:
    if not re.match(r"https?://[^\s\"']+$", url):
        raise RepositoryError(f"{name} is '{url}', expected a URL such as https://mirror.example/x")


def _repository(
    name: str,
    title: str,
    uri: str,
    key_url: str,
    fingerprint: str,
    system: Mapping[str, str],
    stream: Optional[str] = None,
) -> Repository:
    family = system.get("family", "")
    if family == "Debian":
        key_file = f"{_APT_KEYS}/{name}.asc"
        path = f"/etc/apt/sources.list.d/{name}.sources"
        files = {path: _apt_text(uri, key_file)}
    elif family == "RedHat":
        key_file = f"{_RPM_KEYS}/RPM-GPG-KEY-{name}"
        files = {f"/etc/yum.repos.d/{name}.repo": _rpm_text(name, title, uri, key_file)}
        if stream:
            files[_STREAM_FILE] = _stream_text(stream)
    else:
        raise RepositoryError(
            f"NVIDIA has no repository for {system.get('name') or 'this system'}; see the README's "
            "support table"
        )
    return Repository(uri, key_url, key_file, fingerprint, files)


def _apt_text(uri: str, key_file: str) -> str:
    return (
        "# Managed by rackforge.gpu_cluster\n"
        "Types: deb\n"
        f"URIs: {uri}\n"
        "# The repository is flat.\n"
        "Suites: /\n"
        f"Signed-By: {key_file}\n"
    )


def _rpm_text(name: str, title: str, uri: str, key_file: str) -> str:
    return (
        "# Managed by rackforge.gpu_cluster\n"
        f"[{name}]\n"
        f"name={title}\n"
        f"baseurl={uri}\n"
        "enabled=1\n"
        "gpgcheck=1\n"
        f"gpgkey=file://{key_file}\n"
    )


def _stream_text(stream: str) -> str:
    """Return what ``dnf module enable nvidia-driver:STREAM`` writes (libdnf, DNF 4)."""
    return f"[nvidia-driver]\nname=nvidia-driver\nstream={stream}\nprofiles=\nstate=enabled\n"
