# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the alert rules.

What they fire on is proven by promtool and vmalert-tool: tests/testinfra/alert_cases.py.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.alert_model import (
    AlertError,
    Thresholds,
    thresholds_from,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.alert_rules import (
    alert_table,
    alerts,
    rule_groups,
)

from tests.testinfra.alert_cases import SEVERITY
from tests.testinfra.alert_cases_gpu import GPU_CASES
from tests.testinfra.alert_cases_node import NODE_CASES

ALERTS = alerts(Thresholds())
RULES = {
    rule["alert"]: rule for group in rule_groups(Thresholds())["groups"] for rule in group["rules"]
}


def test_the_alerts_are_these() -> None:
    assert {alert.name: alert.severity.value for alert in ALERTS} == SEVERITY


def test_each_alert_fires_and_clears_in_some_case() -> None:
    # A case that ends in a look at which nothing fires proves that what fired before cleared.
    cleared = {
        name
        for case in [*NODE_CASES, *GPU_CASES]
        for _minute, firing in case.looks
        for name, _labels in firing
        if not case.looks[-1][1]
    }
    assert cleared == set(SEVERITY)


@pytest.mark.parametrize("name", sorted(RULES))
def test_an_alert_says_what_was_seen_what_was_expected_and_what_to_type(name: str) -> None:
    texts = RULES[name]["annotations"]
    assert sorted(texts) == ["command", "description", "summary"]
    assert re.search("[Ee]xpected", texts["description"])
    assert re.match(r"ansible(-playbook)? -i inv\.ini ", texts["command"])


@pytest.mark.parametrize(
    ("given", "alert", "part"),
    [
        ({"gpu_temperature_celsius": 70}, "GpuHot", "(DCGM_FI_DEV_GPU_TEMP) >= 70"),
        ({"gpu_memory_percent": 80}, "GpuMemoryFull", ") > 80"),
        ({"gpu_xid_minutes": 5}, "GpuXidError", "offset 5m"),
        ({"memory_percent": 70}, "NodeMemoryFull", ") > 70"),
        ({"disk_free_percent": 3}, "DiskWillFill", " < 3 or "),
        ({"disk_predict_percent": 20}, "DiskWillFill", " < 20 and predict_linear"),
        ({"disk_hours": 2}, "DiskWillFill", "[6h], 7200) < 0"),
        ({"certificate_days": 7}, "CertificateExpires", " / 86400 < 7"),
        ({"clock_skew_seconds": 0.5}, "ClockSkew", "abs(node_timex_offset_seconds) > 0.5"),
        ({"collector_seconds": 60}, "CollectorSilent", " > 60 or "),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_number_reaches_its_rule(given: dict[str, Any], alert: str, part: str) -> None:
    groups = rule_groups(thresholds_from(given))["groups"]
    rules = {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}
    assert part in rules[alert]


def test_the_hold_is_the_ordinary_alerts_alone() -> None:
    groups = rule_groups(thresholds_from({"hold_seconds": 30}))["groups"]
    holds = {rule["alert"]: rule.get("for") for group in groups for rule in group["rules"]}
    assert {name for name, hold in holds.items() if hold is None} == {
        "CertificateExpires",
        "GpuEccUncorrected",
        "GpuRowRemapFailure",
        "GpuXidError",
    }
    assert set(holds.values()) == {None, "30s"}


def test_without_a_hold_no_rule_has_one() -> None:
    groups = rule_groups(thresholds_from({"hold_seconds": 0}))["groups"]
    assert [rule for group in groups for rule in group["rules"] if "for" in rule] == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"gpu_temperature": 80},
            "monitoring_alert_gpu_temperature: saw an unknown name, expected one of ",
        ),
        (
            {"memory_percent": "much"},
            "monitoring_alert_memory_percent: saw much, expected a whole number from 1 to 100;"
            " correct it in the inventory",
        ),
        (
            {"memory_percent": 101},
            "monitoring_alert_memory_percent: saw 101, expected a whole number from 1 to 100;"
            " correct it in the inventory",
        ),
        (
            {"clock_skew_seconds": -1},
            "monitoring_alert_clock_skew_seconds: saw -1, expected a number from 0 to 3600;"
            " correct it in the inventory",
        ),
        ({"disk_hours": True}, "monitoring_alert_disk_hours: saw True, expected a whole number"),
        ({"disk_hours": None}, "monitoring_alert_disk_hours: saw None, expected a whole number"),
        ({"clock_skew_seconds": "nan"}, "monitoring_alert_clock_skew_seconds: saw nan, expected"),
    ],
    ids=["unknown", "text", "too-much", "negative", "boolean", "nothing", "not-a-number"],
)
def test_a_wrong_number_is_refused_by_its_inputs_name(given: dict[str, Any], message: str) -> None:
    with pytest.raises(AlertError) as error:
        thresholds_from(given)
    assert str(error.value).startswith(message)


def test_numbers_as_text_are_taken() -> None:
    assert thresholds_from({"disk_hours": "12", "clock_skew_seconds": "0.5"}) == Thresholds(
        disk_hours=12, clock_skew_seconds=0.5
    )


def test_the_table_has_a_row_for_each_alert_and_no_templates() -> None:
    rows = alert_table(Thresholds()).splitlines()[2:]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == sorted(SEVERITY)
    assert "{{" not in "".join(rows)
