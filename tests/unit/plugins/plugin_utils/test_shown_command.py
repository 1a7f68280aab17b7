# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims about the command of a run: it can be typed again, and shows no secret."""

from __future__ import annotations

import sys

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.shown_command import (
    arguments_of_this_run,
    command_again,
    shown_command,
)

ARGUMENTS = ["-i", "inv.ini", "provision.yml"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(ARGUMENTS, "-i inv.ini provision.yml", id="as-it-was"),
        pytest.param(
            ["-l", "all", "--limit=x", "--limit", "y", "-vv", *ARGUMENTS],
            "-i inv.ini provision.yml",
            id="its-own-limit",
        ),
        pytest.param(
            [*ARGUMENTS, "-e", "a=1", "-e", "@my vars.yml"],
            "-i inv.ini provision.yml -e a=1 -e '@my vars.yml'",
            id="variables",
        ),
        pytest.param(
            [*ARGUMENTS, "--extra-vars=a=1"],
            "-i inv.ini provision.yml -e a=1",
            id="variables-behind-equals",
        ),
        pytest.param(
            [*ARGUMENTS, "-e", "ray_token=abc", "-e", '{"a": 1}'],
            "-i inv.ini provision.yml -e ... -e ...",
            id="what-may-be-secret",
        ),
        pytest.param(["-e", "password=x", "p.yml"], "-e ... p.yml", id="a-password"),
        pytest.param(["-ek3s_token=abc", "p.yml"], "-e ... p.yml", id="a-secret-in-one-word"),
        pytest.param(["-e=k3s_token=abc", "p.yml"], "-e ... p.yml", id="a-secret-behind-equals"),
        pytest.param(
            ["-bCek3s_token=abc", "p.yml"], "-bC -e ... p.yml", id="a-secret-behind-flags"
        ),
        pytest.param(["-ve", "k3s_token=abc", "p.yml"], "-e ... p.yml", id="the-word-after-flags"),
        pytest.param(["--extra-var=k3s_token=abc", "p.yml"], "-e ... p.yml", id="a-shortened-name"),
        pytest.param(["--e", "k3s_token=abc", "p.yml"], "-e ... p.yml", id="the-shortest-name"),
        pytest.param(["-ea=1", "--ext=b=2", "p.yml"], "-e a=1 -e b=2 p.yml", id="no-secrets"),
        pytest.param(["-ie.ini", "-uek3s", "p.yml"], "-ie.ini -uek3s p.yml", id="values-with-an-e"),
    ],
)
def test_the_command_again_is_for_the_hosts_that_failed(
    arguments: list[str], expected: str
) -> None:
    command = command_again(arguments, ["n1", "n2"])
    assert command == f"ansible-playbook {expected} --limit n1,n2 -v"


@pytest.mark.parametrize(
    "playbook",
    [
        "status.yml",
        "playbooks/drain.yml",
        "upgrade.yml",
        "rackforge.gpu_cluster.rotate_k3s_certificates",
    ],
)
def test_a_playbook_that_refuses_a_limit_is_named_without_one(playbook: str) -> None:
    command = command_again(["-i", "inv.ini", playbook, "-e", "node=n1"], ["n1"])
    assert command == f"ansible-playbook -i inv.ini {playbook} -e node=n1 -v"


def test_the_whole_command_keeps_its_limit_and_no_loudness() -> None:
    arguments = ["-vv", *ARGUMENTS, "--limit", "n1", "-e", "ray_token=abc", "-e", "a=1"]
    assert shown_command(arguments) == (
        "ansible-playbook -i inv.ini provision.yml --limit n1 -e ... -e a=1"
    )


@pytest.mark.parametrize(
    "started",
    [
        pytest.param(["/usr/bin/ansible-playbook"], id="by-its-name"),
        pytest.param(["/lib/ansible/__main__.py", "playbook"], id="as-a-module"),
    ],
)
def test_the_arguments_of_this_run(started: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [*started, *ARGUMENTS])
    assert arguments_of_this_run() == ARGUMENTS
