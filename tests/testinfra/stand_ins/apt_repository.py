# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Docker's apt repository: builds it, signs it with a throwaway key, serves it.

Its packages have the names of Docker's, and in them the distribution's engine, packed anew. What
it shares with the real one is what the role meets: the address of the key, the layout, the
signature, the names.

    python3 apt_repository.py FOLDER ADDRESS PORT

FOLDER/fingerprint appears when everything is ready to be served. Needs dpkg-deb, gpg, and the
distribution's packages in apt's archive.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

VERSION = "1.0-standin1"
ARCHIVE = Path("/var/cache/apt/archives")
# Name, the distribution's package that is in it (where there is one), what it needs besides.
PACKAGES = (
    ("docker-ce", "docker.io", "docker-ce-cli, containerd.io"),
    ("docker-ce-cli", "docker-cli", ""),
    ("containerd.io", "", "containerd"),
    ("docker-buildx-plugin", "", ""),
    ("docker-compose-plugin", "", ""),
)


def main() -> None:
    """Build the repository and serve it until the end."""
    folder, address, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    release = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if line
    )
    system = folder / "www" / "linux" / release["ID"].strip('"')
    build(system, release["VERSION_CODENAME"].strip('"'))
    sign(folder, system)
    serve = partial(SimpleHTTPRequestHandler, directory=str(folder / "www"))
    ThreadingHTTPServer((address, port), serve).serve_forever()


def run(*argv: str, **settings: str) -> str:
    """Return what a command prints."""
    environment = {**os.environ, **settings}
    return subprocess.run(
        argv, check=True, text=True, env=environment, stdout=subprocess.PIPE
    ).stdout


def build(system: Path, codename: str) -> None:
    """Make the packages, their list, and the Release file that vouches for it."""
    machine = run("dpkg", "--print-architecture").strip()
    pool, suite = system / "pool", system / "dists" / codename
    index = suite / "stable" / f"binary-{machine}" / "Packages"
    for path in (pool, index.parent):
        path.mkdir(parents=True, exist_ok=True)
    index.write_text("\n".join(package(system, pool, row, machine) for row in PACKAGES))
    data = index.read_bytes()
    shown = index.relative_to(suite)
    (suite / "Release").write_text(
        f"Origin: stand-in\nSuite: {codename}\nCodename: {codename}\nComponents: stable\n"
        f"Architectures: {machine}\nDate: {run('date', '--utc', '-R').strip()}\n"
        f"SHA256:\n {hashlib.sha256(data).hexdigest()} {len(data)} {shown}\n"
    )


def package(system: Path, pool: Path, row: tuple[str, str, str], machine: str) -> str:
    """Make one package and return its entry in the list."""
    name, origin, needs = row
    root = pool / name
    depends = unpack(origin, root) if origin else ""
    (root / "DEBIAN").mkdir(parents=True, exist_ok=True)
    both = ", ".join(words for words in (depends, needs) if words)
    control = (
        f"Package: {name}\nVersion: {VERSION}\nArchitecture: {machine}\n"
        + (f"Depends: {both}\n" if both else "")
        + "Maintainer: rackforge tests <nobody@example.org>\n"
        f"Description: stand-in for {name}, for tests\n"
    )
    (root / "DEBIAN" / "control").write_text(control)
    deb = pool / f"{name}_{VERSION}_{machine}.deb"
    run("dpkg-deb", "-Znone", "--build", str(root), str(deb))
    data = deb.read_bytes()
    return (
        f"{control}Filename: {deb.relative_to(system)}\nSize: {len(data)}\n"
        f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
    )


def unpack(origin: str, root: Path) -> str:
    """Lay out a package of the distribution and return what it depends on."""
    for deb in ARCHIVE.glob(f"{origin}_*.deb"):
        run("dpkg-deb", "--raw-extract", str(deb), str(root))
        control = (root / "DEBIAN" / "control").read_text()
        found = re.search(r"^Depends: (.*)$", control, re.MULTILINE)
        return found[1] if found else ""
    return ""


def sign(folder: Path, system: Path) -> None:
    """Sign the Release file with a key made for this one time, and publish key and fingerprint."""
    home = folder / "gnupg"
    home.mkdir(mode=0o700, exist_ok=True)
    gpg = partial(run, "gpg", "--batch", "--quiet", "--yes", "--homedir", str(home))
    gpg("--passphrase", "", "--quick-generate-key", "stand-in@example.org", "rsa3072", "sign")
    release = next(system.glob("dists/*/Release"))
    gpg("--clearsign", "--output", str(release.with_name("InRelease")), str(release))
    (system / "gpg").write_text(gpg("--armor", "--export"))
    listing = gpg("--with-colons", "--list-keys").splitlines()
    print_ = next(line.split(":")[9] for line in listing if line.startswith("fpr:"))
    (folder / "fingerprint").write_text(print_)


if __name__ == "__main__":
    main()
