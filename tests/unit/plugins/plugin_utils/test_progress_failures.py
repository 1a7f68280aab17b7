# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failures end a run in full, with the next command to type."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.progress_failures import (
    Failure,
    failure_text,
    render_failures,
    unrescued,
)

ARGUMENTS = ["-i", "inv.ini", "provision.yml"]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(
            {"msg": "Saw no GPU.\nTry: nvidia-smi\n"}, "Saw no GPU.\nTry: nvidia-smi", id="lines"
        ),
        pytest.param({"msg": ["one", "two"]}, "one\ntwo", id="a-list-of-lines"),
        pytest.param({}, "The task gave no message.", id="nothing"),
        pytest.param({"censored": "hidden", "msg": "secret"}, "hidden", id="no-log"),
        pytest.param(
            {
                "msg": "non-zero return code",
                "cmd": ["ls", "/a b"],
                "rc": 2,
                "stderr": "no such",
                "stdout": "x",
            },
            "non-zero return code\ncommand: ls '/a b'\nexit status: 2\nstderr:\nno such",
            id="a-command",
        ),
        pytest.param(
            {"msg": "broke", "module_stdout": "Traceback"},
            "broke\nstdout of the module:\nTraceback",
            id="a-module-that-broke",
        ),
        pytest.param(
            {
                "msg": "All items completed",
                "results": [
                    {"item": "a", "failed": True, "msg": "bad a", "ansible_loop_var": "item"},
                    {"item": "b", "msg": "fine"},
                    {"_ansible_item_label": "see", "failed": True, "msg": "bad c"},
                    {"failed": True, "censored": "hidden"},
                ],
            },
            "item a: bad a\n\nitem see: bad c\n\nhidden",
            id="items-that-failed",
        ),
    ],
)
def test_a_failure_says_all_that_its_result_says(result: dict[str, Any], expected: str) -> None:
    assert failure_text(result) == expected


def failure(host: str, text: str = "", **more: Any) -> Failure:
    return Failure(host, "Prepare", "docker: Install", text, **more)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        pytest.param({"n1": (0, 0)}, [], id="both-were-rescued"),
        pytest.param({"n1": (1, 0)}, ["second"], id="the-last-one-ended-the-host"),
        pytest.param({"n1": (2, 0)}, ["first", "second"], id="both-count"),
        pytest.param({}, [], id="a-host-without-counts"),
    ],
)
def test_rescued_failures_are_left_out(
    counts: dict[str, tuple[int, int]], expected: list[str]
) -> None:
    seen = [failure("n1", "first"), failure("n1", "second")]
    assert [each.text for each in unrescued(seen, counts)] == expected


def test_a_host_that_did_not_answer_is_counted_as_such() -> None:
    seen = [failure("n1", "rescued"), failure("n1", "away", unreachable=True)]
    assert [each.text for each in unrescued(seen, {"n1": (0, 1)})] == ["away"]


def test_what_ran_once_for_all_hosts_is_seen_again_with_all_of_them() -> None:
    lines = render_failures([failure("n1", "Bad.", for_all=True)], ["--limit", "n1,n2", "p.yml"])
    assert lines[-1] == "  ansible-playbook --limit n1,n2 p.yml -v"


def test_a_failure_stands_in_full_with_the_next_command() -> None:
    one = failure("n1", "Saw nothing.\n  Expected more.", place="install.yml:12", seconds=42.0)
    assert render_failures([one], ARGUMENTS) == [
        "",
        "FAILED on 1 host",
        "",
        "n1: failed after 0:42",
        "  phase: Prepare",
        "  task:  docker: Install",
        "  at:    install.yml:12",
        "",
        "  Saw nothing.",
        "    Expected more.",
        "",
        "  See it again with:",
        "  ansible-playbook -i inv.ini provision.yml --limit n1 -v",
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Try: ansible -i inv.ini -m ping n1", id="ansible"),
        pytest.param("Then: ansible-playbook -i inv.ini provision.yml", id="ansible-playbook"),
        pytest.param("Mend it, then run the same command again.", id="the-same-command"),
    ],
)
def test_a_message_that_names_a_command_keeps_the_last_word(text: str) -> None:
    assert render_failures([failure("n1", text)], ARGUMENTS)[-1] == f"  {text}"


def test_hosts_that_fail_alike_share_a_message_and_are_all_named() -> None:
    seen = [failure(f"n{number}", "Saw no GPU.") for number in range(100)]
    lines = render_failures([*seen, failure("n7", "other")], ARGUMENTS)
    assert lines[1] == "FAILED on 100 hosts"
    assert lines.count("  Saw no GPU.") == 1
    assert lines[3] == f"{', '.join(f'n{number}' for number in range(100))}: failed after 0:00"


def test_a_host_that_is_away_did_not_answer() -> None:
    lines = render_failures([failure("n1", "timed out", unreachable=True)], ARGUMENTS)
    assert "n1: did not answer after 0:00" in lines


def test_a_run_without_failures_ends_without_a_word() -> None:
    assert render_failures([], ARGUMENTS) == []
