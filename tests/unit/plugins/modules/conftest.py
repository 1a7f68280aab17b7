"""Runs whole modules in this process, with a fake in place of the node's programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

Answer = tuple[int, str, str]


@dataclass
class Node:
    """A node whose programs answer as the test says.

    ``programs`` maps the beginning of a command line to its answers, one for each call; the last
    one is repeated. The longest beginning that fits wins.
    """

    folder: Path
    capture: pytest.CaptureFixture[str]
    programs: dict[str, list[Answer]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    environments: list[dict[str, str]] = field(default_factory=list)

    def answers(self, beginning: str, *answers: Answer) -> None:
        """Say how the commands with this beginning end."""
        self.programs[beginning] = list(answers)

    def run_command(
        self, args: list[str], environ_update: dict[str, str] | None = None, **_ignored: object
    ) -> Answer:
        """Stand in for AnsibleModule.run_command."""
        line = " ".join(args)
        self.calls.append(line)
        self.environments.append(dict(environ_update or {}))
        known = [key for key in self.programs if line.startswith(key)]
        if not known:
            raise AssertionError(f"unexpected command: {line}")
        answers = self.programs[max(known, key=len)]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def get_bin_path(self, arg: str, *_ignored: object, **_ignored_too: object) -> str | None:
        """Stand in for AnsibleModule.get_bin_path: finds the programs that have answers."""
        return arg if any(key.split()[0] == arg for key in self.programs) else None

    def run(self, main: Callable[[], None], *, check: bool = False, **arguments: Any) -> Any:
        """Return what the module answers."""
        arguments.update(
            _ansible_check_mode=check,
            _ansible_tmpdir=str(self.folder),
            _ansible_remote_tmp=str(self.folder),
        )
        self.capture.readouterr()
        with patch_module_args(arguments), pytest.raises(SystemExit):
            main()
        return json.loads(self.capture.readouterr().out)


@pytest.fixture
def node(
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Node:
    """A node without programs; a test says which there are."""
    made = Node(tmp_path_factory.mktemp("node"), capsys)
    monkeypatch.setattr(
        AnsibleModule, "run_command", lambda _self, *a, **k: made.run_command(*a, **k)
    )
    monkeypatch.setattr(
        AnsibleModule, "get_bin_path", lambda _self, *a, **k: made.get_bin_path(*a, **k)
    )
    return made
