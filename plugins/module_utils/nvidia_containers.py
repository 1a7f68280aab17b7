# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The description of a node's NVIDIA GPUs for containers (Container Device Interface)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import HEADER

#: Where NVIDIA's own units write it, from container toolkit 1.18 on. It is gone after a boot.
SPEC = "/var/run/cdi/nvidia.yaml"
#: The toolkit's own unit that makes it anew when the driver changes and at every boot, from 1.18.
REFRESH_PATH = "nvidia-cdi-refresh.path"
REFRESH = "nvidia-cdi-refresh.service"
#: Ours, for toolkits without that one.
OWN_UNIT = "rackforge-nvidia-cdi.service"
OWN_UNIT_FILE = f"/etc/systemd/system/{OWN_UNIT}"
OWN_UNIT_TEXT = f"""{HEADER}[Unit]
Description=Describe the NVIDIA GPUs for containers
After=nvidia-persistenced.service
Before=docker.service containerd.service
ConditionPathExists=/usr/bin/nvidia-ctk

[Service]
Type=oneshot
ExecStart=/usr/bin/nvidia-ctk cdi generate --output={SPEC}
RemainAfterExit=yes

[Install]
WantedBy=multi-user.target
"""

_DEVICE = re.compile(r"""^\s*(?:-\s+)?"?name"?:\s*["']?([\w:.-]+)["']?,?\s*$""", re.MULTILINE)
_LIBRARY = re.compile(r"\.so\.(\d{3}\.\d+(?:\.\d+)?)\b")


@dataclass(frozen=True)
class Described:
    """What a description says: names of devices, versions of the libraries that it hands in."""

    devices: frozenset[str] = frozenset()
    versions: frozenset[str] = frozenset()


def parse_spec(text: Optional[str]) -> Described:
    """Return what a description in YAML or JSON says; nothing for what is none.

    Only what can be out of date is compared. How it is written depends on the toolkit's settings.
    """
    found = text or ""
    return Described(frozenset(_DEVICE.findall(found)), frozenset(_LIBRARY.findall(found)))


def is_out_of_date(present: Optional[str], fresh: str) -> bool:
    """Return whether the description on the node is not that of its GPUs and driver now."""
    return parse_spec(present) != parse_spec(fresh)
