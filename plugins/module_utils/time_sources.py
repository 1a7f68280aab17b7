# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which program keeps a node's clock, and how it is told of time servers."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.marked_block import with_lines
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import HEADER

TIMESYNCD = "systemd-timesyncd.service"
CHRONY_DROPIN = "/etc/chrony/sources.d/60-rackforge.sources"
TIMESYNCD_DROPIN = "/etc/systemd/timesyncd.conf.d/60-rackforge.conf"
#: chrony's configuration and unit, as Debian's and Red Hat's families have them.
CHRONY = {"/etc/chrony/chrony.conf": "chrony.service", "/etc/chrony.conf": "chronyd.service"}
_OWNER = "os_base"


class TimeSourceError(ValueError):
    """The time servers cannot be given to the node."""


@dataclass(frozen=True)
class Client:
    """The program, the file through which it is told, and the text of that file."""

    name: str
    unit: str
    path: str
    block: bool


def check_servers(servers: Sequence[str]) -> None:
    """Raise TimeSourceError for what is neither a name nor an address."""
    for server in servers:
        if not re.fullmatch(r"[A-Za-z0-9:]([A-Za-z0-9.:-]*[A-Za-z0-9:])?", server):
            raise TimeSourceError(
                f"os_base_ntp_servers has '{server}', expected a name or an address such as "
                f"ntp.lab.example; nothing was changed"
            )


def find_client(
    chronyd: bool, configs: Mapping[str, str], timesyncd: bool, others: Sequence[str]
) -> Optional[Client]:
    """Return the program that keeps the clock, None when the node has none.

    ``configs`` are the texts of chrony's configuration files that exist, ``others`` the programs
    for time that this does not know how to tell.
    """
    if chronyd and configs:
        path, text = next(iter(configs.items()))
        dropin = _reads_sources(text)
        return Client("chrony", CHRONY[path], CHRONY_DROPIN if dropin else path, block=not dropin)
    if others:
        raise TimeSourceError(
            f"os_base_ntp_servers is set, but this node's clock is kept by {', '.join(others)}; "
            f"expected chrony, systemd-timesyncd or nothing. Give it the servers yourself and "
            f"empty os_base_ntp_servers, or remove it"
        )
    if timesyncd:
        return Client("systemd-timesyncd", TIMESYNCD, TIMESYNCD_DROPIN, block=False)
    return None


def _reads_sources(config: str) -> bool:
    """Return whether chrony reads the folder in which its Debian package expects sources."""
    folders = re.findall(r"^\s*sourcedir\s+(\S+?)/?\s*$", config, re.MULTILINE)
    return posixpath.dirname(CHRONY_DROPIN) in folders


def render(client: Client, text: str, servers: Sequence[str]) -> str:
    """Return the text of the client's file; ``text`` is what it has now."""
    sources = [f"server {server} iburst prefer" for server in servers]
    if client.name == "systemd-timesyncd":
        return f"{HEADER}[Time]\nNTP=\nNTP={' '.join(servers)}\n"
    if client.block:
        return with_lines(text, _OWNER, sources)
    return HEADER + "".join(f"{line}\n" for line in sources)
