# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files of scrape targets a monitoring host is to have.

Nothing here reads or writes anything. Each job has a directory, and in it one file for each host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

ENDING = ".json"


class ScrapeTargetsError(ValueError):
    """Targets that cannot be written, and what is expected."""


@dataclass(frozen=True)
class Plan:
    """Texts of files to write and paths of files to remove, both below the directory."""

    write: Mapping[str, str]
    remove: tuple[str, ...]


def wanted_files(targets: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the texts of the files, by path below the directory."""
    found = {}
    for host, jobs in targets.items():
        _check_name("host", host)
        for job, groups in jobs.items():
            _check_name("job", job)
            entries = [_entry(host, job, group) for group in groups]
            if entries:
                found[f"{job}/{host}{ENDING}"] = (
                    json.dumps(entries, indent=1, sort_keys=True) + "\n"
                )
    return found


def plan_targets(
    targets: Mapping[str, Mapping[str, Any]], keep: Iterable[str], present: Mapping[str, str]
) -> Plan:
    """Return what is to be done. ``present`` has the texts of the files that are there.

    Files of hosts in ``targets`` become what is wanted, files of hosts in ``keep`` stay as they are
    and all others go: their hosts have left the inventory.
    """
    wanted, kept = wanted_files(targets), set(keep) - set(targets)
    return Plan(
        write={path: text for path, text in wanted.items() if present.get(path) != text},
        remove=tuple(
            sorted(path for path in present if path not in wanted and host_of(path) not in kept)
        ),
    )


def host_of(path: str) -> str:
    """Return the host that a file is about."""
    return path.rpartition("/")[2][: -len(ENDING)]


def jobs_of(targets: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the jobs that have targets."""
    return sorted({path.split("/")[0] for path in wanted_files(targets)})


def _check_name(kind: str, name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ScrapeTargetsError(
            f"{kind} '{name}' cannot be the name of a file, expected letters, digits and . _ - only"
        )


def _entry(host: str, job: str, group: Mapping[str, Any]) -> dict[str, Any]:
    targets, labels = group.get("targets"), group.get("labels") or {}
    if not isinstance(targets, list) or not targets:
        raise ScrapeTargetsError(
            f"targets of {host}, job {job}: saw {targets!r}, expected a list of address:port"
        )
    for target in targets:
        if not re.fullmatch(r"[^\s/]+:\d{1,5}", str(target)):
            raise ScrapeTargetsError(
                f"targets of {host}, job {job}: saw '{target}', expected address:port"
            )
    texts = {str(name): str(value) for name, value in labels.items()}
    return {"targets": [str(each) for each in targets], "labels": texts}
