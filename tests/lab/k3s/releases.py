# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds release folders of the stand-in for k3s: binary, image archive, list and checksums."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.lab.images import BUILD_LABEL, ensure_node_image
from tests.lab.k3s.standin.objects_packaged import IMAGES
from tests.lab.paths import CACHE
from tests.lab.platforms import PLATFORMS
from tests.lab.shell import LabError, check, lock, run

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
RELEASES = CACHE / "k3s"
KUBECTL = RELEASES / "kubectl-1.32"
DEFAULT_VERSION = "v1.33.5+k3s1"
BINARIES = {"amd64": "k3s", "arm64": "k3s-arm64"}
_EPOCH = (1980, 1, 1, 0, 0, 0)


def checksums_name(arch: str) -> str:
    """Return what a release calls its list of checksums."""
    return f"sha256sum-{arch}.txt"


def archive_name(arch: str) -> str:
    """Return what a release calls its archive of images, in the form that is built here."""
    return f"k3s-airgap-images-{arch}.tar.gz"


def release(version: str = DEFAULT_VERSION, arch: str = "amd64") -> Path:
    """Return the folder with a release's files, built when it is missing or out of date."""
    folder = RELEASES / version
    with lock(RELEASES / f"{version}.lock", f"the stand-in for k3s {version}"):
        write_release(version, arch, folder)
    return folder


def checksums(folder: Path, arch: str = "amd64") -> dict[str, str]:
    """Return the SHA-256 of each file of a release by name."""
    names = [BINARIES[arch], archive_name(arch), "k3s-images.txt"]
    return {name: digest(folder / name) for name in names if (folder / name).exists()}


def digest(path: Path) -> str:
    """Return a file's SHA-256."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def write_release(version: str, arch: str, folder: Path) -> None:
    """Write the files of one version and architecture, or copy a real binary if one is named."""
    if arch not in BINARIES:
        raise LabError(f"--arch takes {' or '.join(sorted(BINARIES))}, not {arch}")
    folder.mkdir(parents=True, exist_ok=True)
    real = os.environ.get("K3S_REAL_BINARY")
    parts = {} if real else members(version, arch)
    mark = folder / f".inputs-{arch}"
    inputs = real_inputs(Path(real)) if real else inputs_digest(parts)
    if mark.exists() and mark.read_text() == inputs:
        return
    mark.unlink(missing_ok=True)
    binary = folder / BINARIES[arch]
    if real:
        copy_real(Path(real), binary, arch)
    else:
        write_zipapp(parts, binary)
        write_images(folder, version, arch)
    lines = [f"{value}  {name}\n" for name, value in sorted(checksums(folder, arch).items())]
    (folder / checksums_name(arch)).write_text("".join(lines))
    mark.write_text(inputs)


def real_inputs(binary: Path) -> str:
    """Return what tells one real binary from another."""
    if not binary.is_file():
        raise LabError(f"K3S_REAL_BINARY names {binary}, which is no file")
    return digest(binary)


def copy_real(binary: Path, target: Path, arch: str) -> None:
    """Copy a real release binary, and the archive and list of images that lie beside it."""
    shutil.copyfile(binary, target)
    target.chmod(0o755)
    for ending in ("tar.zst", "tar.gz", "tar"):
        archive = binary.with_name(f"k3s-airgap-images-{arch}.{ending}")
        if archive.exists():
            shutil.copyfile(archive, target.with_name(archive.name))
            break
    listed = binary.with_name("k3s-images.txt")
    if listed.exists():
        shutil.copyfile(listed, target.with_name(listed.name))


def members(version: str, arch: str) -> dict[str, bytes]:
    """Return what lies in the zipapp, by path."""
    found = {
        "__main__.py": b"import sys\n\nfrom tests.lab.k3s.standin.main import main\n\n"
        b"sys.exit(main(sys.argv))\n",
        "tests/__init__.py": b"",
        "tests/lab/__init__.py": b"",
        "tests/lab/k3s/__init__.py": b"",
        "bin/kubectl": kubectl().read_bytes(),
    }
    for path in sorted((HERE / "standin").rglob("*.py")):
        found[f"tests/lab/k3s/standin/{path.relative_to(HERE / 'standin')}"] = path.read_bytes()
    library = Path(yaml.__file__).parent
    for path in sorted(library.glob("*.py")):
        found[f"yaml/{path.name}"] = path.read_bytes()
    about = {"version": version, "arch": arch, "data": inputs_digest(found)}
    found["build.json"] = json.dumps(about, sort_keys=True).encode()
    return found


def inputs_digest(parts: Mapping[str, bytes]) -> str:
    """Return one SHA-256 over names and contents."""
    total = hashlib.sha256()
    for name in sorted(parts):
        total.update(f"{name} {len(parts[name])}\n".encode())
        total.update(parts[name])
    return total.hexdigest()


def write_zipapp(parts: Mapping[str, bytes], target: Path) -> None:
    """Write an executable zip file; the same parts give the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as bundle:
        for name in sorted(parts):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            bundle.writestr(entry, parts[name], zipfile.ZIP_DEFLATED, 1)
    part = target.with_name(target.name + ".part")
    part.write_bytes(b"#!/usr/bin/env python3\n" + packed.getvalue())
    part.chmod(0o755)
    part.rename(target)


def write_images(folder: Path, version: str, arch: str) -> None:
    """Write the archive of images, a real tar.gz with a manifest and no layers, and its list."""
    names = [*IMAGES, f"docker.io/rackforge/stand-in-for-k3s:{version.replace('+', '-')}"]
    manifest = [
        {"Config": f"{number}.json", "RepoTags": [name], "Layers": []}
        for number, name in enumerate(names)
    ]
    body = json.dumps(manifest, indent=1).encode()
    padding = b"".join(
        hashlib.sha256(f"{version} {arch} {block}".encode()).digest() for block in range(8192)
    )
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        for name, data in (("manifest.json", body), ("padding", padding)):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    packed_bytes = bytearray(packed.getvalue())
    packed_bytes[4:8] = b"\0\0\0\0"  # gzip's time of writing: the same input, the same bytes
    (folder / archive_name(arch)).write_bytes(bytes(packed_bytes))
    (folder / "k3s-images.txt").write_text("".join(f"{name}\n" for name in sorted(names)))


def kubectl() -> Path:
    """Return the real kubectl of Debian 13, taken from its package once."""
    with lock(RELEASES / "kubectl.lock", "Debian's kubectl"):
        if KUBECTL.exists():
            return KUBECTL
        image = ensure_node_image(PLATFORMS["debian13"])
        name = "rackforge-lab-build-kubectl"
        run(["docker", "rm", "-f", "-v", name])
        script = (
            "set -eu; cd /tmp; apt-get update -q >/dev/null; apt-get download -q kubectl >&2; "
            "dpkg-deb -x kubectl_*.deb x"
        )
        argv = ["docker", "run", "--name", name, "--label", BUILD_LABEL, image]
        check([*argv, "sh", "-c", script], timeout=300)
        part = KUBECTL.with_suffix(".part")
        check(["docker", "cp", f"{name}:/tmp/x/usr/bin/kubectl", str(part)])
        run(["docker", "rm", "-f", "-v", name])
        part.chmod(0o755)
        part.rename(KUBECTL)
    return KUBECTL


def inputs(version: str = DEFAULT_VERSION, arch: str = "amd64") -> dict[str, Any]:
    """Return the role inputs that hand a release of the cache over."""
    return handed_over(version, release(version, arch), arch)


def handed_over(version: str, folder: Path, arch: str = "amd64") -> dict[str, Any]:
    """Return the role inputs that hand over what lies in a folder, with its digests pinned."""
    return {
        "k3s_version": version,
        "k3s_artifact_dir": str(folder),
        "k3s_checksums": {version: {arch: checksums(folder, arch)}},
    }
