# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the binary carries: its version, the real kubectl, a program that shims run."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

from tests.lab.k3s.standin.log import info

GO_VERSION = "go1.24.6"
#: A program that waits for a signal: an ELF header and a loop around the system call pause, so
#: that a shim is a process of its own whose file lies in the data folder.
_LOOP = bytes.fromhex("b8220000000f05ebf7")
_HEADER = struct.pack(
    "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0
) + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 129, 129, 4096)
LINKS = ("ctr", "crictl", "k3s-agent", "k3s-server", "k3s-etcd-snapshot", "k3s-token")


def archive() -> Path:
    """Return the file that this program was started from."""
    return Path(sys.modules["__main__"].__loader__.archive)  # type: ignore[union-attr]


def about() -> dict[str, Any]:
    """Return version, architecture and data hash, as the build wrote them."""
    try:
        with zipfile.ZipFile(archive()) as bundle:
            return dict(json.loads(bundle.read("build.json")))
    except (AttributeError, KeyError, OSError, zipfile.BadZipFile):
        return {"version": "v0.0.0+k3s1", "arch": "amd64", "data": "0" * 64}


def version_text(facts: dict[str, Any]) -> str:
    """Return what --version prints."""
    return f"k3s version {facts['version']} ({facts['data'][:8]})\ngo version {GO_VERSION}\n"


def unpack(data_dir: Path) -> Path:
    """Return the folder with the unpacked programs, as k3s makes it below data/ on first use."""
    facts = about()
    root = data_dir / "data"
    target = root / str(facts["data"])
    if (target / "bin" / "kubectl").exists():
        return target / "bin"
    root.mkdir(parents=True, exist_ok=True)
    info(f"Acquiring lock file {root / '.lock'}")
    with (root / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / "bin" / "kubectl").exists():
            info(f"Preparing data dir {target}")
            part = root / f"{facts['data']}-tmp"
            shutil.rmtree(part, ignore_errors=True)
            _fill(part / "bin")
            part.rename(target)
            _point(root / "previous", root / "current")
            _point(root / "current", target)
    return target / "bin"


def _fill(folder: Path) -> None:
    folder.mkdir(parents=True)
    with (
        zipfile.ZipFile(archive()) as bundle,
        bundle.open("bin/kubectl") as packed,
        (folder / "kubectl").open("wb") as out,
    ):
        shutil.copyfileobj(packed, out)
    (folder / "kubectl").chmod(0o755)
    for name in LINKS:
        (folder / name).symlink_to("k3s")
    (folder / "k3s").symlink_to(archive().resolve())
    shim = folder / "containerd-shim-runc-v2"
    if platform.machine() == "x86_64":
        shim.write_bytes(_HEADER + _LOOP)
    else:
        shutil.copyfile(shutil.which("sleep") or "/bin/sleep", shim)
    shim.chmod(0o755)
    (folder / "aux").mkdir()
    (folder / "cni").touch()


def _point(link: Path, target: Path) -> None:
    if link.name == "previous":
        if not target.is_symlink():
            return
        target = Path(os.readlink(target))
    link.unlink(missing_ok=True)
    link.symlink_to(target)
