# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the control node sees of the nodes: whoever runs the playbook may be outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
    join_names,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_blocks import Kind
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_faults import (
    Fault,
    Plan,
    find_faults,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_fix import fix_for
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_groups import (
    Group,
    group_faults,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_nodes import (
    NO_VIEW,
    NodeView,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_words import (
    MEANINGS,
    services_text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    Listener,
    ProbeReport,
    Verdict,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    CONTROL_NODE,
)

_DASHBOARD = "ray-dashboard"


def judge_control(
    report: ProbeReport,
    plan: Plan,
    nodes: Mapping[str, NodeView],
    explained: Set[str],
) -> list[Finding]:
    """Return what the control node cannot reach, but for nodes that a finding explains already.

    Nothing at all on any node means that it stands outside of the cluster network, which is fine.
    """
    tried = {pair.destination for pair in report.pairs if pair.tcp or pair.udp} - explained
    faults = [
        fault
        for fault in find_faults({CONTROL_NODE: report}, plan)
        if fault.destination in tried and fault.verdict is not Verdict.TRANSLATED
    ]
    if not faults:
        return []
    closed = {fault.destination for fault in faults if fault.whole}
    if closed == tried and all(fault.whole for fault in faults):
        return [_outside(plan, sorted(tried))]
    named = [replace(fault, whole=False) for fault in faults]
    return _closed(named, tried, plan, nodes)


def _closed(
    faults: Sequence[Fault], tried: Set[str], plan: Plan, nodes: Mapping[str, NodeView]
) -> list[Finding]:
    pairs = {(CONTROL_NODE, name) for name in tried}
    return [_finding(group, nodes) for group in group_faults(faults, pairs, plan, nodes)]


def _finding(group: Group, nodes: Mapping[str, NodeView]) -> Finding:
    names = group.block.destinations
    view, ports = nodes.get(names[0], NO_VIEW), services_text(group.items)
    at_nodes = replace(group, block=replace(group.block, kind=Kind.SOME))
    opens = all(nodes.get(name, NO_VIEW).provision_opens for name in names)
    return Finding(
        severity=Severity.WARNING,
        code="control-port-closed",
        host=names[0] if len(names) == 1 else CONTROL_NODE,
        message=f"The control node does not reach {join_names(names)} at {ports}.",
        seen=MEANINGS[group.verdict],
        expected=f"{view.address or names[0]} open for the machine that runs the playbooks",
        fix="ansible-playbook -i inv.ini provision.yml" if opens else fix_for(at_nodes, nodes),
    )


def _outside(plan: Plan, names: Sequence[str]) -> Finding:
    """Return the note, with the line that brings the dashboard to the control node."""
    rows = [
        each
        for name in names
        for each in plan.services(CONTROL_NODE, name)
        if each.ports.isdigit() and each.protocol == "tcp"
    ]
    rows.sort(key=lambda each: each.service != _DASHBOARD)
    return Finding(
        severity=Severity.NOTE,
        code="control-node-outside",
        host=CONTROL_NODE,
        message=(
            "The control node reaches no node at the ports that are meant for it, as is usual"
            " outside of the cluster network."
        ),
        seen=f"{join_names(names)}: no port works",
        expected="nothing, if you reach dashboard and metrics another way",
        fix=_tunnel(rows[0]) if rows else "",
    )


def _tunnel(row: Listener) -> str:
    return f"ssh -N -L {row.ports}:{row.address}:{row.ports} {row.host}"
