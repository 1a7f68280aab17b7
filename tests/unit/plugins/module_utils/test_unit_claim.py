"""Claims about units that are somebody else's."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.unit_claim import (
    Unit,
    foreign,
    parse_show,
    refusal,
)

THEIRS = Unit("prometheus.service", "active", "/lib/systemd/system/prometheus.service", "[Unit]\n")


def test_units_are_read_from_systemd() -> None:
    text = (
        "Id=a.service\nActiveState=active\nFragmentPath=/a\n\nId=b.service\nActiveState=inactive\n"
    )
    assert parse_show(text) == [("a.service", "active", "/a"), ("b.service", "inactive", "")]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        pytest.param(THEIRS, [THEIRS], id="runs-from-its-package"),
        pytest.param(Unit("a", "inactive", "/a", "[Unit]\n"), [], id="does-not-run"),
        pytest.param(
            Unit("a", "active", "/a", "# Managed by rackforge.gpu_cluster\n"), [], id="ours"
        ),
        pytest.param(
            Unit("a", "activating", "", ""), [Unit("a", "activating", "", "")], id="without-a-file"
        ),
    ],
)
def test_only_a_running_unit_from_another_file_is_somebody_elses(
    unit: Unit, expected: list[Unit]
) -> None:
    assert foreign([unit]) == expected


def test_the_refusal_names_both_ways_out() -> None:
    said = refusal([THEIRS], "monitoring_source")
    assert "prometheus.service (/lib/systemd/system/prometheus.service) runs on this node" in said
    assert "set monitoring_source=existing" in said
    assert said.endswith("systemctl disable --now prometheus.service")
