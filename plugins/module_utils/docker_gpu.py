# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Docker Engine of a certain release must be told, so that containers get GPUs."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

#: Release that brought the Container Device Interface, and the one from which it is on by itself
#: (release notes of Docker Engine 25.0 and 28.2).
CDI_FROM = (25, 0)
CDI_ON_FROM = (28, 2)


def _release(version: str) -> tuple[int, int]:
    found = re.match(r"v?(\d{1,4})\.(\d{1,4})", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def wants_cdi(settings: Mapping[str, Any]) -> bool:
    """Return whether the settings ask for the Container Device Interface."""
    features = settings.get("features")
    return isinstance(features, Mapping) and features.get("cdi") is True


def engine_problem(settings: Mapping[str, Any], info: Mapping[str, Any], active: bool) -> str:
    """Return why the engine cannot have the settings, an empty text when it can.

    ``info`` is what ``docker info`` told, nothing when the engine did not answer.
    """
    version = str(info.get("ServerVersion") or "")
    if not version:
        seen = "docker.service runs, but does not answer" if active else "no engine that runs"
        return (
            f"Docker Engine: saw {seen}, expected one that answers. Nothing was changed; see "
            "'systemctl status docker.service' on this node, or have the engine installed first"
        )
    if wants_cdi(settings) and _release(version) < CDI_FROM:
        return (
            f"Docker Engine is {version}, expected 25.0 or newer for CDI devices. Nothing was "
            "changed; set nvidia_container_mode=legacy for this node (a runtime named nvidia), or "
            "bring a newer engine (docker_source=repository)"
        )
    return ""


def needed_settings(
    settings: Mapping[str, Any], present: Mapping[str, Any], version: str
) -> dict[str, Any]:
    """Return the settings that must stand in daemon.json, without what the release does anyway."""
    needed: dict[str, Any] = copy.deepcopy(dict(settings))
    features = present.get("features")
    said = isinstance(features, Mapping) and "cdi" in features
    if wants_cdi(settings) and _release(version) >= CDI_ON_FROM and not said:
        needed["features"].pop("cdi")
        if not needed["features"]:
            needed.pop("features")
    return needed
