# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alert rules fire on their faults, on nothing else, and clear: said by the real programs."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.testinfra.alert_cases import write
from tests.testinfra.monitoring.conftest import NAMES

FOLDER = "/tmp/alert-rules"


@pytest.fixture(scope="module")
def rules(by_name: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The monitoring host with the rules and their cases."""
    host = by_name[NAMES[2]]
    local: Path = tmp_path_factory.mktemp("alert-rules")
    write(local)
    host.check_output(f"mkdir -p {FOLDER}")
    for file in local.iterdir():
        text = base64.b64encode(file.read_bytes()).decode()
        # A command line takes 128 KiB.
        host.check_output(f": > {FOLDER}/{file.name}.b64")
        for start in range(0, len(text), 65536):
            part = shlex.quote(text[start : start + 65536])
            host.check_output(f"printf %s {part} >> {FOLDER}/{file.name}.b64")
        host.check_output(f"base64 -d {FOLDER}/{file.name}.b64 > {FOLDER}/{file.name}")
    yield host
    host.check_output(f"rm -rf {FOLDER}")


def test_each_alert_fires_on_its_fault_alone_and_clears(rules: Any) -> None:
    # A host of Prometheus has promtool, one of VictoriaMetrics vmalert-tool.
    commands = {
        "promtool": f"promtool test rules {FOLDER}/promtool_test.yml",
        "vmalert-tool": f"vmalert-tool unittest --files {FOLDER}/vmalert_test.yml",
    }
    said = {name: rules.run(each) for name, each in commands.items() if rules.exists(name)}
    assert said, "neither promtool nor vmalert-tool is on the monitoring host"
    failed = {name: each.stdout + each.stderr for name, each in said.items() if each.rc != 0}
    assert failed == {}


def test_the_rules_on_the_host_are_well_formed(rules: Any) -> None:
    check = {
        "promtool": f"promtool check rules --lint=all --lint-fatal {FOLDER}/alerts.yml",
        "vmalert": f"vmalert -dryRun -rule={FOLDER}/alerts.yml",
    }
    said = {name: rules.run(each) for name, each in check.items() if rules.exists(name)}
    assert said, "neither promtool nor vmalert is on the monitoring host"
    failed = {name: each.stdout + each.stderr for name, each in said.items() if each.rc != 0}
    assert failed == {}
