"""Claims about boots that wait, upgrades, names, rights of SSH's files and swap."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_state import (
    check_states,
)

from tests.unit.plugins.system_nodes import brief, facts, inventory, node, system


def found(
    values: dict[str, str] | None = None, profile: str = "ray", **given: Any
) -> list[tuple[str, str, str]]:
    """Return severity, code and what was seen on one node whose system is this."""
    group = "k3s_agent" if profile == "k3s" else "ray_worker"
    host = node("n1", group, values=values, facts=facts(1, system=given))
    rows = brief(check_states, host, profiles=(profile,))
    return [(severity, code, seen) for severity, _host, code, seen in rows]


def names(**other: Any) -> dict[str, Any]:
    """Return what a node makes of its names, but for ``other``."""
    return {**system()["names"], **other}


def login(mode: str, owner: int = 1000, private: bool = True, **other: Any) -> dict[str, Any]:
    """Return the login of ops with these rights of ~/.ssh."""
    entry = {
        "path": "/home/ops/.ssh",
        "mode": mode,
        "owner": owner,
        "private_group": private,
    }
    return {"user": "ops", "uid": 1000, "paths": [entry], "strict_modes": None, **other}


@pytest.mark.parametrize(
    ("reboot", "expected"),
    [
        pytest.param({"required": None}, [], id="unknown"),
        pytest.param(
            {"required": True, "packages": []},
            [("warning", "reboot-pending", "/run/reboot-required")],
            id="without-packages",
        ),
        pytest.param(
            {"required": True, "packages": ["linux-image-a", "libc6"], "newer_kernel": "9.9"},
            [("warning", "reboot-pending", "/run/reboot-required, for linux-image-a and libc6")],
            id="with-packages-once",
        ),
        pytest.param(
            {"required": False, "packages": [], "newer_kernel": "6.12.57+deb13-amd64"},
            [
                (
                    "note",
                    "kernel-newer-installed",
                    "6.12.48+deb13-amd64 runs, 6.12.57+deb13-amd64 is installed",
                )
            ],
            id="newer-kernel",
        ),
    ],
)
def test_a_boot_that_waits_is_told(
    reboot: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    assert found(reboot=reboot) == expected


@pytest.mark.parametrize(
    ("values", "held", "expected"),
    [
        pytest.param({}, True, [], id="held-by-us"),
        pytest.param(
            {}, False, [("note", "upgrades-unattended", "unattended-upgrades is on")], id="not-yet"
        ),
        pytest.param(
            {"os_base_unattended_upgrades": "keep"},
            False,
            [
                (
                    "warning",
                    "upgrades-unattended",
                    "unattended-upgrades is on, os_base_unattended_upgrades=keep",
                )
            ],
            id="never",
        ),
    ],
)
def test_unattended_upgrades_are_told_until_they_are_held(
    values: dict[str, str], held: bool, expected: list[tuple[str, str, str]]
) -> None:
    upgrades = {"tool": "unattended-upgrades", "active": True, "held": held}
    assert found(values, upgrades=upgrades) == expected
    assert found(values, upgrades={**upgrades, "active": False}) == []


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        pytest.param(["127.0.0.53"], [], id="stub"),
        pytest.param(None, [], id="unreadable"),
        pytest.param([], [("note", "dns-missing", "no nameserver in /etc/resolv.conf")], id="none"),
    ],
)
def test_a_node_without_name_server_is_told(
    servers: list[str] | None, expected: list[tuple[str, str, str]]
) -> None:
    assert found(nameservers=servers) == expected


@pytest.mark.parametrize(
    ("resolved", "expected"),
    [
        pytest.param(None, [], id="cannot-be-asked"),
        pytest.param(["127.0.1.1"], [], id="debian"),
        pytest.param(["198.19.1.1"], [], id="own-address"),
        pytest.param(["fe80::1%eth1", "fe80::1"], [], id="ipv6"),
        pytest.param(["198.18.9.9", "198.19.1.1"], [], id="one-of-them-is-own"),
        pytest.param([], [("warning", "hostname-unresolved", "no address for node1")], id="none"),
        pytest.param(
            ["198.18.9.9"],
            [("warning", "hostname-elsewhere", "node1 is 198.18.9.9")],
            id="address-of-another-machine",
        ),
    ],
)
def test_a_node_knows_its_own_name(
    resolved: list[str] | None, expected: list[tuple[str, str, str]]
) -> None:
    assert found(names=names(resolved=resolved)) == expected


def test_a_name_is_not_judged_where_the_addresses_are_unknown() -> None:
    given = facts(1, interfaces=[], system={"names": names(resolved=["198.18.9.9"])})
    assert check_states(inventory(node("n1", facts=given))) == []


@pytest.mark.parametrize(
    ("localhost", "expected"),
    [
        pytest.param(["127.0.0.1"], [], id="ipv4"),
        pytest.param(["::1"], [], id="ipv6"),
        pytest.param(None, [], id="cannot-be-asked"),
        pytest.param([], [("warning", "localhost-unresolved", "no address")], id="none"),
        pytest.param(
            ["198.18.9.9"],
            [("warning", "localhost-unresolved", "localhost is 198.18.9.9")],
            id="elsewhere",
        ),
    ],
)
def test_localhost_is_the_node(
    localhost: list[str] | None, expected: list[tuple[str, str, str]]
) -> None:
    assert found(names=names(localhost=localhost)) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(login("0700"), [], id="tight"),
        pytest.param(login("0755"), [], id="others-may-read"),
        pytest.param(login("0775"), [], id="group-of-the-user-alone"),
        pytest.param(login("0700", owner=0), [], id="owned-by-root"),
        pytest.param(
            login("0775", private=False), ["/home/ops/.ssh 0775 of uid 1000"], id="other-group"
        ),
        pytest.param(login("0777"), ["/home/ops/.ssh 0777 of uid 1000"], id="everybody"),
        pytest.param(login("0700", owner=7), ["/home/ops/.ssh 0700 of uid 7"], id="stranger"),
        pytest.param({"user": "ops", "uid": None, "paths": None}, [], id="unknown"),
    ],
)
def test_files_of_ssh_are_the_users_own(given: dict[str, Any], expected: list[str]) -> None:
    assert found(login=given) == [("warning", "ssh-files-open", seen) for seen in expected]


@pytest.mark.parametrize(
    ("strict", "message"),
    [
        pytest.param(
            None,
            "Others may write what lets ops log in, and sshd may refuse such keys (StrictModes).",
            id="unknown",
        ),
        pytest.param(
            True,
            "Others may write what lets ops log in, and sshd refuses such keys (StrictModes).",
            id="strict",
        ),
        pytest.param(False, "Others may write what lets ops log in.", id="lax"),
    ],
)
def test_what_sshd_does_about_it_is_told_as_far_as_known(strict: bool | None, message: str) -> None:
    given = facts(1, system={"login": login("0777", strict_modes=strict)})
    (finding,) = check_states(inventory(node("n1", facts=given)))
    assert finding.message == message
    assert finding.fix.startswith("ansible -i inv.ini -b -m ansible.builtin.shell -a 'chown ops ")


@pytest.mark.parametrize(
    ("profile", "values", "areas", "expected"),
    [
        pytest.param("ray", {}, ["/swap.img"], [], id="ray-does-not-mind"),
        pytest.param("k3s", {}, [], [], id="none"),
        pytest.param("k3s", {}, None, [], id="unknown"),
        pytest.param("k3s", {"os_base_swap": "off"}, ["/swap.img"], [], id="goes-off-anyway"),
        pytest.param("k3s", {}, ["/swap.img"], [("note", "swap-on", "/swap.img")], id="on"),
    ],
)
def test_swap_is_a_remark_for_k3s(
    profile: str,
    values: dict[str, str],
    areas: list[str] | None,
    expected: list[tuple[str, str, str]],
) -> None:
    assert found(values, profile, swap=areas) == expected
