#!/usr/bin/python3
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for nvidia-cdi-hook, for test nodes: update-ldcache, as a createContainer hook."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

if "--version" in sys.argv:
    sys.exit(print("nvidia-cdi-hook: a stand-in for test nodes, made by tests/lab/gpu"))
bundle = Path(json.load(sys.stdin)["bundle"])
root = Path(json.loads((bundle / "config.json").read_text())["root"]["path"])
root = root if root.is_absolute() else bundle / root
folder = sys.argv[sys.argv.index("--folder") + 1]
# ldconfig also makes the short name of each library, by which programs open it.
subprocess.run(["ldconfig", "-r", str(root), folder], check=False, stderr=subprocess.DEVNULL)
