# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for k3s' releases: see README.md."""

from __future__ import annotations

from tests.lab.k3s.releases import checksums, inputs, release

__all__ = ["checksums", "inputs", "release"]
