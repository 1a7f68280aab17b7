# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html: one file for a browser or a printer, made from the document of a run."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.preflight_document import (
    count,
    count_tested,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_findings import (
    count_links,
    findings_section,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_html import (
    CROSS,
    plain,
    text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_mesh import (
    mesh_section,
    pack_mesh,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_tables import (
    gpu_section,
    node_section,
    tested_section,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_topology import topology

ASSETS = Path(__file__).with_name("report")

_MARKS = {"clean": "✓", "warnings": "!", "errors": CROSS}
_HEADLINES = {"clean": "Ready", "warnings": "Ready, with warnings", "errors": "Not ready"}


def render_page(document: Mapping[str, Any]) -> str:
    """Return the whole page of a document; it refers to nothing outside itself."""
    style = _asset("report.css")
    script = _asset("report.js")
    cluster = plain(document["cluster_name"] or "GPU cluster")
    outcome = document["exit"]
    return Template(_asset("report.html")).substitute(
        policy=_policy(style, script),
        title=text(f"{_HEADLINES[outcome]}: preflight of {cluster}"),
        style=style,
        script=script,
        data=embedded(pack_mesh(document["mesh"])),
        exit=outcome,
        cluster=text(cluster),
        mark=_MARKS[outcome],
        headline=_HEADLINES[outcome],
        sentence=text(sentence(document)),
        counts=count_links(document),
        when=_when(document),
        topology=topology(document),
        findings=findings_section(document),
        mesh=mesh_section(document),
        gpus=gpu_section(document),
        nodes=node_section(document),
        tested=tested_section(document),
        footer=text(f"{document['tool']['name']} {document['tool']['version']}".strip()),
    )


def _asset(name: str) -> str:
    """Return the text of a file that belongs to the page."""
    return (ASSETS / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Return the page's content security policy: this style, this script, and nothing else."""
    return (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
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


def sentence(document: Mapping[str, Any]) -> str:
    """Return the verdict in a sentence or two."""
    counts = document["counts"]
    tested = count_tested(document)
    nodes = count(len(document["nodes"]), "node")
    if counts["error"]:
        said = f"{count(counts['error'], 'error')} to mend before anything is changed on {nodes}."
    elif counts["warning"]:
        said = (
            f"Nothing stops the run on {nodes}; {count(counts['warning'], 'warning')} to look at."
        )
    else:
        said = f"{nodes}, no problem found."
    return f"{said} {_paths(document) if tested.pairs else 'Ports were not tried.'}"


def _paths(document: Mapping[str, Any]) -> str:
    """Return how many of the paths work, in a sentence."""
    cells = [cell for cell in document["mesh"]["cells"] if cell.get("tested")]
    good = sum(cell["state"] == "good" for cell in cells)
    if good == len(cells):
        ports = count(sum(cell["tested"] for cell in cells), "port")
        return f"All {len(cells):,} paths are open ({ports} proven)."
    return f"{good:,} of {len(cells):,} paths are fully open."


def _when(document: Mapping[str, Any]) -> str:
    """Return when and from what the report was made."""
    finished = text(document["finished_at"])
    inventory = ", ".join(document["inventory"]) or "inventory"
    shown = finished.replace("T", " ").replace("Z", " UTC")
    profiles = ", ".join(document["profiles"])
    return f'<time datetime="{finished}">{shown}</time> · {text(inventory)} · {text(profiles)}'
