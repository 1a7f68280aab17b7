# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failures of a run in full, with the next command to type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.progress_text import (
    clock,
    count,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.shown_command import (
    command_again,
)

#: What a message of this collection ends with names one of these.
_COMMAND = re.compile(r"\bansible(-\w+)?\s+-|\bansible-playbook\b|\bsame command again\b")
_OUTPUTS = (("stderr", "stderr"), ("module_stderr", "stderr of the module"))
_FALLBACK_OUTPUTS = (("stdout", "stdout"), ("module_stdout", "stdout of the module"))


@dataclass(frozen=True)
class Failure:
    """A task that failed on a host, or a host that did not answer."""

    host: str
    phase: str
    task: str
    text: str
    place: str = ""
    seconds: float = 0.0
    unreachable: bool = False
    #: It ran once for all hosts, so nothing is learnt by running it for this host alone.
    for_all: bool = False


def _text(value: Any) -> str:
    """Return a message as text; lists of lines are joined."""
    if isinstance(value, (list, tuple)):
        return "\n".join(str(line) for line in value)
    return str(value).strip()


def _outputs(result: Mapping[str, Any]) -> list[str]:
    """Return what a failed command printed: stderr, or stdout where that is empty."""
    for names in (_OUTPUTS, _FALLBACK_OUTPUTS):
        said = [(title, _text(result[name])) for name, title in names if result.get(name)]
        if said:
            return [f"{title}:\n{text}" for title, text in said]
    return []


def _ran(result: Mapping[str, Any]) -> list[str]:
    """Return the command that failed and its exit status, where the task ran one."""
    command = result.get("cmd")
    if not command or "rc" not in result:
        return []
    words = command if isinstance(command, str) else shlex.join(str(word) for word in command)
    return [f"command: {words}\nexit status: {result['rc']}"]


def failure_text(result: Mapping[str, Any]) -> str:
    """Return what a failed result says, for a loop what each failed item says."""
    if "censored" in result:
        return str(result["censored"])
    failed = [
        item
        for item in result.get("results") or ()
        if isinstance(item, Mapping) and (item.get("failed") or item.get("unreachable"))
    ]
    if failed:
        return "\n\n".join(_item_text(item) for item in failed)
    said = _text(result["msg"]) if result.get("msg") else ""
    parts = [said, *_ran(result), *_outputs(result)]
    return "\n".join(part for part in parts if part) or "The task gave no message."


def _item_text(item: Mapping[str, Any]) -> str:
    """Return what one item of a loop says, with its label."""
    if "censored" in item:
        return str(item["censored"])
    label = item.get("_ansible_item_label", item.get(str(item.get("ansible_loop_var", "item")), ""))
    return f"item {_text(label)}: {failure_text(item)}"


def first_line(text: str) -> str:
    """Return the beginning of a message for a line of progress."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def unrescued(failures: Iterable[Failure], counts: Mapping[str, tuple[int, int]]) -> list[Failure]:
    """Return the failures that no rescue took back.

    ``counts`` are those of the recap: (failed, unreachable) by host. A host goes on after a rescue
    and stops after a failure, so its last ones are the real ones.
    """
    kept: list[Failure] = []
    left = {host: list(pair) for host, pair in counts.items()}
    for failure in reversed(list(failures)):
        pair = left.get(failure.host, [0, 0])
        if pair[failure.unreachable] > 0:
            pair[failure.unreachable] -= 1
            kept.append(failure)
    return kept[::-1]


def _same(failures: Sequence[Failure]) -> list[tuple[Failure, list[Failure]]]:
    """Return the failures by what failed and was said, so that each message stands once."""
    found: dict[tuple[str, str, str, bool], list[Failure]] = {}
    for each in failures:
        found.setdefault((each.phase, each.task, each.text, each.unreachable), []).append(each)
    return [(group[0], group) for group in found.values()]


def render_failures(failures: Sequence[Failure], arguments: Sequence[str]) -> list[str]:
    """Return the lines that end a run in which something failed, "" for none.

    Messages are not wrapped: what can be typed stays in one piece.
    """
    if not failures:
        return []
    hosts = list(dict.fromkeys(each.host for each in failures))
    lines = ["", f"FAILED on {count(len(hosts), 'host')}"]
    for first, group in _same(failures):
        what = "did not answer" if first.unreachable else "failed"
        names = list(dict.fromkeys(each.host for each in group))
        longest = clock(max(each.seconds for each in group))
        lines += ["", f"{', '.join(names)}: {what} after {longest}", f"  phase: {first.phase}"]
        lines.append(f"  task:  {first.task}")
        lines += [f"  at:    {first.place}"] if first.place else []
        lines += ["", *(f"  {line}".rstrip() for line in first.text.splitlines())]
        if not _COMMAND.search(first.text):
            command = command_again(arguments, [] if first.for_all else names)
            lines += ["", "  See it again with:", f"  {command}"]
    return lines
