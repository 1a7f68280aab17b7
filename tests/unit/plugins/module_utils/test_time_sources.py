"""Claims about who keeps a clock and what it is told, on recorded configurations."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.time_sources import (
    Client,
    TimeSourceError,
    check_servers,
    find_client,
    render,
)

DEBIAN = """\
confdir /etc/chrony/conf.d
pool 2.debian.pool.ntp.example iburst
sourcedir /run/chrony-dhcp
sourcedir /etc/chrony/sources.d
keyfile /etc/chrony/chrony.keys
"""
EL_9 = """\
# Use public servers from the pool.ntp.example project.
pool 2.rocky.pool.ntp.example iburst
# Use NTP servers from DHCP.
sourcedir /run/chrony-dhcp
driftfile /var/lib/chrony/drift
"""
DROPIN = Client(
    "chrony", "chrony.service", "/etc/chrony/sources.d/60-rackforge.sources", block=False
)
EL_BLOCK = Client("chrony", "chronyd.service", "/etc/chrony.conf", block=True)
TIMESYNCD = Client(
    "systemd-timesyncd",
    "systemd-timesyncd.service",
    "/etc/systemd/timesyncd.conf.d/60-rackforge.conf",
    block=False,
)


@pytest.mark.parametrize(
    ("chronyd", "configs", "timesyncd", "others", "expected"),
    [
        pytest.param(
            True, {"/etc/chrony/chrony.conf": DEBIAN}, False, [], DROPIN, id="debian-ubuntu-chrony"
        ),
        pytest.param(True, {"/etc/chrony.conf": EL_9}, False, [], EL_BLOCK, id="el-8-9-10"),
        pytest.param(
            True,
            {"/etc/chrony/chrony.conf": "pool p iburst\n"},
            False,
            [],
            Client("chrony", "chrony.service", "/etc/chrony/chrony.conf", block=True),
            id="owner's-old-file",
        ),
        pytest.param(False, {}, True, [], TIMESYNCD, id="debian-ubuntu-timesyncd"),
        pytest.param(True, {"/etc/chrony/chrony.conf": DEBIAN}, True, [], DROPIN, id="chrony-wins"),
        pytest.param(
            False, {"/etc/chrony/chrony.conf": DEBIAN}, True, [], TIMESYNCD, id="chrony-was-removed"
        ),
        pytest.param(False, {}, False, [], None, id="nothing"),
    ],
)
def test_client_is_recognised(
    chronyd: bool,
    configs: dict[str, str],
    timesyncd: bool,
    others: list[str],
    expected: Client | None,
) -> None:
    assert find_client(chronyd, configs, timesyncd, others) == expected


def test_another_program_is_named() -> None:
    with pytest.raises(TimeSourceError, match="this node's clock is kept by ntpd; expected chrony"):
        find_client(False, {}, True, ["ntpd"])


def test_chronys_sources_come_in_a_file_of_their_own() -> None:
    assert render(DROPIN, "", ["ntp1.lab.example", "192.0.2.123"]) == (
        "# Managed by rackforge.gpu_cluster\nserver ntp1.lab.example iburst prefer\n"
        "server 192.0.2.123 iburst prefer\n"
    )


def test_red_hats_chrony_gets_a_block_and_keeps_the_rest() -> None:
    once = render(EL_BLOCK, EL_9, ["192.0.2.123"])
    assert once == (
        EL_9 + "# BEGIN rackforge.gpu_cluster os_base\nserver 192.0.2.123 iburst prefer\n"
        "# END rackforge.gpu_cluster os_base\n"
    )
    assert render(EL_BLOCK, once, ["192.0.2.123"]) == once


def test_timesyncd_forgets_other_servers() -> None:
    assert render(TIMESYNCD, "", ["a.example", "b.example"]) == (
        "# Managed by rackforge.gpu_cluster\n[Time]\nNTP=\nNTP=a.example b.example\n"
    )


@pytest.mark.parametrize("server", ["", "a b", "a\nb", "-x", "a#b"])
def test_what_is_no_server_is_refused(server: str) -> None:
    with pytest.raises(TimeSourceError, match="expected a name or an address"):
        check_servers(["ntp.lab.example", "2001:db8::123", server])
