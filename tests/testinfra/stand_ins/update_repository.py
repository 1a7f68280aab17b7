# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the distribution's updates: two installed packages of which newer versions come.

Installs version 1 of nvidia-standin and harmless-standin, makes a repository with version 2 of both
that says of itself what the distribution's own archive says, and FOLDER/apt.conf, with which apt
and unattended-upgrade know that repository alone:

    python3 update_repository.py FOLDER
    APT_CONFIG=FOLDER/apt.conf apt-get update
    APT_CONFIG=FOLDER/apt.conf unattended-upgrade -v
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

NAMES = ("nvidia-standin", "harmless-standin")


def main() -> None:
    """Install the old packages and make the repository with the new ones."""
    folder = Path(sys.argv[1])
    for version in ("1", "2"):
        (folder / version).mkdir(parents=True, exist_ok=True)
    run("dpkg", "--install", *(str(package(folder / "1", name, "1")) for name in NAMES))
    new = folder / "2"
    for name in NAMES:
        package(new, name, "2")
    listing = "\n".join(entry(new, name) for name in NAMES)
    (new / "Packages").write_text(listing)
    (new / "Release").write_text(release(listing))
    (folder / "sources.list").write_text(f"deb [trusted=yes] file:{new} ./\n")
    (folder / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{folder}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
        'APT::Get::List-Cleanup "0";\n'
    )


def run(*argv: str) -> str:
    """Return what a command prints."""
    return subprocess.run(argv, check=True, text=True, stdout=subprocess.PIPE).stdout


def control(name: str, version: str) -> str:
    """Return what a package says of itself."""
    return (
        f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
        "Maintainer: rackforge tests <nobody@example.org>\n"
        f"Description: stand-in called {name}, for tests\n"
    )


def package(folder: Path, name: str, version: str) -> Path:
    """Make a package and return where it lies."""
    root = folder / f"{name}.d"
    (root / "DEBIAN").mkdir(parents=True, exist_ok=True)
    (root / "DEBIAN" / "control").write_text(control(name, version))
    deb = folder / f"{name}_{version}_all.deb"
    run("dpkg-deb", "-Znone", "--build", str(root), str(deb))
    return deb


def entry(folder: Path, name: str) -> str:
    """Return a package's entry in the list."""
    deb = folder / f"{name}_2_all.deb"
    data = deb.read_bytes()
    return (
        f"{control(name, '2')}Filename: ./{deb.name}\nSize: {len(data)}\n"
        f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
    )


def release(listing: str) -> str:
    """Return a Release file that looks like the distribution's."""
    rows = Path("/etc/os-release").read_text().splitlines()
    system = dict(row.split("=", 1) for row in rows if "=" in row)
    codename, origin = (system[key].strip('"') for key in ("VERSION_CODENAME", "ID"))
    data = listing.encode()
    return (
        f"Origin: {origin.capitalize()}\nLabel: {origin.capitalize()}\nSuite: {codename}\n"
        f"Codename: {codename}\nArchitectures: all\nDate: {run('date', '--utc', '-R').strip()}\n"
        f"SHA256:\n {hashlib.sha256(data).hexdigest()} {len(data)} Packages\n"
    )


if __name__ == "__main__":
    main()
