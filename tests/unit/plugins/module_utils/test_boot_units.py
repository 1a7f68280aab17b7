"""Claims about what of a boot must change, on recorded answers of systemctl."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.boot_units import (
    BootError,
    Waiter,
    parse_show,
    plan_boot,
    waiters,
    words,
)

NM, NETWORKD = "NetworkManager-wait-online.service", "systemd-networkd-wait-online.service"

# systemctl show --property Id,LoadState,UnitFileState,FragmentPath,Wants,Requires of the target and
# both services.
DEBIAN_IFUPDOWN = """\
Id=network-online.target
Requires=
Wants=networking.service
LoadState=loaded
FragmentPath=/usr/lib/systemd/system/network-online.target
UnitFileState=static

Id=NetworkManager-wait-online.service
LoadState=not-found
FragmentPath=
UnitFileState=

Id=systemd-networkd-wait-online.service
Requires=systemd-networkd.service
LoadState=loaded
FragmentPath=/usr/lib/systemd/system/systemd-networkd-wait-online.service
UnitFileState=disabled
"""
# Netplan's generator pulls the service in at every boot, whether it is enabled or not.
UBUNTU_2404_NETPLAN = """\
Id=network-online.target
Wants=systemd-networkd-wait-online.service
LoadState=loaded
FragmentPath=/usr/lib/systemd/system/network-online.target
UnitFileState=static

Id=NetworkManager-wait-online.service
LoadState=not-found

Id=systemd-networkd-wait-online.service
LoadState=loaded
FragmentPath=/usr/lib/systemd/system/systemd-networkd-wait-online.service
UnitFileState=disabled
"""
ROCKY_9 = """\
Id=network-online.target
Wants=NetworkManager-wait-online.service
LoadState=loaded
FragmentPath=/usr/lib/systemd/system/network-online.target
UnitFileState=static

Id=NetworkManager-wait-online.service
Requires=NetworkManager.service
LoadState=loaded
FragmentPath=/usr/lib/systemd/system/NetworkManager-wait-online.service
UnitFileState=enabled

Id=systemd-networkd-wait-online.service
LoadState=not-found
"""
ALL_MASKED = """\
Id=network-online.target
Wants=NetworkManager-wait-online.service systemd-networkd-wait-online.service
LoadState=loaded

Id=NetworkManager-wait-online.service
LoadState=masked
FragmentPath=/dev/null
UnitFileState=masked

Id=systemd-networkd-wait-online.service
LoadState=masked
UnitFileState=masked-runtime
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(DEBIAN_IFUPDOWN, [], id="debian-12-ifupdown"),
        pytest.param(UBUNTU_2404_NETPLAN, [NETWORKD], id="ubuntu-24.04-netplan"),
        pytest.param(ROCKY_9, [NM], id="rocky-9"),
        pytest.param(ALL_MASKED, [], id="masked-already"),
    ],
)
def test_services_that_hold_the_boot_are_masked(text: str, expected: list[str]) -> None:
    steps = plan_boot("multi-user.target", waiters(parse_show(text)), True, True)
    assert [step.argv for step in steps] == [("systemctl", "mask", name) for name in expected]


def test_a_unit_of_the_owner_is_not_replaced() -> None:
    own = Waiter(NM, "loaded", "enabled", f"/etc/systemd/system/{NM}", True)
    with pytest.raises(BootError, match=f"/etc/systemd/system/{NM} is a unit of the owner's own"):
        plan_boot("", [own], False, True)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(
            "graphical.target", [("systemctl", "set-default", "multi-user.target")], id="desktop"
        ),
        pytest.param("multi-user.target", [], id="server"),
        pytest.param("rescue.target", [], id="rescue"),
        pytest.param("kiosk.target", [], id="owner's-own"),
    ],
)
def test_only_a_desktop_is_replaced(target: str, expected: list[tuple[str, ...]]) -> None:
    assert [step.argv for step in plan_boot(target, [], True, True)] == expected


def test_what_was_not_asked_is_left() -> None:
    services = waiters(parse_show(ROCKY_9))
    assert plan_boot("graphical.target", services, False, False) == []


def test_diff_names_both_sides() -> None:
    steps = plan_boot("graphical.target", waiters(parse_show(UBUNTU_2404_NETPLAN)), True, True)
    assert words(steps) == (
        f"default target graphical.target\n{NETWORKD} disabled\n",
        f"default target multi-user.target\n{NETWORKD} masked\n",
    )
