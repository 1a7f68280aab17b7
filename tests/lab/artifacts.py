# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes what nodes get instead of the internet: a stand-in for the Ray image, Ray's wheels."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.lab.images import (
    BUILD_LABEL,
    Recipe,
    build,
    digest_of,
    ensure_base_image,
    ensure_node_image,
    host_apt_settings,
    host_mirror,
)
from tests.lab.paths import CACHE, FILES, ROOT
from tests.lab.platforms import Platform, render_sources
from tests.lab.shell import check, lock, run, say, stream

RAY_VERSION = "2.60.0"
RAY_TAG = f"rackforge-lab/ray:{RAY_VERSION}"
RAY_ARCHIVE = CACHE / f"rackforge-lab-ray-{RAY_VERSION}.tar"
LOCK_FILE = ROOT / "roles" / "ray" / "files" / f"requirements-{RAY_VERSION}.txt"
WHEELS = CACHE / "wheels"


def inputs(os_name: str) -> dict[str, str]:
    """Return the role inputs that point to what has been built."""
    found: dict[str, str] = {}
    if RAY_ARCHIVE.exists():
        found |= {"ray_image": RAY_TAG, "ray_image_archive": str(RAY_ARCHIVE)}
    if (wheels_folder(os_name) / "complete").exists():
        found["ray_venv_wheel_dir"] = str(wheels_folder(os_name))
    return found


def requirements(version: str = RAY_VERSION) -> str:
    """Return Ray's requirements: the collection's locked list when there is one."""
    locked = LOCK_FILE.with_name(f"requirements-{version}.txt")
    return locked.read_text() if locked.exists() else f"ray[default,client,serve]=={version}\n"


def wheels_folder(platform: str, version: str = RAY_VERSION) -> Path:
    """Return where the wheels of one version lie; the collection's own has the plain name."""
    return WHEELS / (platform if version == RAY_VERSION else f"{platform}-ray-{version}")


def ensure_wheels(platform: Platform, version: str = RAY_VERSION) -> Path:
    """Return a folder with the wheels of Ray and all it needs for the platform's Python."""
    folder = wheels_folder(platform.name, version)
    image = ensure_node_image(platform)
    with lock(CACHE / f"wheels-{platform.name}.lock", f"the wheels of {platform.name}"):
        digest = digest_of({"requirements": requirements(version).encode()}, (platform.python,))
        marker = folder / "complete"
        if marker.exists() and marker.read_text().strip() == digest:
            return folder
        say(f"downloading Ray {version} and its dependencies for Python {platform.python}")
        shutil.rmtree(folder, ignore_errors=True)
        work = CACHE / "work" / f"wheels-{folder.name}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        (work / "requirements.txt").write_text(requirements(version))
        _download(platform, image, work)
        (work / "requirements.txt").unlink()
        folder.parent.mkdir(parents=True, exist_ok=True)
        work.rename(folder)
        marker.write_text(digest + "\n")
    return folder


def _download(platform: Platform, image: str, work: Path) -> None:
    name = f"rackforge-lab-build-wheels-{platform.name}"
    run(["docker", "rm", "-f", "-v", name])
    script = (
        "set -eu; export DEBIAN_FRONTEND=noninteractive; "
        "apt-get install -q -y --no-install-recommends python3-venv; "
        "python3 -m venv /venv; cd /wheels; "
        "/venv/bin/pip download -q --only-binary=:all: -r requirements.txt -d /wheels; "
        f"chown -R {os.getuid()}:{os.getgid()} /wheels"
    )
    argv = [
        "docker",
        "run",
        "--rm",
        "--name",
        name,
        "--label",
        BUILD_LABEL,
        "-v",
        f"{work}:/wheels",
        image,
    ]
    stream([*argv, "sh", "-c", script], CACHE / f"{name}.log")


def ensure_ray_image(platform: Platform) -> Path:
    """Return the archive of the stand-in for the Ray image, made on a minimal platform image."""
    wheels = ensure_wheels(platform)
    with lock(CACHE / "ray-image.lock", "the Ray image"):
        mirror = host_mirror()
        base = ensure_base_image(platform, mirror)
        recipe = ray_recipe(platform, base)
        marker = RAY_ARCHIVE.with_suffix(".digest")
        image = build(recipe, FILES / "build-ray", ["-v", f"{wheels}:/wheels:ro"], flat=True)
        if not RAY_ARCHIVE.exists() or not marker.exists() or marker.read_text().strip() != image:
            say(f"saving {RAY_TAG} to {RAY_ARCHIVE.name}")
            part = RAY_ARCHIVE.with_suffix(".part")
            check(["docker", "save", "-o", str(part), RAY_TAG], timeout=600)
            part.rename(RAY_ARCHIVE)
            marker.write_text(image + "\n")
    return RAY_ARCHIVE


def ray_recipe(platform: Platform, base: str) -> Recipe:
    """Return what the stand-in for the Ray image is made of."""
    files = {
        "debian.sources": render_sources(platform, host_mirror()).encode(),
        "apt.conf": host_apt_settings().encode(),
        "build-ray": (FILES / "build-ray").read_bytes(),
        "requirements.txt": requirements().encode(),
    }
    settings = (
        "ENV PATH=/opt/ray/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "ENV HOME=/home/ray",
        "ENV LC_ALL=C.UTF-8",
        "USER ray",
        "WORKDIR /home/ray",
        'CMD ["bash"]',
    )
    return Recipe(RAY_TAG, base, files, settings)


def remove() -> None:
    """Remove the archive, the wheels and what an interrupted run left of them."""
    for path in (RAY_ARCHIVE, RAY_ARCHIVE.with_suffix(".part"), RAY_ARCHIVE.with_suffix(".digest")):
        path.unlink(missing_ok=True)
    shutil.rmtree(WHEELS, ignore_errors=True)
    shutil.rmtree(CACHE / "work", ignore_errors=True)
