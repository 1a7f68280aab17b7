"""Claims about the time_servers module; no clock is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import time_sources
from ansible_collections.rackforge.gpu_cluster.plugins.modules import time_servers
from ansible_collections.rackforge.gpu_cluster.plugins.modules.time_servers import main

from tests.unit.plugins.modules.conftest import Node

SHOW = "ActiveState={}\nUnitFileState={}\nInactiveExitTimestampMonotonic={}\n"
LONG_AGO, LONG_AFTER_NOW = 1, 10**18
BLOCK = "# BEGIN rackforge.gpu_cluster os_base\n{}# END rackforge.gpu_cluster os_base\n"


def unit(active: str, state: str, started: int) -> tuple[int, str, str]:
    """Return systemd's answer about a unit."""
    return (0, SHOW.format(active, state, started), "")


@pytest.fixture
def chrony_conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, node: Node) -> Path:
    """A node of Red Hat's family with chrony."""
    path = tmp_path / "chrony.conf"
    path.write_text("pool p.example iburst\n")
    for module in (time_sources, time_servers):
        monkeypatch.setattr(module, "CHRONY", {str(path): "chronyd.service"})
    node.answers("chronyd", (0, "", ""))
    monkeypatch.setattr(time_servers, "TIMESYNCD_PROGRAMS", ())
    return path


def test_chrony_is_told_and_restarted(node: Node, chrony_conf: Path) -> None:
    node.answers("systemctl show chronyd", unit("active", "enabled", LONG_AFTER_NOW))
    node.answers("systemctl restart chronyd.service", (0, "", ""))
    result = node.run(main, servers=["192.0.2.123"])
    assert (result["changed"], result["client"], result["done"]) == (True, "chrony", ["restarted"])
    assert chrony_conf.read_text() == (
        "pool p.example iburst\n" + BLOCK.format("server 192.0.2.123 iburst prefer\n")
    )
    assert node.run(main, servers=["192.0.2.123"])["changed"] is False


def test_a_run_that_died_before_the_restart_is_made_good(node: Node, chrony_conf: Path) -> None:
    chrony_conf.write_text(BLOCK.format("server 192.0.2.123 iburst prefer\n"))
    node.answers("systemctl show chronyd", unit("active", "enabled", LONG_AGO))
    node.answers("systemctl restart chronyd.service", (0, "", ""))
    assert node.run(main, servers=["192.0.2.123"])["done"] == ["restarted"]


def test_a_stopped_service_is_enabled_and_started(node: Node, chrony_conf: Path) -> None:
    node.answers("systemctl show chronyd", unit("inactive", "disabled", 0))
    node.answers("systemctl", (0, "", ""))
    assert node.run(main, servers=["192.0.2.123"])["done"] == ["enabled", "started"]
    assert chrony_conf.read_text() != "pool p.example iburst\n"


def test_a_masked_service_is_told_and_not_started(node: Node, chrony_conf: Path) -> None:
    node.answers("systemctl show chronyd", unit("inactive", "masked", 0))
    result = node.run(main, servers=["192.0.2.123"])
    assert (result["changed"], result["done"]) == (True, [])
    assert "server 192.0.2.123" in chrony_conf.read_text()


def test_a_service_that_does_not_start_gets_its_file_back(node: Node, chrony_conf: Path) -> None:
    node.answers("systemctl show chronyd", unit("active", "enabled", LONG_AFTER_NOW))
    node.answers("systemctl restart", (1, "", "Job failed.\n"))
    node.answers("systemctl try-restart", (0, "", ""))
    result = node.run(main, servers=["192.0.2.123"])
    assert result["msg"] == (
        "Could not set the time servers: 'systemctl restart chronyd.service' exited 1: Job failed.;"
        f" {chrony_conf} was put back as it was. See 'journalctl --unit chronyd.service'"
    )
    assert chrony_conf.read_text() == "pool p.example iburst\n"


def test_timesyncd_gets_a_dropin(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropin = tmp_path / "timesyncd.conf.d" / "60-rackforge.conf"
    program = tmp_path / "systemd-timesyncd"
    program.touch()
    monkeypatch.setattr(time_servers, "TIMESYNCD_PROGRAMS", (str(program),))
    monkeypatch.setattr(time_servers, "CHRONY", {})
    monkeypatch.setattr(time_sources, "TIMESYNCD_DROPIN", str(dropin))
    node.answers("systemctl show", unit("active", "enabled", LONG_AFTER_NOW))
    node.answers("systemctl restart systemd-timesyncd.service", (0, "", ""))
    result = node.run(main, servers=["192.0.2.123"])
    assert (result["client"], result["path"]) == ("systemd-timesyncd", str(dropin))
    assert dropin.read_text().endswith("[Time]\nNTP=\nNTP=192.0.2.123\n")


def test_a_unit_that_is_masked_without_its_program_keeps_no_clock(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_servers, "CHRONY", {})
    monkeypatch.setattr(time_servers, "TIMESYNCD_PROGRAMS", ("/none/systemd-timesyncd",))
    node.answers("systemctl show", unit("inactive", "masked", 0))
    result = node.run(main, servers=["192.0.2.123"])
    assert (result["changed"], result["client"]) == (False, "")


def test_check_mode_predicts_and_writes_nothing(node: Node, chrony_conf: Path) -> None:
    node.answers("systemctl show chronyd", unit("active", "enabled", LONG_AFTER_NOW))
    result = node.run(main, check=True, servers=["192.0.2.123"])
    assert (result["changed"], result["done"]) == (True, ["restarted"])
    assert chrony_conf.read_text() == "pool p.example iburst\n"
    assert {call.split()[1] for call in node.calls} == {"show"}
