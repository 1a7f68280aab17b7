# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes are looked at past SSH: the inventory still says the port that is closed now."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import lab
from tests.testinfra.lifecycle.support import clean_environment

REPOSITORY = Path(__file__).resolve().parents[3]
PLAYBOOK = REPOSITORY / "molecule" / "ssh" / "converge.yml"
NODES = [
    pytest.param("mol-ssh-n1", id="service"),
    pytest.param("mol-ssh-n2", id="socket"),
    pytest.param("mol-ssh-n3", id="sudo"),
]
# Stands in for ssh, and hangs when it is to use the port that is on trial.
HANGING_SSH = """#!/bin/sh
case "$*" in *Port=22333*) touch {marker}; exec sleep 600 ;; esac
exec ssh "$@"
"""


def ports_of(node: str) -> set[str]:
    """Return the ports on which a node's sshd, or systemd for it, listens."""
    words = lab.exec(node, ["ss", "-Hltnp"]).stdout.splitlines()
    lines = [line for line in words if '"sshd"' in line or '"systemd"' in line]
    return {line.split()[3].rpartition(":")[2] for line in lines}


def converge(inventory: Path, *more: str) -> subprocess.Popen[str]:
    """Start the scenario's playbook against an inventory; the process has a group of its own."""
    program = Path(sys.executable).with_name("ansible-playbook")
    return subprocess.Popen(
        [str(program), f"--inventory={inventory}", str(PLAYBOOK), *more],
        cwd=REPOSITORY,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def converged(inventory: Path, *more: str) -> str:
    """Return what a whole run says."""
    run = converge(inventory, *more)
    said, _nothing = run.communicate(timeout=180)
    assert run.returncode == 0, said
    return said


@pytest.fixture
def moved(inventory: Path, tmp_path: Path) -> Path:
    """An inventory whose owner has put the new port into it."""
    text = inventory.read_text().replace("my_iface=eth1", "my_iface=eth1 ansible_port=22332")
    copy = tmp_path / "inventory.ini"
    copy.write_text(text)
    for name in ("group_vars", "host_vars"):
        (tmp_path / name).symlink_to(inventory.parent / name)
    return copy


@pytest.mark.parametrize("node", NODES)
def test_sshd_listens_on_the_new_port_alone(node: str) -> None:
    assert ports_of(node) == {"22332"}


@pytest.mark.parametrize("node", NODES)
def test_dead_connections_are_noticed(node: str) -> None:
    said = lab.exec(node, ["sshd", "-T"]).stdout.splitlines()
    wanted = {"tcpkeepalive yes", "clientaliveinterval 30", "clientalivecountmax 3"}
    assert wanted <= set(said)


@pytest.mark.parametrize("node", NODES)
def test_nothing_of_the_trial_is_left(node: str) -> None:
    assert lab.exec(node, ["ls", "/run"]).stdout.count("ssh-trial") == 0


def test_an_inventory_with_the_new_port_is_quiet(moved: Path) -> None:
    said = converged(moved)
    said = " ".join(said.split())
    assert " answers at port " not in said
    assert " does not listen on port " not in said
    assert re.findall(r"ok=\d+ +changed=(\d+)", said) == ["0", "0", "0"]


@pytest.fixture
def hanging_ssh(tmp_path: Path) -> Path:
    """An ssh that never gets through to the port on trial, and leaves a file when it was asked."""
    program = tmp_path / "ssh"
    program.write_text(HANGING_SSH.format(marker=tmp_path / "asked"))
    program.chmod(0o755)
    return program


def test_a_run_that_is_killed_during_the_trial_is_made_good(moved: Path, hanging_ssh: Path) -> None:
    new, first = ("-e", "os_base_ssh_port=22333"), ("--limit", "mol-ssh-n1")
    run = converge(moved, *new, *first, "-e", f"ansible_ssh_executable={hanging_ssh}")
    until = time.monotonic() + 60
    while not (hanging_ssh.parent / "asked").exists():
        assert time.monotonic() < until, "the new port was not tried within 60 s"
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.1)
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    assert ports_of("mol-ssh-n1") == {"22332", "22333"}
    converged(moved, *new, *first)
    assert ports_of("mol-ssh-n1") == {"22333"}
    back = moved.read_text().replace("ansible_port=22332", "ansible_port=22333", 1)
    moved.write_text(back)
    converged(moved, *first)
    assert ports_of("mol-ssh-n1") == {"22332"}
