# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds and caches the images that the lab runs: node images, and a stand-in for the Ray image.

Every image carries a hash of its recipe as a label. An image whose label fits is kept, any other is
built anew in a container with a name of its own, so what an interrupted build left is recognised
and removed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.engine import install
from tests.lab.paths import CACHE, FILES
from tests.lab.platforms import (
    PLATFORMS,
    Mirror,
    NoMirrorError,
    Platform,
    choose_mirror,
    parse_os_release,
    render_apt_settings,
    render_sources,
)
from tests.lab.shell import LabError, check, docker_lines, lock, run, say, stream

RECIPE_LABEL = "rackforge.lab.recipe"
BUILD_LABEL = "rackforge.lab.build"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
CA_DIRECTORIES = ("/usr/local/share/ca-certificates", "/etc/pki/ca-trust/source/anchors")
REGISTRY_SECONDS = 20

PACKAGES = (
    "systemd systemd-sysv dbus libpam-systemd openssh-server sudo python3 python3-apt "
    "iproute2 iputils-ping ca-certificates procps kmod"
)
DOWNLOADS = "docker.io python3-venv chrony rsync pciutils nftables acl gnupg curl"


@dataclass(frozen=True)
class Recipe:
    """Everything that an image depends on: files by name, and the image that it starts from."""

    tag: str
    base: str
    files: Mapping[str, bytes]
    settings: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """A short hash that changes whenever the recipe does."""
        return digest_of(self.files, (self.base, *self.settings))


def digest_of(files: Mapping[str, bytes], words: Sequence[str]) -> str:
    """Return a short hash of named contents, in any order, and of words."""
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{name}\0{len(files[name])}\0".encode())
        whole.update(files[name])
    for word in words:
        whole.update(f"{word}\0".encode())
    return whole.hexdigest()[:16]


def node_tag(platform: Platform) -> str:
    """Return the name of a platform's node image."""
    return f"rackforge-lab-node:{platform.name}"


def ensure_node_image(platform: Platform) -> str:
    """Return the id of an up-to-date node image, building it if there is none."""
    with lock(CACHE / f"image-{platform.name}.lock", f"the {platform.name} image"):
        mirror = host_mirror()
        base = ensure_base_image(platform, mirror)
        return build(node_recipe(platform, mirror, base), FILES / "build-node")


def node_recipe(platform: Platform, mirror: Mirror, base: str) -> Recipe:
    """Return what a node image is made of on this machine."""
    files = {
        "debian.sources": render_sources(platform, mirror).encode(),
        "apt.conf": host_apt_settings().encode(),
        "packages": PACKAGES.encode(),
        "downloads": DOWNLOADS.encode(),
        **{
            name: (FILES / name).read_bytes()
            for name in ("build-node", "lab-init", "lab-ssh-keys.service")
        },
        **{f"ca/{path.name}": path.read_bytes() for path in extra_certificates()},
    }
    changes = (
        'CMD ["/sbin/lab-init"]',
        "ENV container=docker",
    )
    return Recipe(node_tag(platform), base, files, changes)


def host_mirror() -> Mirror:
    """Return the Debian mirror that this machine is configured for."""
    release = parse_os_release(_read("/etc/os-release"))
    apt = Path("/etc/apt")
    paths = [apt / "sources.list", *sorted(apt.glob("sources.list.d/*"))]
    named = os.environ.get("LAB_DEBIAN_MIRROR", "")
    try:
        return choose_mirror(release, [_read(path) for path in paths], named)
    except NoMirrorError as error:
        raise LabError(str(error)) from error


def host_apt_settings() -> str:
    """Return apt settings that nodes need to use this machine's mirror as this machine does."""
    return 'Acquire::Languages "none";\n' + render_apt_settings(run(["apt-config", "dump"]).stdout)


def extra_certificates() -> list[Path]:
    """Return the certificates that this machine trusts beyond its distribution's own."""
    found = [path for folder in CA_DIRECTORIES for path in sorted(Path(folder).glob("**/*.crt"))]
    return [path for path in found if path.is_file()]


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def image_id(tag: str, digest: str) -> str | None:
    """Return the id of the image with this tag if it was made from this recipe."""
    done = run(
        [
            "docker",
            "image",
            "inspect",
            tag,
            "--format",
            f'{{{{index .Config.Labels "{RECIPE_LABEL}"}}}} {{{{.Id}}}}',
        ]
    )
    label, _, found = done.stdout.strip().partition(" ")
    return found if done.ok and label == digest else None


def ensure_base_image(platform: Platform, mirror: Mirror) -> str:
    """Return the id of a minimal platform image, from a registry or else from debootstrap."""
    tag = f"rackforge-lab-base:{platform.name}"
    digest = digest_of({}, (platform.suite, mirror.archive, "minbase-2"))
    with lock(CACHE / f"base-{platform.name}.lock", f"the minimal {platform.name} image"):
        return image_id(tag, digest) or _make_base_image(platform, mirror, tag, digest)


def _make_base_image(platform: Platform, mirror: Mirror, tag: str, digest: str) -> str:
    say(f"asking the registry for {platform.registry_image}")
    label = f"LABEL {RECIPE_LABEL}={digest}"
    if run(["docker", "pull", "-q", platform.registry_image], timeout=REGISTRY_SECONDS).ok:
        _relabel(platform.registry_image, tag, label)
    else:
        say(
            f"no registry answers: making {platform.name} with debootstrap "
            f"from {mirror.archive} (1 to 2 minutes)"
        )
        _debootstrap(platform, mirror, tag, label)
    found = image_id(tag, digest)
    if not found:
        raise LabError(f"{tag} was built but cannot be found; see `docker images`")
    return found


def _relabel(source: str, tag: str, label: str) -> None:
    container = check(["docker", "create", "--label", BUILD_LABEL, source]).strip()
    try:
        check(["docker", "commit", "--change", label, container, tag])
    finally:
        run(["docker", "rm", "-f", container])


def _debootstrap(platform: Platform, mirror: Mirror, tag: str, label: str) -> None:
    if os.geteuid() != 0:
        raise LabError(
            "no image registry answers and debootstrap needs root: run this as root, "
            f"or `docker pull {platform.registry_image}` first"
        )
    missing = [name for name in ("debootstrap",) if not shutil.which(name)]
    if missing or not KEYRING.exists():
        install(["debootstrap", "debian-archive-keyring"])
    root = CACHE / "work" / f"{platform.name}-root"
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    log = CACHE / f"debootstrap-{platform.name}.log"
    argv = [
        "debootstrap",
        "--variant=minbase",
        f"--keyring={KEYRING}",
        platform.suite,
        str(root),
        mirror.archive,
    ]
    if not Path(f"/usr/share/debootstrap/scripts/{platform.suite}").exists():
        argv.append("/usr/share/debootstrap/scripts/sid")
    stream(argv, log)
    archive = root.with_suffix(".tar")
    unneeded = ["--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*"]
    check(
        [
            "tar",
            *unneeded,
            "--numeric-owner",
            "--one-file-system",
            "-C",
            str(root),
            "-cf",
            str(archive),
            ".",
        ],
        timeout=300,
    )
    check(["docker", "import", "--change", label, str(archive), tag], timeout=300)
    shutil.rmtree(root, ignore_errors=True)
    archive.unlink()


def build(recipe: Recipe, script: Path, mounts: Sequence[str] = (), *, flat: bool = False) -> str:
    """Return the id of the recipe's image; run its script in a base container if there is none.

    A flat image has one layer, so that what the script deleted takes no room in an archive.
    """
    found = image_id(recipe.tag, recipe.digest)
    if found:
        return found
    name = "rackforge-lab-build-" + recipe.tag.replace("/", "-").replace(":", "-")
    log = CACHE / f"{name}.log"
    started = time.monotonic()
    say(
        f"building {recipe.tag} (recipe {recipe.digest}), "
        f"log in {log.relative_to(CACHE.parents[1])}"
    )
    run(["docker", "rm", "-f", "-v", name])
    log.unlink(missing_ok=True)
    folder = _lay_out(recipe, CACHE / "work" / name)
    argv = ["docker", "run", "--name", name, "--label", BUILD_LABEL, "-v", f"{folder}:/recipe:ro"]
    try:
        stream([*argv, *mounts, recipe.base, "sh", f"/recipe/{script.name}"], log)
        changes = [f"LABEL {RECIPE_LABEL}={recipe.digest}", *recipe.settings]
        _keep(name, recipe.tag, [word for change in changes for word in ("--change", change)], flat)
    finally:
        run(["docker", "rm", "-f", "-v", name])
        shutil.rmtree(folder, ignore_errors=True)
    say(f"built {recipe.tag} in {time.monotonic() - started:.0f} s")
    remove_replaced_images()
    built = image_id(recipe.tag, recipe.digest)
    if not built:
        raise LabError(f"{recipe.tag} was built but cannot be found; see `docker images`")
    return built


def _keep(container: str, tag: str, options: list[str], flat: bool) -> None:
    if not flat:
        check(["docker", "commit", *options, container, tag], timeout=600)
        return
    archive = CACHE / "work" / f"{container}.tar"
    check(["docker", "export", "-o", str(archive), container], timeout=600)
    check(["docker", "import", *options, str(archive), tag], timeout=600)
    archive.unlink()


def _lay_out(recipe: Recipe, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in recipe.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def remove_replaced_images() -> None:
    """Remove images that a newer build took the name from; those of running nodes stay for now."""
    for image in docker_lines(
        "images", "-q", "--filter", "dangling=true", "--filter", f"label={RECIPE_LABEL}"
    ):
        run(["docker", "rmi", image])


def remove_images() -> None:
    """Remove every image that the lab built, and containers of interrupted builds."""
    for container in docker_lines("ps", "-aq", "--filter", f"label={BUILD_LABEL}"):
        run(["docker", "rm", "-f", "-v", container])
    for image in dict.fromkeys(docker_lines("images", "-q", "--filter", f"label={RECIPE_LABEL}")):
        run(["docker", "rmi", "-f", image])


def platform_called(name: str) -> Platform:
    """Return a platform by its name."""
    if name not in PLATFORMS:
        raise LabError(
            f"no platform is called {name!r}; choose one of {', '.join(sorted(PLATFORMS))}"
        )
    return PLATFORMS[name]
