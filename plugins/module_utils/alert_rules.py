# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alert rules as Prometheus and vmalert read them, and the table of them for documents."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.alert_model import (
    NODE,
    Alert,
    Thresholds,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.alert_rules_gpu import (
    gpu_alerts,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.alert_rules_node import (
    node_alerts,
)


def alerts(numbers: Thresholds) -> list[Alert]:
    """Return all alerts."""
    return [*node_alerts(numbers), *gpu_alerts(numbers)]


def rule_groups(numbers: Thresholds) -> dict[str, Any]:
    """Return the content of a file of rules."""
    groups = {"nodes": node_alerts(numbers), "gpus": gpu_alerts(numbers)}
    return {
        "groups": [
            {"name": name, "rules": [_rule(alert, numbers) for alert in found]}
            for name, found in groups.items()
        ]
    }


def _rule(alert: Alert, numbers: Thresholds) -> dict[str, Any]:
    rule: dict[str, Any] = {"alert": alert.name, "expr": alert.expression}
    if alert.hold and numbers.hold_seconds:
        rule["for"] = f"{numbers.hold_seconds}s"
    return {
        **rule,
        "labels": {"severity": alert.severity.value},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "command": alert.command,
        },
    }


def alert_table(numbers: Thresholds) -> str:
    """Return the alerts as a Markdown table, sorted by name."""
    rows = ["| alert | severity | when | next command |", "|---|---|---|---|"]
    rows += [
        f"| {alert.name} | {alert.severity.value} | {alert.when} | `{_shown(alert.command)}` |"
        for alert in sorted(alerts(numbers), key=lambda each: each.name)
    ]
    return "\n".join(rows) + "\n"


def _shown(command: str) -> str:
    named = command.replace(NODE, "NODE").replace("{{ $labels.mountpoint }}", "MOUNT_POINT")
    named = named.replace("{{ $labels.path }}", "FILE")
    # Of two vendors' programs the table shows NVIDIA's.
    return re.sub(r"\{\{ if .*?\{\{ else \}\}(.*?)\{\{ end \}\}", r"\1", named)
