# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a directory with a release of k3s on the control node."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_artifacts import (
    Request,
    SeenFile,
    Survey,
    judge,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release_files import (
    read_content,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_releases import (
    BINARIES,
    checksum_name,
    image_names,
    parse_checksums,
)

#: The arguments that k3s_artifacts and k3s_release have in common.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "directory": {"type": "str", "default": ""},
    "version": {"type": "str", "required": True},
    "images": {"type": "bool", "default": True},
    "archives": {"type": "list", "elements": "str", "default": []},
    "checksums": {"type": "dict", "default": {}},
}


def request_of(args: Mapping[str, Any], architectures: list[str]) -> Request:
    """Return what a task asks for. Relative paths count from the working directory."""
    directory = str(args["directory"] or "")
    return Request(
        directory=absolute(directory) if directory else "",
        version=str(args["version"]),
        architectures=tuple(str(each) for each in architectures),
        images=bool(args["images"]),
        archives=tuple(absolute(each) for each in args["archives"] or []),
        checksums=args["checksums"] or {},
    )


def absolute(path: str) -> str:
    """Return where a path of the owner's leads."""
    return os.path.abspath(os.path.expanduser(path))


def look(request: Request) -> dict[str, Any]:
    """Return what a directory has for the request, in the form that tasks register."""
    artifacts: dict[str, Any] = {}
    problem = request.problem()
    findings = [problem] if problem else []
    if request.directory and not problem:
        artifacts, findings = judge(request, survey(request))
    return {
        "directory": request.directory,
        "version": request.version,
        "artifacts": artifacts,
        "findings": [each.to_dict() for each in findings],
    }


def survey(request: Request) -> Survey:
    """Return what lies in the directory; what cannot be read is told, not raised."""
    try:
        present = set(os.listdir(request.directory))
    except OSError as error:
        return Survey({}, {}, error=f"{request.directory}: {error.strerror}")
    files, listed = {}, {}
    for architecture in request.names():
        wanted = [BINARIES[architecture]]
        if request.images:
            # k3s would import each of them: one is enough, and the first is the smallest.
            wanted += [x for x in image_names(architecture) if x in present][:1]
        for name in wanted:
            if name in present:
                files[name] = seen_file(os.path.join(request.directory, name))
        listed[architecture] = listed_in(request.directory, architecture)
    return Survey(files, listed, tuple(seen_file(each) for each in request.archives))


def listed_in(directory: str, architecture: str) -> dict[str, str]:
    """Return the digests of the release's checksum file, none where it cannot be read."""
    path = os.path.join(directory, checksum_name(architecture))
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return parse_checksums(file.read())
    except OSError:
        return {}


def seen_file(path: str) -> SeenFile:
    """Return a file's digest, or why it has none."""
    try:
        content = read_content(path)
    except OSError as error:
        return SeenFile(path, error=error.strerror or str(error))
    return SeenFile(path, content.sha256, content.size, content.versions)
