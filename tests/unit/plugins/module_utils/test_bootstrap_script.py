"""Claims about bootstrap's shell scripts, run by this machine's own sh in a home of their own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.bootstrap_script import (
    Look,
    UnreadableError,
    look_script,
    parse_look,
    parse_steps,
    rule_path,
    rule_text,
    step_script,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.ssh_login import COMMAND

BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIOQ7gK7JKqjKGfTZFzYfhYN2mF"
LINE = f"ssh-ed25519 {BLOB} rackforge cluster research"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAwanqv23o3QOEoEmfReAe me@home"
SUDO = """#!/bin/sh
# A stand-in for sudo: takes the password $SUDO_WANTS, none when that is empty.
stdin=
while [ "$1" != "${1#-}" ]; do case $1 in -S) stdin=1;; -p) shift;; esac; shift; done
if [ -n "$SUDO_WANTS" ]; then
  [ -n "$stdin" ] || { echo 'sudo: a password is required' >&2; exit 1; }
  read -r given
  [ "$given" = "$SUDO_WANTS" ] || { echo 'Sorry, try again.' >&2; exit 1; }
fi
exec "$@"
"""


class Machine:
    """A home directory and a PATH."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.bin = folder / "bin"
        self.home.mkdir(mode=0o755)
        self.bin.mkdir()
        self.env = {"HOME": str(self.home), "PATH": f"{self.bin}:/usr/bin:/bin"}

    def program(self, name: str, text: str) -> None:
        """Put a program in front of the machine's own ones."""
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def run(self, script: str, secret: str = "") -> str:
        """Return what a script prints, run as a login does it."""
        done = subprocess.run(
            ["/bin/sh", "-c", COMMAND],  # as sshd does
            input=f"{secret}\n{script}",
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    def look(self, secret: str = "", candidates: tuple[str, ...] = ("python3",)) -> Look:
        """Return how the machine looks."""
        return parse_look(self.run(look_script(BLOB, "alice", candidates), secret))

    def take(self, *steps: str, **more: Any) -> tuple[list[str], dict[str, str]]:
        """Take steps."""
        return parse_steps(self.run(step_script(steps, BLOB, LINE, "alice", **more)))

    @property
    def keys(self) -> Path:
        """The file with the keys."""
        return self.home / ".ssh" / "authorized_keys"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which nobody has a key yet."""
    return Machine(tmp_path)


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


def test_the_key_is_installed_with_the_right_modes(machine: Machine) -> None:
    assert machine.take("install-key") == (["install-key"], {})
    assert machine.keys.read_text() == f"{LINE}\n"
    assert (mode(machine.keys.parent), mode(machine.keys)) == ("0o700", "0o600")
    assert machine.look().has_key is True


def test_other_keys_survive_and_a_last_line_without_its_end_too(machine: Machine) -> None:
    machine.keys.parent.mkdir(mode=0o700)
    machine.keys.write_text(OTHER)
    machine.take("install-key")
    assert machine.keys.read_text() == f"{OTHER}\n{LINE}\n"


def test_the_key_is_installed_once(machine: Machine) -> None:
    machine.take("install-key")
    machine.take("install-key")
    assert machine.keys.read_text() == f"{LINE}\n"


def test_a_key_with_options_of_the_owners_counts_as_installed(machine: Machine) -> None:
    machine.keys.parent.mkdir(mode=0o700)
    machine.keys.write_text(f'from="198.18.0.1" {LINE}\n')
    assert machine.look().has_key is True


def test_a_key_in_a_comment_does_not_count(machine: Machine) -> None:
    machine.keys.parent.mkdir(mode=0o700)
    machine.keys.write_text(f"  # {LINE}\n")
    assert machine.look().has_key is False


def test_modes_are_repaired(machine: Machine) -> None:
    machine.take("install-key")
    machine.keys.parent.chmod(0o775)
    machine.keys.chmod(0o664)
    assert machine.look().directory.split()[0] == "775"
    assert machine.take("repair-modes") == (["repair-modes"], {})
    assert (mode(machine.keys.parent), mode(machine.keys)) == ("0o700", "0o600")


def test_only_our_line_is_taken_out_of_a_file_behind_a_link(machine: Machine) -> None:
    elsewhere = machine.home / "keys"
    elsewhere.write_text(f"{OTHER}\n{LINE}\n# a note\n")
    elsewhere.chmod(0o640)
    machine.keys.parent.mkdir(mode=0o700)
    machine.keys.symlink_to(elsewhere)
    assert machine.take("remove-key") == (["remove-key"], {})
    assert machine.keys.is_symlink()
    assert elsewhere.read_text() == f"{OTHER}\n# a note\n"
    assert mode(elsewhere) == "0o640"


def test_a_file_with_nothing_but_our_line_becomes_empty(machine: Machine) -> None:
    machine.take("install-key")
    assert machine.take("remove-key") == (["remove-key"], {})
    assert machine.keys.read_text() == ""


def test_a_step_that_fails_says_why_and_the_next_one_is_taken(machine: Machine) -> None:
    taken, failed = machine.take("remove-key", "install-key")
    assert taken == ["install-key"]
    assert list(failed) == ["remove-key"]


@pytest.mark.parametrize(
    ("wants", "secret", "way", "refusal"),
    [
        pytest.param("s ec'r\\et", "s ec'r\\et", "password", "", id="odd-letters"),
        pytest.param("right", "wrong", "none", "Sorry, try again.", id="wrong"),
        pytest.param("right", "", "none", "sudo: a password is required", id="not-given"),
    ],
)
def test_sudo_is_tried_with_the_password_it_is_given(
    machine: Machine, wants: str, secret: str, way: str, refusal: str
) -> None:
    machine.program(
        "id", '#!/bin/sh\ncase "$1" in -un) echo alice;; *) echo "${UID_SEEN:-1001}";; esac\n'
    )
    machine.program("sudo", SUDO.replace("exec ", "UID_SEEN=0 exec "))
    machine.env["SUDO_WANTS"] = wants
    look = machine.look(secret)
    assert (look.way, look.refusal) == (way, refusal)


def test_the_password_is_in_no_environment(machine: Machine) -> None:
    machine.env["p"] = "exported-before"
    assert "geheim" not in machine.run('env; echo "${#p}"', "geheim")
    assert machine.run('printf %s "$p"', "geheim") == "geheim"


def test_the_first_interpreter_that_is_there_is_looked_at(machine: Machine) -> None:
    machine.program("python3.12", "#!/bin/sh\necho 3.12.8\n")
    look = machine.look(candidates=("python3.99", "python3.12", "python3"))
    assert (look.python, look.python_version) == (str(machine.bin / "python3.12"), "3.12.8")


def test_a_python_comes_from_the_first_package_that_is_there(machine: Machine) -> None:
    machine.program("id", "#!/bin/sh\necho 0\n")
    machine.program(
        "dnf", '#!/bin/sh\necho "$*" >>"$HOME/log"\n[ "$4" = python3.11 ] && umask >"$HOME/umask"\n'
    )
    taken = machine.take("install-python", manager="dnf", packages=("python3.12", "python3.11"))
    assert taken == (["install-python"], {})
    assert (machine.home / "umask").read_text() == "0022\n"
    log = (machine.home / "log").read_text()
    assert log == "-y -q install python3.12\n-y -q install python3.11\n"


def test_package_lists_are_fetched_only_when_they_are_too_old(machine: Machine) -> None:
    machine.program("id", "#!/bin/sh\necho 0\n")
    apt = '#!/bin/sh\necho "$*" >>"$HOME/log"\ncase "$*" in *update*) : >"$HOME/new";; esac\n'
    machine.program("apt-get", apt + '[ -e "$HOME/new" ]\n')
    machine.take("install-python", manager="apt-get", packages=("python3",))
    verbs = [line.split()[4] for line in (machine.home / "log").read_text().splitlines()]
    assert verbs == ["install", "update", "install"]


def test_an_answer_that_was_cut_off_is_no_answer() -> None:
    with pytest.raises(UnreadableError, match="This account is currently not available"):
        parse_look("This account is currently not available.\n")


def test_a_greeting_is_not_part_of_the_answer(machine: Machine) -> None:
    text = machine.run(look_script(BLOB, "alice", ()))
    assert parse_look(f"Welcome!\n@ all\n{text}") == parse_look(text)


def test_our_rule_sorts_behind_the_owners_and_has_no_dot() -> None:
    assert rule_path("ann.lee") == "/etc/sudoers.d/zz-rackforge-ann_lee"
    assert rule_text("ann.lee") == "ann.lee ALL=(ALL:ALL) NOPASSWD: ALL"


@pytest.mark.parametrize("script", ["look", "step"])
def test_values_cannot_end_their_quotes(machine: Machine, script: str) -> None:
    evil = "'; touch $HOME/evil; '"
    text = (
        look_script(evil, evil, (evil,)) if script == "look" else step_script((), evil, evil, evil)
    )
    machine.run(text)
    assert not (machine.home / "evil").exists()
