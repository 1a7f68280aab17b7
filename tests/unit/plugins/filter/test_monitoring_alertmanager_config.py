# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the filter monitoring_alertmanager_config."""

from __future__ import annotations

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.filter import (
    monitoring_alertmanager_config as plugin,
)

monitoring_alertmanager_config = plugin.FilterModule().filters()["monitoring_alertmanager_config"]


def test_the_text_begins_with_its_owner_and_has_no_aliases() -> None:
    text = monitoring_alertmanager_config({})
    assert text.startswith("# Managed by rackforge.gpu_cluster\nroute:\n  receiver: owner\n")
    assert "&id" not in text
    assert yaml.safe_load(text)["receivers"] == [{"name": "owner"}]


def test_a_wrong_input_is_an_error_of_the_filter() -> None:
    with pytest.raises(AnsibleFilterError, match=r"^monitoring_email_from: saw nothing"):
        monitoring_alertmanager_config({"email_to": "ops@example.com"})
