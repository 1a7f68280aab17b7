# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages for browsers and printers have in common: one file that refers to no other."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_html import (
    CROSS,
    text,
)

ASSETS = Path(__file__).with_name("report")

_MARKS = {"clean": "✓", "warnings": "!", "errors": CROSS}


@dataclass(frozen=True)
class Heading:
    """The top of a page. ``outcome``: clean, warnings or errors; ``counts``, ``when``: HTML.

    The other members are text as it came; ``skip`` is the element that a keyboard can go to at
    once.
    """

    kind: str
    title: str
    outcome: str
    name: str
    headline: str
    sentence: str
    counts: str
    counts_label: str
    when: str
    skip: str
    skip_words: str


def render_skeleton(
    heading: Heading, main: str, footer: str, script: str = "", data: Any = None
) -> str:
    """Return a whole page around the HTML of its sections.

    Its content security policy allows the page's own style and script, and nothing else. The
    script finds ``data`` as JSON in the element mesh-data.
    """
    style = asset("report.css")
    scripts = ""
    if script:
        scripts = (
            f'<script type="application/json" id="mesh-data">{embedded(data)}</script>\n'
            f"<script>{script}</script>\n"
        )
    return Template(asset("skeleton.html")).substitute(
        policy=_policy(style, script),
        title=text(heading.title),
        style=style,
        exit=heading.outcome,
        eyebrow=text(heading.kind),
        cluster=text(heading.name),
        mark=_MARKS[heading.outcome],
        headline=text(heading.headline),
        sentence=text(heading.sentence),
        counts=heading.counts,
        counts_label=text(heading.counts_label),
        when=heading.when,
        skip=heading.skip,
        skip_words=text(heading.skip_words),
        main=main,
        footer=text(footer),
        scripts=scripts,
    )


def asset(name: str) -> str:
    """Return the text of a file that belongs to the pages."""
    return (ASSETS / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Return the page's content security policy: this style, this script, and nothing else."""
    scripts = f"script-src {_digest(script)}; " if script else ""
    return (
        f"default-src 'none'; style-src {_digest(style)}; {scripts}"
        "base-uri 'none'; form-action 'none'"
    )


def _digest(content: str) -> str:
    """Return what a policy allows ``content`` by."""
    digest = hashlib.sha256(content.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def embedded(value: Any) -> str:
    """Return JSON that can stand in a script element: nothing in it ends the element."""
    dumped = json.dumps(value, separators=(",", ":"))
    return dumped.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
