# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Becoming a member of a cluster that is there."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Optional, Protocol

from . import log
from .api import message_of
from .ha_client import Target, fetch_config, supervised
from .ha_members import Member
from .log import FatalError

#: Seconds between two tries to be let in (k3s: 5).
AGAIN_AFTER = 1.0


class JoinSettings(Protocol):
    """What a joining server must know."""

    @property
    def server_dir(self) -> Path:
        """Return the folder with db/."""

    @property
    def join(self) -> Optional[Target]:
        """Return the server to ask, None for the first."""

    @property
    def member(self) -> Member:
        """Return this server as the others are to know it."""

    @property
    def tls_ca(self) -> Path:
        """Return the cluster's authority."""

    @property
    def server_password(self) -> str:
        """Return the password of the server token."""

    @property
    def critical(self) -> Mapping[str, str]:
        """Return the flags that must be alike on all servers."""


def differing(own: Mapping[str, str], cluster: Mapping[str, str]) -> list[str]:
    """Return the flags that differ from the cluster's."""
    names = sorted(set(own) | set(cluster))
    return [name for name in names if own.get(name) != cluster.get(name)]


class Joiner:
    """Asks the cluster until it is let in."""

    def __init__(self, settings: JoinSettings, me: Member) -> None:
        self._settings = settings
        self._me = me

    def join(self, stop: threading.Event) -> None:
        """Return when this server is a learner; raise FatalError when it will never be."""
        self._check_flags()
        while not stop.is_set():
            refusal = self._ask()
            if refusal is None:
                return
            if "duplicate node name" in refusal:
                raise FatalError(f"etcd cluster join failed: {refusal}")
            log.info(f"Waiting for other members to finish joining etcd cluster: {refusal}")
            stop.wait(AGAIN_AFTER)

    def _server(self) -> Target:
        if self._settings.join is None:
            raise FatalError("no server to join")
        return self._settings.join

    def _check_flags(self) -> None:
        own = self._settings
        config = fetch_config(self._server(), "server", own.server_password, own.tls_ca)
        wrong = differing(own.critical, config.get("critical", {}))
        if wrong:
            text = "critical configuration value mismatch between servers"
            log.error(f"critical configuration mismatched: {', '.join(wrong)}")
            raise FatalError(f"failed to validate server configuration: {text}")

    def _ask(self) -> Optional[str]:
        body: dict[str, Any] = asdict(self._me)
        own = self._settings
        try:
            status, data = supervised(
                self._server(), "etcd/members", "server", own.server_password, own.tls_ca, body
            )
        except FatalError as exc:
            return str(exc)
        return None if status == 200 else message_of(data) or json.dumps(status)
