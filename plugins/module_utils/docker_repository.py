# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's package repository, or a mirror of it, as each package manager wants it named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_LAST = re.compile(r"/(debian|ubuntu|raspbian|rhel|centos|fedora)$")
APT_KEY = "/etc/apt/keyrings/docker.asc"
RPM_KEY = "/etc/pki/rpm-gpg/RPM-GPG-KEY-docker"


class RepositoryError(Exception):
    """The repository cannot be named, and why."""


@dataclass(frozen=True)
class Repository:
    """Where the key is fetched from and written to, and the file that names the repository."""

    key_url: str
    key_file: str
    path: str
    text: str

    def to_dict(self) -> dict[str, str]:
        """Return plain strings, as templates read them."""
        return {
            "key_url": self.key_url,
            "key_file": self.key_file,
            "path": self.path,
            "text": self.text,
        }


def repository(url: str, system: Mapping[str, str]) -> Repository:
    """Return the repository below ``url`` for an operating system as node_probe describes it.

    The URL may end with the distribution's folder, as in https://mirror.example/linux/ubuntu. That
    of another Debian is exchanged for the node's; on EL it is kept: a mirror may have centos only.
    """
    if not re.match(r"https?://[^\s\"']+$", url):
        raise RepositoryError(
            f"docker_repository_url is '{url}', expected a URL such as https://mirror.example/linux"
        )
    plain = url.rstrip("/")
    last = _LAST.search(plain)
    base = _LAST.sub("", plain)
    family = system.get("family", "")
    if family == "Debian":
        return _apt(f"{base}/{system['id']}", system["codename"])
    if family == "RedHat":
        named = last[1] if last and last[1] in ("rhel", "centos", "fedora") else "rhel"
        return _rpm(f"{base}/{named}", system["version_id"].split(".")[0])
    raise RepositoryError(
        "docker_source=repository: Docker has no repository for "
        f"{system.get('name') or 'this system'}; "
        "see the README's support table, or set docker_source=existing"
    )


def _apt(url: str, codename: str) -> Repository:
    text = (
        "# Managed by rackforge.gpu_cluster\n"
        "Types: deb\n"
        f"URIs: {url}\n"
        f"Suites: {codename}\n"
        "Components: stable\n"
        f"Signed-By: {APT_KEY}\n"
    )
    return Repository(f"{url}/gpg", APT_KEY, "/etc/apt/sources.list.d/docker.sources", text)


def _rpm(url: str, major: str) -> Repository:
    text = (
        "# Managed by rackforge.gpu_cluster\n"
        "[docker-ce-stable]\n"
        "name=Docker CE Stable\n"
        "# The repository has a folder for each major version only.\n"
        f"baseurl={url}/{major}/$basearch/stable\n"
        "enabled=1\n"
        "gpgcheck=1\n"
        f"gpgkey=file://{RPM_KEY}\n"
    )
    return Repository(f"{url}/gpg", RPM_KEY, "/etc/yum.repos.d/docker-ce.repo", text)
