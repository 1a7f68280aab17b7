# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the stand-in's archive and print its SHA-256 digest."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.lab.grafana.build import build

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("folder", type=Path, help="where the archive is written")
parser.add_argument("--version", default="13.2.3", help="what it says it is")
given = parser.parse_args()
archive, digest = build(given.folder, given.version)
print(f"{archive} {digest}")
