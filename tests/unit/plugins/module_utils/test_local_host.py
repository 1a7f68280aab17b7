"""Claims about starting programs without Ansible."""

from __future__ import annotations

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.local_host import LocalHost


def test_a_program_is_fed_and_heard() -> None:
    result = Command(LocalHost()).run(["sh", "-c", "cat; echo no >&2; exit 3"], text="yes")
    assert (result.rc, result.out, result.err) == (3, "yes", "no\n")


def test_programs_speak_one_language() -> None:
    assert Command(LocalHost()).need(["sh", "-c", "echo $LC_ALL"]) == "C.UTF-8\n"


def test_a_missing_program_is_an_exit_status_as_in_a_shell() -> None:
    result = Command(LocalHost()).run(["/nowhere/at/all"])
    assert (result.rc, result.err) == (127, "/nowhere/at/all: No such file or directory")


def test_programs_are_found_by_name() -> None:
    command = Command(LocalHost())
    assert (command.find("no-such-program-here"), bool(command.find("sh"))) == (None, True)
