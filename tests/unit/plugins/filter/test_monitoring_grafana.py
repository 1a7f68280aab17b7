# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the filters for Grafana."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.filter import (
    monitoring_grafana_files as files_plugin,
)
from ansible_collections.rackforge.gpu_cluster.plugins.filter import (
    monitoring_grafana_repository as repository_plugin,
)

from tests.unit.plugins.module_utils.test_grafana_config import GIVEN

files = files_plugin.FilterModule().filters()["monitoring_grafana_files"]
repository = repository_plugin.FilterModule().filters()["monitoring_grafana_repository"]


def test_each_file_has_its_path_and_what_all_get() -> None:
    found = files(GIVEN, {"mode": "0640"})
    assert [(each["path"], each["mode"]) for each in found] == [
        ("/etc/m/grafana.ini", "0640"),
        ("/etc/m/grafana/datasources/rackforge.yaml", "0640"),
        ("/etc/m/grafana/dashboards/rackforge.yaml", "0640"),
    ]


def test_a_missing_setting_is_an_error_of_the_filter() -> None:
    given = {key: value for key, value in GIVEN.items() if key != "port"}
    with pytest.raises(AnsibleFilterError, match="port"):
        files(given)


def test_without_a_mirror_it_is_grafanas_own() -> None:
    assert repository("Debian")["key_url"] == "https://apt.grafana.com/gpg.key"
    assert repository("RedHat", "")["key_url"] == "https://rpm.grafana.com/gpg.key"
