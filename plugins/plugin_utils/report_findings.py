# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The findings in the report: counts, filters, and one entry for each group of findings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Group,
    finding_from_dict,
    group_findings,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_html import (
    CROSS,
    DASH,
    plain,
    text,
)

_WORDS = {
    "error": (CROSS, "error", "errors"),
    "warning": ("!", "warning", "warnings"),
    "note": ("i", "note", "notes"),
    "ignored": (DASH, "ignored", "ignored"),
}


def count_links(document: Mapping[str, Any]) -> str:
    """Return a link for each kind of finding that there is; a script makes them filters."""
    counts = document["counts"]
    parts = [
        f'<a class="pill {kind}" href="#findings" data-severity="{kind}">'
        f"{_counted(kind, counts)}</a>"
        for kind in _WORDS
        if counts[kind]
    ]
    return "".join(parts) or '<span class="pill">No findings</span>'


def _counted(kind: str, counts: Mapping[str, int]) -> str:
    """Return a mark and "2 errors"."""
    glyph, one, many = _WORDS[kind]
    number = counts[kind]
    return f'<span aria-hidden="true">{glyph}</span>{number} {one if number == 1 else many}'


def findings_section(document: Mapping[str, Any]) -> str:
    """Return the section: filters, then the entries."""
    entries = [
        *_entries(document["findings"], ignored=False),
        *_entries(document["findings"], ignored=True),
    ]
    if not entries:
        return '<p class="card empty">Nothing to mend and nothing to mention.</p>'
    return f"{_tools(document)}{''.join(entries)}"


def _tools(document: Mapping[str, Any]) -> str:
    """Return the filters, hidden until a script can work them."""
    buttons = "".join(
        f'<button type="button" class="pill {kind}" aria-pressed="true" data-severity="{kind}">'
        f"{_counted(kind, document['counts'])}</button>"
        for kind in _WORDS
        if document["counts"][kind]
    )
    names = sorted({each["host"] for each in document["findings"]})
    hosts = "".join(f'<option value="{text(name)}">{text(name)}</option>' for name in names)
    return (
        '<div class="tools" id="tools" role="group" aria-label="Filter the findings" hidden>'
        f"{buttons}"
        f'<select id="filter-host" aria-label="Host"><option value="">Every host</option>{hosts}'
        '</select><input id="filter-text" type="search" placeholder="Search" '
        'aria-label="Words in the findings"><span class="shown" id="shown" role="status"></span>'
        "</div>"
    )


def _entries(findings: Iterable[Mapping[str, Any]], ignored: bool) -> Iterator[str]:
    """Yield an entry for each group."""
    wanted: list[Finding] = [
        finding_from_dict(each) for each in findings if each["ignored"] is ignored
    ]
    for group in group_findings(wanted):
        yield _entry(group, "ignored" if ignored else group.first.severity.value)


def _entry(group: Group, kind: str) -> str:
    """Return one entry."""
    finding = group.first
    hosts = json.dumps([plain(host) for host in group.hosts])
    glyph, word, _many = _WORDS[kind]
    variable = (
        f'<span class="soft mono">{text(finding.variable)}</span>' if finding.variable else ""
    )
    items = "".join(f"<li>{text(host)}</li>" for host in group.hosts)
    facts = [("Seen", group.seen()), ("Expected", group.expected)]
    rows = "".join(f"<dt>{name}</dt><dd>{text(value)}</dd>" for name, value in facts if value)
    details = f'<dl class="facts">{rows}</dl>' if rows else ""
    return (
        f'<article class="card finding {kind}" data-severity="{kind}" data-hosts="{text(hosts)}">'
        f'<h3><span class="badge {kind}"><span aria-hidden="true">{glyph}</span> {word}</span>'
        f"<code>{text(finding.code)}</code>{variable}</h3>"
        f'<p class="message">{text(group.message)}</p><ul class="hosts" aria-label="Hosts">{items}'
        f"</ul>{details}{''.join(_fix(fix) for fix in group.fixes())}</article>"
    )


def _fix(fix: str) -> str:
    """Return a line to type."""
    return f'<div class="fix"><span class="label">Fix</span><code>{text(fix)}</code></div>'
