# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which releases of Ray a node has: the one that its unit starts, and those kept from before."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Optional

CONTAINER = "container"
VENV = "venv"

_VENV_START = re.compile(r"^ExecStart=(/\S+)/bin/ray start\b", re.MULTILINE)
_IMAGE_START = re.compile(r"^ +(\S+) ray start\b", re.MULTILINE)


@dataclass(frozen=True)
class Release:
    """A release as it lies on a node: ``place`` is its environment's directory or its image."""

    version: str
    runtime: str
    place: str


@dataclass(frozen=True)
class Kept:
    """What a node keeps besides the release that its unit starts.

    ``previous`` is what a rollback goes back to, ``left`` what the next upgrade removes. During and
    after a rollback ``previous`` is the release that runs.
    """

    previous: Optional[Release] = None
    left: tuple[Release, ...] = ()

    def text(self) -> str:
        """Return what ``parse_kept`` reads."""
        return json.dumps(asdict(self), indent=1) + "\n"


def release_in_unit(text: str, running: str) -> Optional[Release]:
    """Return the release that the text of ray.service starts, None for a unit of another make.

    ``running`` is the version of the Ray that runs, empty where none does; the name of an
    environment or the tag of an image then stands for it.
    """
    venv = _VENV_START.search(text)
    if venv:
        return Release(running or os.path.basename(venv[1]), VENV, venv[1])
    image = _IMAGE_START.search(text) if "docker run" in text else None
    return Release(running or _tag(image[1]), CONTAINER, image[1]) if image else None


def _tag(image: str) -> str:
    """Return the tag of an image, nothing where it has none or a digest instead."""
    name, _colon, tag = image.rpartition(":")
    return tag if name and "/" not in tag and "@" not in name else ""


def parse_kept(text: Optional[str]) -> Kept:
    """Return what the record on the node says; an unreadable one counts as none."""
    try:
        data = json.loads(text or "{}")
        previous = data.get("previous")
        return Kept(
            previous=_release(previous) if previous else None,
            left=tuple(_release(row) for row in data.get("left") or ()),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return Kept()


def _release(row: Mapping[str, Any]) -> Release:
    return Release(str(row["version"]), str(row["runtime"]), str(row["place"]))


def switched(kept: Kept, now: Optional[Release], to: Release, back: bool) -> Kept:
    """Return what is kept once ``to`` has taken the place of ``now``.

    Asking again after an interruption gives the same. Going ``back`` keeps the newer release for
    the upgrade that tries again.
    """
    if now is None or now.place == to.place:
        return kept
    old = [kept.previous] if kept.previous else []
    if back:
        return Kept(to, _without([*kept.left, *old, now], to))
    return Kept(now, _without([*kept.left, *old], now, to))


def _without(releases: list[Release], *those: Release) -> tuple[Release, ...]:
    """Return the releases that lie elsewhere than ``those``, each place once."""
    places = {release.place for release in those}
    found = {each.place: each for each in releases if each.place not in places}
    return tuple(found.values())


def refusal(name: str, running: str, wanted: str, head: str) -> str:
    """Return why a node must not be brought to ``wanted`` outside an upgrade, or nothing.

    ``running`` is what runs on it, empty for nothing; ``head`` what the head that it joins is known
    to run, empty where that is not known or the node is the head itself.
    """
    if head and head != wanted:
        return (
            f"{name}: the head runs Ray {head}, and this node would get {wanted}; all nodes of a "
            f"cluster have one version. Set ray_version to {head}, or bring all to {wanted} "
            "with 'ansible-playbook -i <inventory> upgrade.yml'. Nothing was changed"
        )
    if running in ("", wanted) or head == wanted:
        return ""
    return (
        f"{name} runs Ray {running} in a cluster, and ray_version is {wanted}: all nodes change at "
        "once, which ends what runs on them. Run 'ansible-playbook -i <inventory> upgrade.yml', "
        f"which waits for jobs, or set ray_version back to {running}. Nothing was changed"
    )
