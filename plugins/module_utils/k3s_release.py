# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node lacks of a release of k3s, and what on it is in the way or too much.

Nothing here reads or writes anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_paths import (
    BINARY,
    DATA_DIR,
    IMAGES_DIR,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_releases import BINARIES

#: What this collection brought, so that it knows what to take away. Not within IMAGES_DIR, whose
#: files k3s tries to import.
RECORD = f"{DATA_DIR}/agent/rackforge-release.json"
#: Where a program of the distribution or of the owner would lie; one there is not hidden by ours.
PROGRAM_DIRS = ("/usr/local/sbin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/snap/bin")


@dataclass(frozen=True)
class Wanted:
    """A file as it is to be on the node. ``size`` is None while nobody knows it."""

    name: str
    path: str
    sha256: str
    size: Optional[int]
    mode: int


@dataclass(frozen=True)
class Record:
    """What was brought before: the version, and digests by path."""

    version: str = ""
    files: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """Return what ``parse_record`` reads."""
        return json.dumps({"version": self.version, "files": dict(self.files)}, indent=1) + "\n"


@dataclass(frozen=True)
class LinkSeen:
    """A name by which k3s can be called, as it is: where it leads, or what else is there."""

    path: str
    target: Optional[str] = None
    other: bool = False
    elsewhere: str = ""


@dataclass(frozen=True)
class Plan:
    """What is to be done on a node."""

    place: tuple[Wanted, ...] = ()
    modes: tuple[Wanted, ...] = ()
    remove: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    record: Record = field(default_factory=Record)
    before: Record = field(default_factory=Record)

    @property
    def changed(self) -> bool:
        """Return whether anything is to be done."""
        due = self.place or self.modes or self.remove or self.link
        return bool(due) or self.record != self.before


def parse_record(text: Optional[str]) -> Record:
    """Return what was brought before; an unreadable record counts as none."""
    try:
        values = json.loads(text or "{}")
        files = {str(path): str(digest) for path, digest in values.get("files", {}).items()}
        return Record(str(values.get("version", "")), files)
    except (ValueError, AttributeError):
        return Record()


def wanted_files(artifact: Mapping[str, Any]) -> list[Wanted]:
    """Return the node's files for the artifacts of its architecture, the binary last."""
    found = [
        Wanted(x["name"], f"{IMAGES_DIR}/{x['name']}", x["sha256"], int(x["size"]), 0o644)
        for x in artifact["images"]
    ]
    binary = artifact["binary"]
    return [*found, Wanted(binary["name"], BINARY, binary["sha256"], int(binary["size"]), 0o755)]


def doubled_names(artifact: Mapping[str, Any]) -> list[str]:
    """Return names that several archives of images have; on the node they would be one file."""
    names = [str(each["name"]) for each in artifact["images"]]
    return sorted({name for name in names if names.count(name) > 1 or name in BINARIES.values()})


def plan_release(
    version: str,
    wanted: Sequence[Wanted],
    seen: Mapping[str, tuple[Optional[str], int]],
    links: Iterable[LinkSeen],
    before: Record,
) -> Plan:
    """Return what is to be done. ``seen`` has digest and mode by path, no digest for no file."""
    paths = {each.path for each in wanted}
    differing = [each for each in wanted if seen.get(each.path, (None, 0))[0] != each.sha256]
    rows = list(links)
    stale = [
        path
        for path in before.files
        if path not in paths and path != BINARY and seen.get(path, (None, 0))[0] is not None
    ]
    return Plan(
        place=tuple(differing),
        modes=tuple(x for x in wanted if x not in differing and seen[x.path][1] != x.mode),
        remove=tuple(sorted(stale)),
        link=tuple(x.path for x in rows if x.target is None and not x.other and not x.elsewhere),
        left=tuple(_words(x) for x in rows if x.other or (x.elsewhere and x.target is None)),
        record=Record(version, {each.path: each.sha256 for each in wanted}),
        before=before,
    )


def link_seen(path: str, target: Optional[str], exists: bool, elsewhere: str) -> LinkSeen:
    """Return a name as it is; a link that leads to k3s is ours or as good as ours."""
    if target in ("k3s", BINARY):
        return LinkSeen(path, target)
    return LinkSeen(path, other=exists, elsewhere=elsewhere)


def _words(link: LinkSeen) -> str:
    return link.path if link.other else link.elsewhere


def too_large(needed: int, directory: str, free: int) -> str:
    """Return why a directory cannot take ``needed`` bytes, nothing when it can."""
    if needed <= free:
        return ""
    return (
        f"{directory} has {_mib(free)} free, expected {_mib(needed)} for the release of k3s; make "
        f"room there (df -h {directory}), then run the same command again. Nothing was changed"
    )


def needs_by_directory(plan: Plan) -> dict[str, int]:
    """Return the bytes that are written to each directory; a file is replaced after it has come."""
    found: dict[str, int] = {}
    for each in plan.place:
        directory = each.path.rpartition("/")[0]
        found[directory] = found.get(directory, 0) + (each.size or 0)
    return found


def not_replaced(version: str, running: str, joined: bool) -> str:
    """Return why the release of a node that has joined a cluster stays, nothing where it need not.

    ``running`` is empty for a binary whose version is not known: it is damaged, and made good.
    """
    if not joined or running in ("", version):
        return ""
    return (
        f"the node runs {running} in a cluster, and another version is only brought once its pods "
        "have been moved away; run playbooks/k3s_upgrade.yml, or set k3s_version back to "
        f"{running}. Nothing was changed"
    )


def difference(plan: Plan, version_before: str) -> dict[str, str]:
    """Return both sides of a diff: versions, and the files that come and go."""
    come = {each.path: each.sha256 for each in plan.place}
    gone = {each: plan.before.files.get(each, "") for each in (*come, *plan.remove)}
    links = [f"{path} -> k3s\n" for path in plan.link]
    return {
        "before": _side(version_before, {k: v for k, v in gone.items() if v}),
        "after": _side(plan.record.version, come) + "".join(links),
    }


def _side(version: str, files: Mapping[str, str]) -> str:
    rows = [f"{path} sha256:{digest or 'unknown'}\n" for path, digest in sorted(files.items())]
    return f"k3s {version or 'none'}\n" + "".join(rows)


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"
