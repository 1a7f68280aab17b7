# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html: one file for a browser or a printer, made from the document of a run."""

from __future__ import annotations

from collections.abc import Mapping
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
    plain,
    text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_mesh import (
    mesh_section,
    pack_mesh,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_skeleton import (
    Heading,
    asset,
    render_skeleton,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_tables import (
    gpu_section,
    node_section,
    tested_section,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_topology import topology

_HEADLINES = {"clean": "Ready", "warnings": "Ready, with warnings", "errors": "Not ready"}


def render_page(document: Mapping[str, Any]) -> str:
    """Return the whole page of a document; it refers to nothing outside itself."""
    outcome = document["exit"]
    cluster = plain(document["cluster_name"] or "GPU cluster")
    heading = Heading(
        kind="Preflight report",
        title=f"{_HEADLINES[outcome]}: preflight of {cluster}",
        outcome=outcome,
        name=cluster,
        headline=_HEADLINES[outcome],
        sentence=sentence(document),
        counts=count_links(document),
        counts_label="Findings by severity",
        when=_when(document),
        skip="findings",
        skip_words="Skip to the findings",
    )
    main = Template(asset("report.html")).substitute(
        topology=topology(document),
        findings=findings_section(document),
        mesh=mesh_section(document),
        gpus=gpu_section(document),
        nodes=node_section(document),
        tested=tested_section(document),
    )
    footer = f"{document['tool']['name']} {document['tool']['version']}".strip()
    mesh = pack_mesh(document["mesh"])
    return render_skeleton(heading, main, footer, script=asset("report.js"), data=mesh)


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
