# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release of k3s consists of, and the digests by which its files are known.

A digest is in ``PINNED`` only if two independent repositories state it:

- v1.34.2+k3s1: the binaries by github.com/andrewrothstein/ansible-k3s (defaults/main.yml) and
  github.com/yunionio/ocboot (lib/k3s.py); the archives of images by that same file of ocboot and by
  github.com/NixOS/nixpkgs (k3s/1_34/images-versions.json, as github.com/pythonpoet/nixpkgs has it).
- v1.33.6+k3s1, amd64: the binary by ansible-k3s and by the release's own sha256sum-amd64.txt as
  github.com/kuihuar/vmoperator keeps it; the archives by that file and by nixpkgs
  (k3s/1_33/images-versions.json). Of arm64 each digest was found in one place only.

Nothing here reads or writes anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

#: The releases' names of the architectures, by what Linux calls the machine.
ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
BINARIES = {"amd64": "k3s", "arm64": "k3s-arm64"}
#: The forms in which a release has its images; k3s imports each of them. The smallest one first.
IMAGE_ENDINGS = ("tar.zst", "tar.gz", "tar")

Checksums = Mapping[str, Mapping[str, Mapping[str, str]]]

PINNED: Checksums = {
    "v1.33.6+k3s1": {
        "amd64": {
            "k3s": "86945269160fdd1bbd06283ea5b3bafd6c0ec0d1df3ac68ad3686656632081a5",
            "k3s-airgap-images-amd64.tar.zst": (
                "1a852774a4cf27b24b1c60fc8fdc88e1f31841955dad99dfedd492a4ccfb6c08"
            ),
            "k3s-airgap-images-amd64.tar.gz": (
                "9cc46db774c51e4195dfe3c2dafe1ecc18c7293bf08e7a81258aec07e60fc26d"
            ),
        },
    },
    "v1.34.2+k3s1": {
        "amd64": {
            "k3s": "15811d34187e03fe29d0e46108c42cc33e62cec1b3d9d80f50944536ebcad40a",
            "k3s-airgap-images-amd64.tar.zst": (
                "24359781bd775f513691e98031853d79eac53e265f7d72d1e7325df4f3b18eb0"
            ),
        },
        "arm64": {
            "k3s-arm64": "2e1db0e54a8b0d0ab8a264a119c9c617561f9290e7bb2722d795f8bc91b24cf8",
            "k3s-airgap-images-arm64.tar.zst": (
                "41b34aab92bc5166135dc73217ead65766688fd3543166ce32ffff7e101bef46"
            ),
        },
    },
}

_VERSION = re.compile(r"v\d+\.\d+\.\d+(-rc\d+)?\+k3s\d+")
#: A version as it stands in a binary, where other text may follow at once.
IN_BINARY = re.compile(rb"v\d{1,3}\.\d{1,3}\.\d{1,3}(?:-rc\d{1,2})?\+k3s\d")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def release_architecture(machine: str) -> Optional[str]:
    """Return amd64 or arm64, None for a machine that k3s has no release for here."""
    return ARCHITECTURES.get(machine.lower())


def is_version(text: str) -> bool:
    """Return whether ``text`` is the tag of a release, such as v1.34.2+k3s1."""
    return bool(_VERSION.fullmatch(text))


def image_names(architecture: str) -> list[str]:
    """Return the names of a release's archive of images, one for each form."""
    return [f"k3s-airgap-images-{architecture}.{ending}" for ending in IMAGE_ENDINGS]


def checksum_name(architecture: str) -> str:
    """Return the name of a release's list of checksums."""
    return f"sha256sum-{architecture}.txt"


def release_names() -> frozenset[str]:
    """Return every name that an archive of images of a release can have."""
    return frozenset(name for each in BINARIES for name in image_names(each))


def parse_checksums(text: str) -> dict[str, str]:
    """Return digests by file name from a list as sha256sum writes it; other lines are left out."""
    found = {}
    for line in text.splitlines():
        digest, _space, name = line.strip().partition(" ")
        if _DIGEST.fullmatch(digest.lower()) and name.strip(" *"):
            found[name.strip(" *")] = digest.lower()
    return found


def known_digests(version: str, architecture: str, own: Mapping[str, Any]) -> dict[str, str]:
    """Return digests by file name: the owner's, else those that two sources agree on."""
    found = dict(PINNED.get(version, {}).get(architecture, {}))
    theirs = (own.get(version) or {}).get(architecture) or {}
    found.update({str(name): str(digest).lower() for name, digest in theirs.items()})
    return found


def other_version(digest: str, version: str, own: Mapping[str, Any]) -> str:
    """Return the release, other than ``version``, that a digest is known of, or nothing."""
    for table in (own, PINNED):
        for name, architectures in table.items():
            for files in architectures.values():
                if name != version and digest in [str(each).lower() for each in files.values()]:
                    return str(name)
    return ""


def wrong_checksums(own: object) -> str:
    """Return what is wrong with the owner's table of digests, nothing when it can be used."""
    if not isinstance(own, Mapping):
        return f"k3s_checksums is a {type(own).__name__}"
    for version, architectures in own.items():
        if not isinstance(architectures, Mapping):
            return f"{version} has a {type(architectures).__name__} where architectures belong"
        for architecture, files in architectures.items():
            where = f"{version}: {architecture}"
            if architecture not in BINARIES:
                return f"{where} is no architecture of a release"
            if not isinstance(files, Mapping):
                return f"{where} has a {type(files).__name__} where files belong"
            for name, digest in files.items():
                if not _DIGEST.fullmatch(str(digest).lower()):
                    return f"{where}: {name} has '{digest}'"
    return ""


#: How a table of digests looks, for messages.
CHECKSUMS_SHAPE = "version: architecture: file: 64 hexadecimal digits, as in docs/k3s-air-gap.md"


def file_url(base: str, version: str, name: str) -> str:
    """Return the address of a release's file; the plus sign of the version is encoded."""
    return f"{base.rstrip('/')}/{version.replace('+', '%2B')}/{name}"


def versions_in(data: bytes) -> set[str]:
    """Return the releases whose names stand in a piece of a binary."""
    return {match.decode() for match in IN_BINARY.findall(data)}
