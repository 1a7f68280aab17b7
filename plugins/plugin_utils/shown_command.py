# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command of a run as it may be shown, kept and typed again: no secret stands in it."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

#: Stands for an extra variable that may hold a secret.
HIDDEN = "..."
#: Options that a run for the failed hosts alone must not repeat.
_LIMITS = ("-l", "--limit", "--start-at-task")
#: Ansible takes a long option by its beginning too, and nothing else of its options begins so.
_EXTRA = re.compile(r"--e[\w-]*")
#: Options of one letter may stand in one word: those without a value, then one with its value.
_LETTERS = re.compile(r"-(?P<flags>[vCDbkKJh]*)e(?P<value>.*)", re.DOTALL)
#: Playbooks that refuse a limit to the hosts that failed, or need others beside them.
_WHOLE = {
    *("drain", "remove_node", "rotate_k3s_certificates", "rotate_k3s_tokens", "rotate_ray_token"),
    *("status", "undrain", "upgrade"),
}
_LOUD = re.compile(r"-v+|--verbose")
_PLAIN_VARIABLE = re.compile(r"(\w+)=[\w./:,-]*")
_SECRET = re.compile(r"pass|token|secret|key|credential", re.IGNORECASE)


def arguments_of_this_run() -> list[str]:
    """Return the words after ansible-playbook, also where it ran as ``python -m ansible``."""
    started_as_module = Path(sys.argv[0]).name == "__main__.py"
    return sys.argv[2 if started_as_module else 1 :]


def _extra(value: str) -> str:
    """Return an extra variable as it may be shown: files and plain values, no secrets."""
    plain = _PLAIN_VARIABLE.fullmatch(value)
    shown = value.startswith("@") or (plain and not _SECRET.search(plain[1]))
    return shlex.quote(value) if shown else HIDDEN


def _split(arguments: Sequence[str]) -> list[str]:
    """Return the words with each extra variable in a word of its own, behind a -e of its own."""
    words: list[str] = []
    for word in arguments:
        if words[-1:] == ["-e"]:
            words.append(word)
            continue
        name, equals, value = word.partition("=")
        letters = _LETTERS.fullmatch(word)
        if letters:
            flags, value = letters["flags"], letters["value"]
            words += [f"-{flags}", "-e"] if flags else ["-e"]
            words += [value[value.startswith("=") :]] if value else []
        elif _EXTRA.fullmatch(name):
            words += ["-e", value] if equals else ["-e"]
        else:
            words.append(word)
    return words


def _needs_all(arguments: Sequence[str]) -> bool:
    """Return whether a playbook is called that is not for some hosts alone."""
    names = (word.rpartition("/")[2].removesuffix(".yml") for word in arguments)
    return any(name.rpartition(".")[2] in _WHOLE for name in names)


def shown_command(arguments: Sequence[str], without: Sequence[str] = ()) -> str:
    """Return the command of a run; options in ``without`` are left out with their values."""
    words, rest = ["ansible-playbook"], _split(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, _value = word.partition("=")
        if word in without or (name in without and equals):
            rest = rest if equals else rest[1:]
        elif word == "-e" and rest:
            words += [word, _extra(rest.pop(0))]
        elif not _LOUD.fullmatch(word):
            words.append(shlex.quote(word))
    return " ".join(words)


def command_again(arguments: Sequence[str], hosts: Sequence[str]) -> str:
    """Return the command that runs a playbook again and shows results.

    It is for some hosts; without any, and where the playbook needs all, for those that it was for.
    """
    hosts = () if _needs_all(arguments) else hosts
    command = shown_command(arguments, _LIMITS if hosts else ())
    limit = f" --limit {shlex.quote(','.join(hosts))}" if hosts else ""
    return f"{command}{limit} -v"
