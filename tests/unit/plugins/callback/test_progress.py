# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims about what a user reads during a run: ansible-playbook on this machine as four hosts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.plugins.callback.terminal import Session, Terminal, run_in_terminal

PLAYBOOK = """
- name: Prepare the nodes
  hosts: all
  gather_facts: false
  tasks:
    - name: Take a while
      ansible.builtin.command: sleep 2.5
      when: inventory_hostname == 'n1'
    - name: Tell the same
      ansible.builtin.debug:
        msg: all of us
    - name: Tell something of its own
      ansible.builtin.debug:
        msg: "I am {{ inventory_hostname }}"
      when: inventory_hostname == 'n2'
    - name: Keep a secret
      ansible.builtin.command: "false {{ 'hunter' ~ 2 }}"
      no_log: true
      when: inventory_hostname == 'n4'
    - name: Rescue
      block:
        - name: Fail for a moment
          ansible.builtin.fail:
            msg: only for a moment
          when: inventory_hostname == 'n2'
      rescue:
        - name: Repair
          ansible.builtin.debug:
            msg: repaired
- name: Not for these hosts
  hosts: nobody
  tasks:
    - name: Nothing
      ansible.builtin.debug:
- name: Finish
  hosts: all
  gather_facts: false
  serial: 1
  tasks:
    - name: Write a file
      ansible.builtin.copy:
        dest: "{{ playbook_dir }}/{{ inventory_hostname }}"
        content: "written\\n"
        mode: "0600"
    - name: Find the GPUs
      ansible.builtin.fail:
        msg: |-
          Saw no GPU, expected two.
          Next: ansible -i inv.ini -m ping n3
      when: inventory_hostname == 'n3'
"""
PROMPT = """
- name: Before
  hosts: n1
  gather_facts: false
  tasks:
    - name: Take a while
      ansible.builtin.command: sleep 1.2
- name: Ask
  hosts: n1
  gather_facts: false
  vars_prompt:
    - name: answer
      prompt: How many
      private: false
  tasks:
    - name: Ask again
      ansible.builtin.pause:
        prompt: And then
      register: further
    - name: Tell
      ansible.builtin.debug:
        msg: "{{ answer }} and {{ further.user_input }}"
"""
SLEEP = """
- name: Sleep
  hosts: n1
  gather_facts: false
  tasks:
    - name: Take forever
      ansible.builtin.command: sleep 60
"""


@dataclass(frozen=True)
class Desk:
    """A folder with an inventory of four names for this machine."""

    folder: Path
    repository: Path

    @property
    def env(self) -> dict[str, str]:
        """The environment of the runs."""
        return {
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
            "ANSIBLE_CONFIG": str(self.repository / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.repository / ".cache" / "collections"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm",
            "RACKFORGE_PROGRESS_INTERVAL": "1",
        }

    def argv(self, playbook: str, *options: str) -> list[str]:
        """Return the command that runs the text of a playbook."""
        local = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
        hosts = "\n".join(f"n{number} {local}" for number in range(1, 5))
        (self.folder / "inv.ini").write_text(f"{hosts}\n", encoding="utf-8")
        path = self.folder / "site.yml"
        path.write_text(playbook, encoding="utf-8")
        inventory = str(self.folder / "inv.ini")
        return [sys.executable, "-m", "ansible", "playbook", "-i", inventory, str(path), *options]

    def play(self, playbook: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run a playbook without a terminal."""
        return subprocess.run(
            self.argv(playbook, *options), env=self.env, capture_output=True, text=True,
            timeout=120, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def desk_in(factory: pytest.TempPathFactory, repository: Path) -> Desk:
    return Desk(factory.mktemp("desk"), repository)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> str:
    return desk_in(tmp_path_factory, repository).play(PLAYBOOK, "--diff", "-e", "token=abc").stdout


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Session:
    desk = desk_in(tmp_path_factory, repository)
    return run_in_terminal(desk.argv(PLAYBOOK), env=desk.env, size=(20, 100))


def test_a_log_has_a_line_for_each_phase_that_has_hosts(plain: str) -> None:
    lines = [line.split(maxsplit=1)[1] for line in plain.splitlines() if "Phase" in line]
    assert lines == ["Phase 1 of 3: Prepare the nodes", "Phase 3 of 3: Finish"]


def test_a_log_only_grows(plain: str) -> None:
    assert not re.search("[\x1b\r]", plain)


def test_a_log_says_what_is_still_going_on(plain: str) -> None:
    assert re.search(r"^ +0:0\d {4}still: Take a while: n1 0:0\d; 3 done$", plain, re.MULTILINE)


def test_messages_are_told_once_with_their_hosts(plain: str) -> None:
    assert re.search(r"^ +\d:\d\d {4}n1, n2, n3, n4: all of us$|", plain, re.MULTILINE)
    assert plain.count("all of us") == 1
    assert "n2: I am n2" in plain


def test_a_difference_is_shown_below_its_task(plain: str) -> None:
    assert re.search(r"Write a file:\n--- before\n\+\+\+ after", plain)


def test_a_secret_stays_one(plain: str) -> None:
    assert "hunter2" not in plain
    assert "token=abc" not in plain
    assert "'no_log: true' was specified for this result" in plain


def test_the_recap_is_that_of_the_default_callback(plain: str) -> None:
    recap = plain.partition("PLAY RECAP *")[2]
    assert re.search(r"^n2 +: ok=\d+ +changed=1 .* rescued=1 ", recap, re.MULTILINE)


def test_failures_end_the_log_in_full_without_those_that_were_rescued(plain: str) -> None:
    end = plain.partition("FAILED on ")[2]
    assert end.startswith("2 hosts\n")
    assert "only for a moment" not in end
    assert "  Saw no GPU, expected two.\n  Next: ansible -i inv.ini -m ping n3\n" in end
    assert re.search(r"See it again with:\n  ansible-playbook .* -e \.\.\. --limit n4 -v\n", end)


def test_a_run_that_failed_is_no_measure(tmp_path: Path, repository: Path) -> None:
    desk = Desk(tmp_path, repository)
    assert desk.play(SLEEP.replace("sleep 60", "/bin/false")).returncode == 2
    assert not list((tmp_path / ".cache").rglob("site-*.json"))


def test_the_next_run_says_what_is_left(tmp_path: Path, repository: Path) -> None:
    desk = Desk(tmp_path, repository)
    quick = SLEEP.replace("sleep 60", "/bin/true")
    assert "left" not in desk.play(quick).stdout
    stored = json.loads(next((tmp_path / ".cache" / "rackforge").rglob("site-*.json")).read_text())
    assert list(stored["runs"][0]["phases"]) == ["Sleep"]
    again = desk.play(quick).stdout
    assert "Phase 1 of 1: Sleep (less than a minute left)" in again


def test_verbose_output_is_that_of_the_default_callback(tmp_path: Path, repository: Path) -> None:
    said = Desk(tmp_path, repository).play(SLEEP.replace("sleep 60", "/bin/false"), "-v").stdout
    assert "PLAY [Sleep] *" in said
    assert "TASK [Take forever] *" in said
    assert "fatal: [n1]: FAILED! => " in said
    assert "Phase" not in said
    assert said.index("PLAY RECAP") < said.index("FAILED on 1 host")


def test_a_terminal_shows_who_is_at_work(shown: Session) -> None:
    assert any(
        re.search(r"Take a while  \[1 busy, 3 done\]\n    n1     0:0[12]$", screen)
        for screen in shown.seen
    ), shown.seen


def test_a_terminal_is_left_with_what_a_log_has(shown: Session) -> None:
    text = shown.terminal.text
    assert "busy" not in text
    assert text.count("Phase ") == 2
    assert text.index("PLAY RECAP") < text.index("FAILED on 2 hosts")
    assert shown.rc == 2


def test_a_question_stands_alone_and_is_answered(tmp_path: Path, repository: Path) -> None:
    desk = Desk(tmp_path, repository)
    typed: dict[str, float] = {}

    def answer(screen: str, keyboard: int, _process: subprocess.Popen[bytes]) -> None:
        """Type as people do: what Ansible throws away before it listens is typed again."""
        for question, words in (("How many", b"three\r"), ("And then", b"more\r")):
            last = question == "And then"
            waited = time.monotonic() - typed.get(question, 0.0) > 3
            if question in screen and (question not in typed or (last and waited)):
                typed[question] = time.monotonic()
                os.write(keyboard, words)

    session = run_in_terminal(desk.argv(PROMPT), env=desk.env, on_screen=answer)
    assert session.rc == 0, session.terminal.text
    assert "n1: three and more" in session.terminal.text
    assert "busy" not in session.terminal.text


def test_an_interrupted_run_takes_its_block_away(tmp_path: Path, repository: Path) -> None:
    desk = Desk(tmp_path, repository)
    sent: list[bool] = []

    def interrupt(screen: str, _keyboard: int, process: subprocess.Popen[bytes]) -> None:
        if "busy" in screen and not sent:
            sent.append(True)
            os.killpg(process.pid, signal.SIGINT)

    session = run_in_terminal(desk.argv(SLEEP), env=desk.env, on_screen=interrupt)
    assert session.rc != 0
    assert "interrupted" in session.terminal.text
    assert "busy" not in session.terminal.text


def test_the_default_callback_is_one_variable_away(tmp_path: Path, repository: Path) -> None:
    desk = Desk(tmp_path, repository)
    done = subprocess.run(
        desk.argv(SLEEP.replace("sleep 60", "/bin/true")),
        env={**desk.env, "ANSIBLE_STDOUT_CALLBACK": "default"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "TASK [Take forever] *" in done.stdout
    assert "Phase" not in done.stdout


def test_the_model_of_a_terminal_wraps_and_clears() -> None:
    terminal = Terminal(columns=4)
    terminal.write("keep\nabcdef\n")
    assert terminal.text == "keep\nabcd\nef"
    terminal.write("\r\x1b[2A\x1b[Jnew\n")
    assert terminal.text == "keep\nnew"
