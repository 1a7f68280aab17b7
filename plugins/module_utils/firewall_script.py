# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What loads our packet-filter rules, now and at each boot: a script and its systemd unit.

Pure. The same script is run when rules change, at boot, and whenever the owner's own firewall
service is reloaded or restarted, since that may flush what is not its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    firewall_iptables,
    firewall_nft,
)

SCRIPT = "/etc/rackforge/firewall.sh"
UNIT_NAME = "rackforge-firewall.service"
UNIT = f"/etc/systemd/system/{UNIT_NAME}"

#: Services that load the rules that the owner wrote.
OWNERS = ("nftables.service", "netfilter-persistent.service", "iptables.service")

#: The shell writes here-documents into temporary files, and before this / may not be writable.
FILES = "local-fs.target"

#: What brings the network up. All are named, since to want network-pre.target alone is to start it.
NETWORKS = (
    "network-pre.target",
    "systemd-networkd.service",
    "NetworkManager.service",
    "networking.service",
)


@dataclass(frozen=True)
class Part:
    """Some rules: the input of a program, and the commands that lead packets to them."""

    program: str
    text: str
    jumps: tuple[str, ...] = ()


def nft_table(text: str) -> Part:
    """Return the part of the closing table."""
    return Part("nft -f -", text)


def nft_chain(place: firewall_nft.Chain, text: str) -> Part:
    """Return the part of our chain in the table of the owner's chain ``place``."""
    comment = f'\\"{firewall_nft.COMMENT}\\"'
    jump = f"insert rule {place.place} jump {firewall_nft.NAME} comment {comment}"
    look = f"nft list chain {place.place} | grep -q 'jump {firewall_nft.NAME}'"
    return Part("nft -f -", text, (f'{look} || nft "{jump}"',))


def iptables_chain(program: str, text: str) -> Part:
    """Return the part of our chain for ``iptables`` or one of its kin."""
    jump = " ".join(firewall_iptables.JUMP)
    command = f"{program} -C INPUT {jump} 2>/dev/null || {program} -I INPUT {jump}"
    return Part(f"{program}-restore --noflush", text, (command,))


def script(parts: Sequence[Part]) -> str:
    """Return the script that loads all parts; empty without any."""
    if not parts:
        return ""
    lines = ["#!/bin/sh", "# Managed by rackforge.gpu_cluster", "set -eu"]
    for part in parts:
        lines += [f"{part.program} <<'END'", part.text.rstrip("\n"), "END", *part.jumps]
    return "\n".join(lines) + "\n"


def unit() -> str:
    """Return the unit that runs the script before the network is up."""
    owners, networks = " ".join(OWNERS), " ".join(NETWORKS)
    return f"""# Managed by rackforge.gpu_cluster
[Unit]
Description=Packet filter rules of rackforge.gpu_cluster
DefaultDependencies=no
Before={networks} shutdown.target
Conflicts=shutdown.target
After={FILES} {owners}
PartOf={owners}
ReloadPropagatedFrom={owners}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh {SCRIPT}
ExecReload=/bin/sh {SCRIPT}

[Install]
WantedBy=multi-user.target
"""
