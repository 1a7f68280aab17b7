# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes that several modules have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """What Ansible loads."""

    READ_ONLY = r"""
attributes:
  check_mode:
    support: full
    description: Only reads, so it does the same in check mode.
  diff_mode:
    support: N/A
    description: Changes nothing, so there is nothing to compare.
  idempotent:
    support: N/A
    description: Changes nothing.
"""
