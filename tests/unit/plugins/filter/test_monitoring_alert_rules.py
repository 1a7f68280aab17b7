# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the filter monitoring_alert_rules."""

from __future__ import annotations

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.filter.monitoring_alert_rules import (
    FilterModule,
)

monitoring_alert_rules = FilterModule().filters()["monitoring_alert_rules"]


def test_the_text_begins_with_its_owner_and_holds_two_groups() -> None:
    text = monitoring_alert_rules({"hold_seconds": 30})
    assert text.startswith("# Managed by rackforge.gpu_cluster\n")
    groups = yaml.safe_load(text)["groups"]
    assert [group["name"] for group in groups] == ["nodes", "gpus"]
    assert groups[0]["rules"][0]["alert"] == "NodeDown"
    assert groups[0]["rules"][0]["for"] == "30s"


def test_the_same_numbers_give_the_same_text() -> None:
    assert monitoring_alert_rules({}) == monitoring_alert_rules({"hold_seconds": 120})


def test_a_wrong_number_is_an_error_of_the_filter() -> None:
    with pytest.raises(AnsibleFilterError, match=r"^monitoring_alert_disk_hours: saw 0"):
        monitoring_alert_rules({"disk_hours": 0})
