# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the vendors' stand-in packages in a container, so that the machine needs no compiler."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

from tests.lab.images import BUILD_LABEL, digest_of, ensure_node_image, platform_called
from tests.lab.paths import CACHE
from tests.lab.shell import check, lock, run, say, stream

HERE = Path(__file__).resolve().parent
BUILT = CACHE / "gpu"
#: What it compiles must run on every node, so the oldest node image has the compiler.
PLATFORM = "debian12"
NEEDS = "gcc libc6-dev gnupg"
KEPT = 2


def recipe_files() -> dict[str, bytes]:
    """Return everything that the packages are made of, by name."""
    return {
        str(path.relative_to(HERE)): path.read_bytes()
        for folder in ("src", "debs")
        for path in sorted((HERE / folder).rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }


def ensure_repository() -> Path:
    """Return the folder with the built repositories (www), their key and its fingerprint."""
    kernel = platform.release()
    folder = BUILT / digest_of(recipe_files(), (PLATFORM, NEEDS, kernel))
    with lock(CACHE / "gpu.lock", "the GPU packages"):
        if (folder / "fingerprint").exists():
            return folder
        image = ensure_node_image(platform_called(PLATFORM))
        _forget_old()
        _build(image, folder, kernel)
    return folder


def _forget_old() -> None:
    """Remove what older recipes built; another run may still copy from the newest of it."""
    found = sorted(BUILT.glob("*"), key=lambda path: path.stat().st_mtime)
    for old in found[:-KEPT]:
        shutil.rmtree(old)


def _build(image: str, folder: Path, kernel: str) -> None:
    name = "rackforge-lab-build-gpu"
    log = CACHE / f"{name}.log"
    recipe, out = CACHE / "work" / name, CACHE / "work" / f"{name}-out"
    for path in (recipe, out):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    for file, content in recipe_files().items():
        (recipe / file).parent.mkdir(parents=True, exist_ok=True)
        (recipe / file).write_bytes(content)
    say(f"building the GPU packages, log in {log.relative_to(CACHE.parents[1])} (about 1 minute)")
    log.unlink(missing_ok=True)
    run(["docker", "rm", "-f", "-v", name])
    script = (
        f"apt-get update -q && apt-get install -q -y --no-install-recommends {NEEDS} && "
        f"PYTHONPATH=/recipe python3 -B -m debs /out {kernel}"
    )
    argv = ["docker", "run", "--rm", "--name", name, "--label", BUILD_LABEL]
    argv += ["-v", f"{recipe}:/recipe:ro", "-v", f"{out}:/out", image]
    try:
        stream([*argv, "sh", "-c", script], log)
        folder.parent.mkdir(parents=True, exist_ok=True)
        check(["mv", str(out), str(folder)])
    finally:
        run(["docker", "rm", "-f", "-v", name])
        shutil.rmtree(recipe, ignore_errors=True)


def remove() -> None:
    """Remove what was built."""
    shutil.rmtree(BUILT, ignore_errors=True)
