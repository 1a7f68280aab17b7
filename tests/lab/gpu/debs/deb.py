# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes Debian packages from descriptions, and apt repositories from packages."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MACHINE = "amd64"
LIBRARIES = "usr/lib/x86_64-linux-gnu"
MAINTAINER = "rackforge tests <nobody@example.org>"


@dataclass(frozen=True)
class Package:
    """A package: its control fields, files (name to content or origin), links, scripts.

    A file is a text, bytes, or the path of a file to copy; a second member of a pair is its mode.
    """

    name: str
    version: str
    depends: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str | bytes | Path] = field(default_factory=dict)
    programs: Mapping[str, str | Path] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    machine: str = MACHINE

    def control(self) -> str:
        """Return the package's control file."""
        rows = {
            "Package": self.name,
            "Version": self.version,
            "Architecture": self.machine,
            "Maintainer": MAINTAINER,
            **({"Depends": self.depends} if self.depends else {}),
            **self.fields,
            "Description": f"stand-in for {self.name}, for test nodes",
        }
        return "".join(f"{key}: {value}\n" for key, value in rows.items())


def run(*argv: str, **settings: str) -> str:
    """Return what a command prints."""
    environment = {**os.environ, **settings}
    return subprocess.run(
        argv, check=True, text=True, env=environment, stdout=subprocess.PIPE
    ).stdout


def _lay(path: Path, content: str | bytes | Path, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        shutil.copyfile(content, path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content)
    path.chmod(mode)


def make(package: Package, work: Path, pool: Path) -> Path:
    """Return the package's file, made in a scratch folder."""
    root = work / f"{package.name}_{package.version.replace(':', '%3a')}"
    shutil.rmtree(root, ignore_errors=True)
    for name, content in package.files.items():
        _lay(root / name, content, 0o644)
    for name, content in package.programs.items():
        _lay(root / name, content, 0o755)
    for name, target in package.links.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(target)
    _lay(root / "DEBIAN/control", package.control(), 0o644)
    settings = [name for name in package.files if name.startswith("etc/")]
    if settings:
        _lay(root / "DEBIAN/conffiles", "".join(f"/{name}\n" for name in settings), 0o644)
    for name, text in package.scripts.items():
        _lay(root / "DEBIAN" / name, f"#!/bin/sh\nset -e\n{text}", 0o755)
    file = pool / f"{package.name}_{package.version.split(':')[-1]}_{package.machine}.deb"
    pool.mkdir(parents=True, exist_ok=True)
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", str(root), str(file))
    shutil.rmtree(root)
    return file


def entry(package: Package, file: Path, top: Path) -> str:
    """Return a package's paragraph in a repository's list."""
    data = file.read_bytes()
    return (
        f"{package.control()}Filename: ./{file.relative_to(top)}\nSize: {len(data)}\n"
        f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
    )


class Signer:
    """Signs repositories with a key made for this one time."""

    def __init__(self, home: Path) -> None:
        """Make the key."""
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._argv = ("gpg", "--batch", "--quiet", "--yes", "--homedir", str(home))
        self.gpg("--passphrase", "", "--quick-generate-key", "stand-in@example.org", "rsa3072",
                 "sign")  # fmt: skip
        listing = self.gpg("--with-colons", "--list-keys").splitlines()
        self.fingerprint = next(row.split(":")[9] for row in listing if row.startswith("fpr:"))
        self.armored = self.gpg("--armor", "--export")
        self.binary = home / "key.gpg"
        self.gpg("--output", str(self.binary), "--export")

    def gpg(self, *words: str) -> str:
        """Return what gpg prints."""
        return run(*self._argv, *words)

    def sign(self, release: Path) -> None:
        """Write InRelease and Release.gpg beside a Release file."""
        self.gpg("--clearsign", "--output", str(release.with_name("InRelease")), str(release))
        self.gpg("--detach-sign", "--armor", "--output", f"{release}.gpg", str(release))


def release_text(origin: str, lists: Mapping[str, bytes], **fields: str) -> str:
    """Return a Release file that vouches for lists of packages."""
    rows = {"Origin": origin, "Label": origin, **fields, "Date": run("date", "--utc", "-R").strip()}
    sums = "".join(
        f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}\n" for name, data in lists.items()
    )
    return "".join(f"{key}: {value}\n" for key, value in rows.items()) + f"SHA256:\n{sums}"


def flat(top: Path, origin: str, packages: Sequence[Package], signer: Signer, work: Path) -> None:
    """Make a repository without suites: all lies in one folder."""
    top.mkdir(parents=True, exist_ok=True)
    text = "\n".join(entry(each, make(each, work, top), top) for each in packages)
    (top / "Packages").write_text(text)
    release = top / "Release"
    release.write_text(release_text(origin, {"Packages": text.encode()}, Architectures=MACHINE))
    signer.sign(release)


def suites(top: Path, origin: str, names: Sequence[str], component: str,
           packages: Sequence[Package], signer: Signer, work: Path) -> None:  # fmt: skip
    """Make a repository with suites below dists/ that share one pool."""
    rows = [entry(each, make(each, work, top / "pool"), top) for each in packages]
    text = "\n".join(rows).replace("Filename: ./", "Filename: ")
    for name in names:
        suite = top / "dists" / name
        shown = f"{component}/binary-{MACHINE}/Packages"
        (suite / shown).parent.mkdir(parents=True, exist_ok=True)
        (suite / shown).write_text(text)
        fields = {"Suite": name, "Codename": name, "Components": component}
        (suite / "Release").write_text(
            release_text(origin, {shown: text.encode()}, Architectures=MACHINE, **fields)
        )
        signer.sign(suite / "Release")
