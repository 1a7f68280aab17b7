"""How the monitoring of a cluster is told."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.monitoring_status import (
    monitoring_status,
    render_monitoring,
)

URL = "http://198.18.1.13:9090/user/"
HERE = {"reachable": True}
FIRING = [
    {"severity": "critical", "alert": "GpuFailed", "node": "n2"},
    {"severity": "info", "alert": "RebootRequired", "node": "n1"},
]
MISSING = "/etc/x: No such file or directory, expected the password; run provision.yml"


@pytest.mark.parametrize(
    ("probe", "seen", "state"),
    [
        pytest.param(HERE, {"targets": 3, "problems": []}, "running", id="well"),
        pytest.param(HERE, {"targets": 3, "problems": ["target x"]}, "degraded", id="target"),
        pytest.param(HERE, {"problems": [MISSING]}, "not-installed", id="nothing-there"),
        pytest.param(HERE, {}, "unknown", id="not-asked"),
        pytest.param({"reachable": False}, {}, "unreachable", id="away"),
    ],
)
def test_the_state_says_how_it_stands(
    probe: dict[str, Any], seen: dict[str, Any], state: str
) -> None:
    assert monitoring_status("n3", probe, seen, URL).state == state


def test_an_address_is_told_only_where_something_answers() -> None:
    assert monitoring_status("n3", HERE, {"problems": [MISSING]}, URL).url is None
    assert monitoring_status("n3", HERE, {"targets": 1}, URL).url == URL


def test_people_read_targets_and_alerts() -> None:
    seen = {"targets": 14, "problems": [], "firing": FIRING}
    assert render_monitoring(monitoring_status("n3", HERE, seen, URL)).splitlines() == [
        "Monitoring on n3: running, 14 targets",
        f"Panels: {URL}",
        "",
        "Alerts that fire:",
        "  critical  GpuFailed  n2",
        "  info      RebootRequired  n1",
    ]


def test_people_read_what_is_not_as_expected() -> None:
    text = render_monitoring(monitoring_status("n3", HERE, {"problems": ["target x"]}, URL))
    assert text.endswith("Not as expected:\n  target x")
