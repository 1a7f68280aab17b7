# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a container on the node which GPUs it sees, with an image that is made for it there."""

from __future__ import annotations

import glob
import io
import os
import tarfile
from collections.abc import Sequence
from contextlib import suppress

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
    Result,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_container import (
    AMD,
    CONTAINER,
    EMPTY_FILES,
    FOLDERS,
    IMAGE,
    ROOT_LINKS,
    TEXT_FILES,
    bounded,
    packs_program,
    parse_ldd,
    place_in_image,
    program_to_pack,
    read_answer,
    run_arguments,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import ContainerView

#: Seconds for each step other than the container itself.
STEP_SECONDS = 60


class ContainerCheck:
    """A node with Docker Engine; ``folder`` is a place for a file that is not kept."""

    def __init__(self, command: Command, folder: str) -> None:
        self._command = command
        self._folder = folder

    def ask(self, mode: str, image: str, seconds: int, gpus: Sequence[str]) -> ContainerView:
        """Return how many of the GPUs at the PCI addresses ``gpus`` a container sees.

        Without ``image`` one is made from the node's own files, and removed again.
        """
        if not self._command.find("docker"):
            return ContainerView(error="this node has no docker command")
        self._clear(image)  # An interrupted run may have left something.
        try:
            if not image:
                self._make_image(mode)
            result = self._command.run(bounded(run_arguments(mode, image or IMAGE), seconds))
        except CommandError as error:
            return ContainerView(error=str(error))
        finally:
            self._clear(image)
        renders = _render_nodes(gpus) if mode == AMD else None
        return read_answer(mode, result.rc, result.out, result.err, seconds, renders)

    def _step(self, *argv: str) -> Result:
        return self._command.run(bounded(argv, STEP_SECONDS))

    def _need(self, *argv: str) -> str:
        result = self._step(*argv)
        if result.rc != 0:
            said = (result.err.strip() or result.out.strip()).splitlines()
            raise CommandError(f"'{' '.join(argv)}' exited {result.rc}: {(said or ['-'])[-1]}")
        return result.out

    def _clear(self, image: str) -> None:
        """Remove container and own image; that they are not there is the rule."""
        self._step("docker", "rm", "--force", CONTAINER)
        if not image:
            self._step("docker", "image", "rm", "--force", IMAGE)

    def _make_image(self, mode: str) -> None:
        program = program_to_pack(mode)
        path = self._command.find(program)
        if path is None:
            raise CommandError(
                f"the image could not be made: this node has no program {program}; name an image "
                "that has it in container_image"
            )
        files = parse_ldd(self._need("ldd", path))
        archive = os.path.join(self._folder, "rackforge-gpu-check.tar")
        try:
            _pack(archive, [*files, path] if packs_program(mode) else files)
            self._need("docker", "import", archive, IMAGE)
        except (OSError, tarfile.TarError) as error:
            raise CommandError(f"the image could not be made: {error}") from error
        finally:
            with suppress(FileNotFoundError):
                os.unlink(archive)


def _pack(archive: str, files: Sequence[str]) -> None:
    """Write a file system with the files, for nobody but this user to read."""
    handle = os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        for folder in FOLDERS:
            tar.addfile(_member(folder, tarfile.DIRTYPE))
        for name in EMPTY_FILES:
            tar.addfile(_member(name))
        for name, text in TEXT_FILES.items():
            content = text.encode()
            tar.addfile(_member(name, size=len(content)), io.BytesIO(content))
        for link in ROOT_LINKS:
            if os.path.islink(link):
                tar.addfile(_member(link.lstrip("/"), tarfile.SYMTYPE, link=os.readlink(link)))
        for path in files:
            with open(path, "rb") as source:
                place = place_in_image(path, os.path.realpath(os.path.dirname(path)))
                size = os.fstat(source.fileno()).st_size
                tar.addfile(_member(place, size=size), source)


def _member(
    name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = ""
) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname, member.mode = kind, size, link, 0o755
    return member


def _render_nodes(gpus: Sequence[str]) -> dict[str, str]:
    """Return the PCI address behind each render node of the GPUs, none where amdgpu has none."""
    found = {}
    for address in gpus:
        for path in glob.glob(f"/sys/bus/pci/devices/{address}/drm/renderD*"):
            found[os.path.basename(path)] = address
    return found
