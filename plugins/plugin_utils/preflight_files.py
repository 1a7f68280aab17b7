# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes preflight.json and report.html on the control node."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.preflight_document import (
    dump_document,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_page import render_page
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.whole_file import (
    replace_file,
)

DOCUMENT = "preflight.json"
PAGE = "report.html"


def write_report(directory: str, document: Mapping[str, Any]) -> Path:
    """Write both files into ``directory``, made where it is missing, and return the page's path.

    A reader sees the former file or the new one, never half of one. OSError when they cannot be
    written.
    """
    folder = Path(directory).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    text, page = dump_document(document), render_page(document)
    replace_file(folder / DOCUMENT, text)
    replace_file(folder / PAGE, page)
    return folder / PAGE
