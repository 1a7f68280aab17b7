# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines that ask for a password are taken to key login; each test goes on from the last one."""

from __future__ import annotations

import subprocess

from tests.testinfra.access.conftest import RULE, Desk

SUDO = ("-e", "bootstrap_sudo=true")


def ssh(desk: Desk, node: str, command: str) -> str:
    """Return what a command prints after a login with the cluster's key alone."""
    argv = ["ssh", *desk.arguments.split(), "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]
    argv += ["-i", str(desk.key), f"alice@{desk.address(node)}", command]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def test_without_a_password_nobody_gets_in(desk: Desk, before: dict[str, str]) -> None:
    played = desk.bootstrap(desk.inventory(), "--check")
    assert played.rc == 2
    assert "run again with -k and this machine's password" in played.prose
    assert {node: desk.stand(node) for node in desk.nodes} == before


def test_check_mode_says_what_would_be_done_and_does_nothing(
    desk: Desk, before: dict[str, str]
) -> None:
    played = desk.bootstrap(desk.inventory(), "--check", "--diff", *SUDO, *desk.with_password)
    assert played.rc == 0
    assert played.output.count("would be installed  would be set up") == 2
    assert all(count == 1 for count in played.changed.values())
    assert {node: desk.stand(node) for node in desk.nodes} == before
    assert not desk.key.exists()
    assert not (desk.folder / "known_hosts").exists()


def test_one_machine_that_is_away_does_not_stop_the_others(desk: Desk) -> None:
    away = desk.address(desk.nodes[0]).rpartition(".")[0] + ".200"
    inventory = desk.inventory("away.ini", hosts=f"gone ansible_host={away}")
    limit = ("-e", "bootstrap_connect_timeout_seconds=3")
    played = desk.bootstrap(inventory, "-vvvv", *SUDO, *limit, *desk.with_password)
    assert played.rc == 2
    assert played.recap["gone"]["failed"] == 1
    assert [played.recap[node]["failed"] for node in desk.nodes] == [0, 0]
    assert [played.recap[node]["changed"] for node in desk.nodes] == [1, 1]
    assert desk.password not in played.output


def test_the_key_alone_gets_in_and_becomes_root(desk: Desk) -> None:
    for node in desk.nodes:
        assert ssh(desk, node, "sudo -k -n whoami") == "root"
        assert desk.on(node, f"stat -c '%a %U' {RULE}; visudo -c >/dev/null") == "440 root\n"


def test_the_owners_keys_survive(desk: Desk, before: dict[str, str]) -> None:
    for node in desk.nodes:
        owners = before[node].splitlines()[0]
        keys = desk.on(node, "cat /home/alice/.ssh/authorized_keys").splitlines()
        assert keys[0] == owners
        assert keys[1].endswith(" rackforge cluster access")
        assert len(keys) == 2


def test_the_pair_is_for_its_owner_only(desk: Desk) -> None:
    assert desk.key.stat().st_mode & 0o777 == 0o600
    assert desk.key.parent.stat().st_mode & 0o777 == 0o700


def test_the_second_run_needs_no_password_and_changes_nothing(desk: Desk) -> None:
    played = desk.bootstrap(desk.inventory(), *SUDO)
    assert played.rc == 0
    assert played.changed == dict.fromkeys(desk.nodes, 0)
    assert played.output.count("(cluster key)  in place  no password") == 2


def test_the_lines_that_it_prints_make_the_inventory_work(desk: Desk) -> None:
    printed = desk.bootstrap(desk.inventory()).output
    line = f"ansible_ssh_private_key_file={desk.key}"
    assert f"[all:vars]\nansible_user=alice\n{line}\n" in printed
    played = desk.play("-i", str(desk.inventory("key.ini", line)), "playbooks/preflight.yml")
    assert played.rc == 0


def test_another_machine_at_the_same_address_is_refused(desk: Desk) -> None:
    known = desk.folder / "known_hosts"
    right = known.read_text()
    first, second = (desk.address(node) for node in desk.nodes)
    scanned = subprocess.run(
        ["ssh-keyscan", "-t", "ed25519", second], capture_output=True, text=True, check=True
    ).stdout
    known.write_text(scanned.replace(second, first))
    try:
        played = desk.bootstrap(desk.inventory(), "--limit", desk.nodes[0], *desk.with_password)
    finally:
        known.write_text(right)
    assert played.rc == 2
    assert "host-key-changed" in played.output


def test_a_machine_like_el8_gets_a_python_that_ansible_finds(desk: Desk) -> None:
    node = desk.nodes[1]
    real = desk.on(node, "readlink -f /usr/bin/python3").strip()
    # A stand-in: Python 3.6 is a script that tells that version, dnf one that puts the real Python
    # in the place of python3.12.
    desk.on(
        node,
        f"set -e; mkdir /opt/el8; cp -P /usr/bin/python3 {real} /etc/os-release /opt/el8/;"
        f"rm /usr/bin/python3 {real} /etc/os-release;"
        "printf '#!/bin/sh\\necho 3.6.8\\n' >/usr/bin/python3;"
        "printf 'ID=rocky\\nID_LIKE=\"rhel centos fedora\"\\nVERSION_ID=8.10\\n' >/etc/os-release;"
        f'printf \'#!/bin/sh\\n[ "$4" = python3.12 ] && cp /opt/el8/{real.rpartition("/")[2]}'
        " /usr/bin/python3.12\\n' >/usr/bin/dnf; chmod 755 /usr/bin/dnf /usr/bin/python3",
    )
    line = f"ansible_ssh_private_key_file={desk.key}"
    try:
        played = desk.bootstrap(desk.inventory(), "--limit", node)
        again = desk.bootstrap(desk.inventory(), "--limit", node)
        preflight = desk.play(
            "-i", str(desk.inventory("key.ini", line)), "playbooks/preflight.yml", "-vvv"
        )
    finally:
        desk.on(
            node,
            f"rm -f /usr/bin/python3 /usr/bin/dnf /usr/bin/python3.12 /etc/os-release;"
            f"cp -P /opt/el8/python3 /usr/bin/; cp /opt/el8/{real.rpartition('/')[2]} {real};"
            "cp -P /opt/el8/os-release /etc/; rm -r /opt/el8; python3 --version",
        )
    assert (played.rc, played.changed[node]) == (0, 1)
    assert (again.rc, again.changed[node]) == (0, 0)
    assert preflight.rc == 0
    assert "/usr/bin/python3.12" in preflight.output
