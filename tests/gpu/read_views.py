# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what NVML and nvidia-smi answer through the collection's own readers, as JSON."""

from __future__ import annotations

import json
import subprocess
import sys

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import to_plain
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_smi import parse_smi_xml
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvml import read_nvml


def main() -> None:
    """Write one object with a view of each reader."""
    ended = subprocess.run(["nvidia-smi", "-q", "-x"], capture_output=True, check=False)
    said = (ended.stdout + b"\n" + ended.stderr).decode("utf-8", "replace")
    views = {"nvml": read_nvml(), "nvidia-smi": parse_smi_xml(said)}
    json.dump(to_plain(views), sys.stdout, indent=2)


if __name__ == "__main__":
    main()
