# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AMD's package repositories, or a mirror of them, as each package manager wants them named.

The files have the names of AMD's own guide, so that a node on which somebody followed it does not
get every repository twice; the ledger keeps what stood in them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.rocm_versions import (
    SUITES,
    Release,
    RocmError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import HEADER

APT_KEY = "/etc/apt/keyrings/rocm.asc"
RPM_KEY = "/etc/pki/rpm-gpg/RPM-GPG-KEY-rocm"
#: Distributions have packages of the same names (rocminfo in Ubuntu and Debian). AMD's guide gives
#: its own the priority 600, above the 500 of every other repository.
APT_PIN = "/etc/apt/preferences.d/rocm-pin-600"
_APT_FILES = "/etc/apt/sources.list.d/{}.list"
_RPM_FILES = "/etc/yum.repos.d/{}.repo"
TOOLKIT = "amd-container-toolkit"
#: The toolkit is made for these (AMD Container Toolkit, requirements and release notes of 1.3.0).
#: Debian takes Ubuntu's, as with the driver.
TOOLKIT_SYSTEMS = (*SUITES, "el-9")


@dataclass(frozen=True)
class Wanted:
    """What is to come from AMD's repositories. ``toolkit_url`` is None for a place below ``url``.

    ``driver`` is None where it is the owner's own, ``rocm`` and ``toolkit`` say whether they come
    from here. ``toolkit_version`` names a folder of the toolkit's apt repository.
    """

    url: str
    release: Release
    system: str
    driver: Optional[str] = None
    rocm: bool = True
    toolkit: bool = True
    toolkit_url: Optional[str] = None
    toolkit_version: Optional[str] = None


@dataclass(frozen=True)
class Repositories:
    """Where the key is fetched from and written to, and the files that name the repositories."""

    key_url: str
    key_file: str
    files: tuple[tuple[str, str], ...]


def repositories(wanted: Wanted) -> Repositories:
    """Return what names AMD's repositories to the package manager of a node."""
    for name, url in (
        ("rocm_repository_url", wanted.url),
        ("rocm_toolkit_repository_url", wanted.toolkit_url or wanted.url),
    ):
        if not re.match(r"https?://[^\s\"'\]]+$", url):
            raise RocmError(
                f"{name} is '{url}', expected a URL such as https://mirror.example/amd. "
                "Nothing was changed",
                "value-invalid",
                name,
                f"{name}=https://mirror.example/amd",
            )
    if wanted.toolkit:
        check_toolkit(wanted.system, wanted.toolkit_version)
    key_url = f"{wanted.url.rstrip('/')}/rocm/rocm.gpg.key"
    if wanted.system in SUITES:
        return Repositories(key_url, APT_KEY, tuple(_apt(wanted)))
    return Repositories(key_url, RPM_KEY, tuple(_rpm(wanted)))


def check_toolkit(system: str, version: Optional[str]) -> None:
    """Refuse a container toolkit that AMD does not make for a system."""
    known = system in TOOLKIT_SYSTEMS or system.split(".")[0] in TOOLKIT_SYSTEMS
    if not known:
        raise RocmError(
            f"AMD makes its container toolkit for {', '.join(TOOLKIT_SYSTEMS)}, and this node is "
            f"{system}. Nothing was changed; set rocm_toolkit_source=packages with files that you "
            "have, or rocm_container_engines=[] to go without (containers then need "
            "--device /dev/kfd --device /dev/dri)",
            "rocm-system-unknown",
            "rocm_container_engines",
            "rocm_container_engines=[]   (for this node; its containers then need --device "
            "/dev/kfd --device /dev/dri)",
        )
    if version and system not in SUITES:
        raise RocmError(
            f"rocm_toolkit_version is '{version}', but AMD's repository for EL has no folder for "
            "each version. Nothing was changed; leave it out, or point "
            "rocm_toolkit_repository_url at a mirror with one version",
            "value-invalid",
            "rocm_toolkit_version",
            "rocm_toolkit_version=   (leave it out on EL)",
        )


def _toolkit_url(wanted: Wanted) -> str:
    return (wanted.toolkit_url or f"{wanted.url.rstrip('/')}/{TOOLKIT}").rstrip("/")


def _apt(wanted: Wanted) -> list[tuple[str, str]]:
    base, suite = wanted.url.rstrip("/"), SUITES[wanted.system]
    graphics = wanted.release.graphics
    rows: dict[str, list[str]] = {"amdgpu": [], "rocm": [], TOOLKIT: []}
    if wanted.driver:
        rows["amdgpu"].append(f"{base}/amdgpu/{wanted.driver}/ubuntu")
    if wanted.rocm:
        rows["rocm"].append(f"{base}/rocm/apt/{wanted.release.rocm}")
        rows["rocm"] += [f"{base}/graphics/{graphics}/ubuntu"] if graphics else []
    if wanted.toolkit:
        version = f"/{wanted.toolkit_version}" if wanted.toolkit_version else ""
        rows[TOOLKIT].append(f"{_toolkit_url(wanted)}/apt{version}")
    files = [(_APT_FILES.format(name), _list(urls, suite)) for name, urls in rows.items() if urls]
    pin = f"{HEADER}Package: *\nPin: release o=repo.radeon.com\nPin-Priority: 600\n"
    return [*files, (APT_PIN, pin)] if files else []


def _list(urls: Sequence[str], suite: str) -> str:
    lines = [f"deb [arch=amd64 signed-by={APT_KEY}] {url} {suite} main\n" for url in urls]
    return HEADER + "".join(lines)


def el_folder(release: Release, system: str) -> str:
    """Return the folder of driver and graphics for an EL: AMD keeps minor releases apart on 9."""
    version = system.partition("-")[2]
    major = version.split(".")[0]
    if major == "9" or release.graphics is None:
        return version
    return major


def _rpm(wanted: Wanted) -> list[tuple[str, str]]:
    base, release = wanted.url.rstrip("/"), wanted.release
    major = wanted.system.partition("-")[2].split(".")[0]
    folder = f"el/{el_folder(release, wanted.system)}/main/x86_64/"
    files: dict[str, list[tuple[str, str]]] = {"amdgpu": [], "rocm": [], TOOLKIT: []}
    if wanted.driver:
        files["amdgpu"].append(("amdgpu", f"{base}/amdgpu/{wanted.driver}/{folder}"))
    if wanted.rocm:
        files["rocm"].append(("rocm", f"{base}/rocm/el{major}/{release.rocm}/main"))
        if release.graphics:
            files["rocm"].append(("amdgraphics", f"{base}/graphics/{release.graphics}/{folder}"))
    if wanted.toolkit:
        files[TOOLKIT].append((TOOLKIT, f"{_toolkit_url(wanted)}/el{major}/main/"))
    return [
        (_RPM_FILES.format(name), HEADER + "\n".join(_section(*row) for row in rows))
        for name, rows in files.items()
        if rows
    ]


def _section(name: str, url: str) -> str:
    return (
        f"[{name}]\n"
        f"name={name}\n"
        f"baseurl={url}\n"
        "enabled=1\n"
        "# Before the packages of the same names in other repositories (99 is the default).\n"
        "priority=50\n"
        "gpgcheck=1\n"
        f"gpgkey=file://{RPM_KEY}\n"
    )
