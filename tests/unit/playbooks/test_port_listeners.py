# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the end of preflight's tests of ports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

END = "Let the listeners go"


def listened(ours: str, **listeners: int) -> dict[str, Any]:
    """Return what the listening task registered; ``listeners`` are the services' own sockets."""
    return {"report": {"tcp": {"ours": ours}}, "listeners": listeners}


@pytest.mark.parametrize(
    ("registered", "is_asked"),
    [
        pytest.param(listened("8076-8077"), True, id="ports-of-ours"),
        pytest.param(listened("", kubelet=81920), True, id="services-have-every-port"),
        pytest.param(listened("8076", kubelet=81920), True, id="both"),
        pytest.param(listened(""), False, id="neither"),
        pytest.param({"skipped": True, "changed": False}, False, id="not-in-the-mesh"),
        pytest.param({"unreachable": True, "msg": "timed out"}, False, id="away"),
    ],
)
def test_a_node_is_asked_at_the_end_where_ports_had_listeners(
    repository: Path, registered: dict[str, Any], is_asked: bool
) -> None:
    plays = yaml.safe_load((repository / "playbooks/preflight.yml").read_text())
    tasks = [task for play in plays for task in play.get("tasks", ())]
    [task] = [task for task in tasks if task["name"] == END]
    templar = Templar(DataLoader(), {"__preflight_listen": registered})
    assert templar.template(trust_as_template("{{ " + task["when"] + " }}")) is is_asked
