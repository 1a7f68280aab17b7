# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With ``enforce`` a stranger reaches SSH and the owner's list, and nobody is locked out."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests import lab
from tests.testinfra.firewall.support import (
    BY_HAND,
    HEAD,
    STRANGER,
    UFW,
    address,
    changes,
    converge,
    play,
    reached,
    started,
)

MEMBERS = [HEAD, UFW, BY_HAND]
FORWARDED = "2300"
PROXY = "/usr/lib/systemd/systemd-socket-proxyd"

# The module alone, so that a trial ends in seconds.
BOOK = """
- hosts: {host}
  gather_facts: false
  tasks:
    - rackforge.gpu_cluster.node_firewall:
        mode: enforce
        rollback_after: {seconds}
"""


@pytest.fixture(scope="module")
def forwarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Arguments of ansible-playbook that go through port 2300, which leads to sshd.

    Another program takes it there, so nothing on the node says that it is SSH, and the closing
    rules cut it.
    """
    book = tmp_path_factory.mktemp("book") / "book.yml"
    book.write_text(BOOK.format(host=BY_HAND, seconds=8))
    socket = f"--socket-property=ListenStream={FORWARDED}"
    lab.exec(BY_HAND, ["systemd-run", "--unit=forwarder", socket, PROXY, "127.0.0.1:22"])
    rule = f"insert rule inet filter input tcp dport {FORWARDED} accept"
    lab.exec(BY_HAND, ["nft", rule])
    trusting = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    path = {"ansible_port": FORWARDED, "ansible_ssh_common_args": trusting}
    # Without waiting long for an answer that cannot come.
    yield [str(book), "--extra-vars", json.dumps(path), "--timeout", "5"]
    lab.exec(BY_HAND, ["systemctl", "stop", "forwarder.socket", "forwarder.service"])
    lab.exec(BY_HAND, ["systemctl", "reload", "nftables"])


def wait_for(true: Callable[[], bool], seconds: float) -> None:
    """Return when it is true; fail when that takes too long."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not true after {seconds} s"
        time.sleep(0.3)


def on_trial() -> bool:
    """Return whether the node has rules that nobody confirmed."""
    return lab.exec(BY_HAND, ["test", "-e", "/run/rackforge-firewall.nft"]).ok


def test_a_run_over_a_path_that_the_rules_cut_takes_them_back(forwarded: list[str]) -> None:
    done = play(*forwarded)
    said = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert "the closing rules were taken back before a fresh SSH connection confirmed them" in said
    assert not on_trial()
    assert reached(STRANGER, BY_HAND, "22,5000,3306") == "22,5000"


def test_rules_of_a_run_that_was_killed_are_taken_back(forwarded: list[str]) -> None:
    running = started(*forwarded)
    wait_for(on_trial, 60)
    assert reached(STRANGER, BY_HAND, "22,5000,3306") == "22"
    os.killpg(running.pid, signal.SIGKILL)
    with running:  # Closes the pipe, and waits.
        pass
    wait_for(lambda: not on_trial(), 30)
    assert reached(STRANGER, BY_HAND, "22,5000,3306") == "22,5000"


def test_the_run_that_closes_the_nodes_succeeds() -> None:
    done = converge("enforce")
    assert done.returncode == 0, done.stdout
    assert all(changes(done.stdout)[node] > 0 for node in MEMBERS)


def test_the_run_after_it_changes_nothing() -> None:
    done = converge("enforce")
    assert changes(done.stdout) == dict.fromkeys(MEMBERS, 0), done.stdout


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(HEAD, "22,8100", id="firewalld"),
        pytest.param(UFW, "22,8100,8443", id="ufw"),
        pytest.param(BY_HAND, "22,8100", id="nftables"),
    ],
)
def test_strangers_reach_ssh_and_the_owners_list(target: str, expected: str) -> None:
    assert reached(STRANGER, target) == expected


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        pytest.param(UFW, HEAD, "22,6379,8076-8077,8100,10002-20000,56999", id="worker-firewalld"),
        pytest.param(
            HEAD, UFW, "22,8076-8078,8100,8443-8444,10002-20000,52365,56999", id="head-ufw"
        ),
        pytest.param(
            HEAD, BY_HAND, "22,8076-8078,8100,10002-20000,52365,56999", id="head-nftables"
        ),
    ],
)
def test_members_still_reach_the_catalogue(source: str, target: str, expected: str) -> None:
    assert reached(source, target) == expected


def test_containers_still_reach_their_node_and_others() -> None:
    show = "ip -4 -br addr show docker0 | awk '{print $3}'"
    bridge = lab.exec(UFW, ["sh", "-c", show]).stdout.partition("/")[0]
    for target in (bridge, address(HEAD)):
        call = ["docker", "exec", "web", "/busybox", "nc", "-w", "5", target, "22"]
        assert lab.exec(UFW, call).stdout.startswith("SSH-2.0"), target


def test_what_somebody_flushed_comes_back() -> None:
    lab.exec(
        BY_HAND,
        ["sh", "-c", "nft delete table inet rackforge; nft flush chain inet filter rackforge"],
    )
    assert reached(STRANGER, BY_HAND, "22,5000,8100") == "22,5000"
    done = converge("enforce")
    assert changes(done.stdout) == {HEAD: 0, UFW: 0, BY_HAND: 1}, done.stdout
    assert reached(STRANGER, BY_HAND, "22,3306,8076,8100") == "22,8100"


def test_a_run_for_one_node_keeps_the_others_rules() -> None:
    done = converge("enforce", "--limit", BY_HAND)
    assert changes(done.stdout) == {BY_HAND: 0}, done.stdout


def test_the_unit_that_boot_starts_closes_the_node() -> None:
    lab.exec(BY_HAND, ["sh", "-c", "nft delete table inet rackforge"])
    lab.exec(BY_HAND, ["systemctl", "restart", "rackforge-firewall"])
    assert reached(STRANGER, BY_HAND, "22,3306,8076,8100") == "22,8100"
