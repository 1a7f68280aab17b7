# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cluster on one lab, and its status as a user and a program see it."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]

from tests.lab.paths import ROOT
from tests.testinfra.lifecycle.support import Cluster, Played, Running


@dataclass(frozen=True)
class Seen:
    """One run of status.yml: what it printed and what it wrote."""

    played: Played
    document: dict[str, Any]
    page: str

    @property
    def verdict(self) -> tuple[str, str, int]:
        """State, health and the exit status of the run."""
        return (self.document["state"], self.document["health"], self.played.rc)

    @property
    def history(self) -> list[tuple[str, str]]:
        """Name and result of each operation on record, the newest first."""
        return [(each["operation"], each["result"]) for each in self.document["operations"]]


@dataclass(frozen=True)
class Desk:
    """The control node."""

    cluster: Cluster

    @property
    def record(self) -> Path:
        """The cluster's record."""
        return self.cluster.directory / "state" / f"{self.cluster.lab}.json"

    def status(self, *options: str) -> Seen:
        """Return how the cluster stands; the document keeps its schema."""
        files = [self.cluster.directory / f"status.{kind}" for kind in ("json", "html")]
        for file in files:
            file.unlink(missing_ok=True)
        wishes = ("-e", f"status_file={files[0]}", "-e", f"status_report={files[1]}")
        played = self.cluster.play("status.yml", *wishes, *options)
        document: dict[str, Any] = json.loads(files[0].read_text(encoding="utf-8"))
        schema = json.loads((ROOT / "docs/status-schema.json").read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator(schema).validate(document)
        return Seen(played, document, html.unescape(files[1].read_text(encoding="utf-8")))

    def known(self) -> dict[str, Any]:
        """Return what is on record."""
        record: dict[str, Any] = json.loads(self.record.read_text(encoding="utf-8"))
        return record

    def lock_is_held(self, by: Running) -> bool | None:
        """Return True once a run has changed or is about to change nodes; None before."""
        try:
            last = self.known()["operations"][-1]
        except (OSError, ValueError):
            return None  # The run has not replaced a record that is missing or broken yet.
        mine = last["process"]["pid"] == by.process.pid
        return True if mine and last["phase"] == "changes" else None
