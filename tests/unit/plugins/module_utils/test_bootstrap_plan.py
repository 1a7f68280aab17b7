"""Claims about what bootstrap does to a machine, and what it says about it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.bootstrap_plan import (
    Plan,
    Row,
    Wants,
    describe_row,
    inventory_lines,
    is_new_enough,
    judge,
    packages_for,
    plan_steps,
    render_table,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.bootstrap_script import Look
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.probe_reason import Target

TARGET = Target("gpu01", address="203.0.113.11", user="alice")
READY = Look(
    user="alice",
    uid=1001,
    os_id="debian",
    os_version="12",
    managers=("apt-get",),
    python="/usr/bin/python3",
    python_version="3.11.2",
    home="755 1001",
    directory="700 1001",
    file="600 1001",
    has_key=True,
    way="free",
)
EL8 = replace(
    READY,
    os_id="rocky",
    os_version="8.10",
    managers=("dnf",),
    python="/usr/bin/python3",
    python_version="3.6.8",
)
WANTS = Wants(blob="AAAA", line="ssh-ed25519 AAAA x")


@pytest.mark.parametrize(
    ("look", "wants", "expected"),
    [
        pytest.param(READY, WANTS, Plan(), id="ready"),
        pytest.param(
            replace(READY, has_key=False, directory="", file=""),
            WANTS,
            Plan(("install-key",)),
            id="no-key",
        ),
        pytest.param(
            replace(READY, has_key=False, directory="755 1001", file="644 1001"),
            WANTS,
            Plan(("install-key", "repair-modes")),
            id="no-key-and-open-modes",
        ),
        pytest.param(
            replace(READY, file="664 1001"), WANTS, Plan(("repair-modes",)), id="open-file"
        ),
        pytest.param(
            replace(READY, way="password"), WANTS, Plan(), id="sudo-asks-and-nobody-minds"
        ),
        pytest.param(
            replace(READY, way="password"),
            replace(WANTS, sudo=True),
            Plan(("write-sudo",)),
            id="sudo-asks",
        ),
        pytest.param(READY, replace(WANTS, sudo=True), Plan(), id="sudo-is-free-by-other-means"),
        pytest.param(
            replace(READY, way="root", uid=0, user="root"),
            replace(WANTS, sudo=True),
            Plan(),
            id="root-needs-no-sudo",
        ),
        pytest.param(
            EL8,
            WANTS,
            Plan(("install-python",), ("python3.12", "python3.11"), "dnf"),
            id="el8",
        ),
        pytest.param(
            replace(EL8, python="/usr/bin/python3.12", python_version="3.12.8"),
            WANTS,
            Plan(),
            id="el8-with-python3.12",
        ),
        pytest.param(EL8, replace(WANTS, python=False), Plan(), id="el8-left-alone"),
        pytest.param(
            replace(EL8, os_version="9.4", python="", python_version=""),
            WANTS,
            Plan(("install-python",), ("python3",), "dnf"),
            id="el9-without-python",
        ),
        pytest.param(
            replace(READY, python="", python_version=""),
            WANTS,
            Plan(("install-python",), ("python3",), "apt-get"),
            id="debian-without-python",
        ),
        pytest.param(
            replace(READY, rule="alice ALL=..."),
            replace(WANTS, state="absent"),
            Plan(("remove-key", "remove-sudo")),
            id="absent-takes-the-rule-last",
        ),
        pytest.param(
            replace(READY, has_key=False), replace(WANTS, state="absent"), Plan(), id="absent-done"
        ),
    ],
)
def test_steps(look: Look, wants: Wants, expected: Plan) -> None:
    assert plan_steps(look, wants, TARGET) == expected


def test_without_a_way_to_root_nothing_of_roots_is_planned() -> None:
    look = replace(EL8, way="none", refusal="sudo: a password is required")
    plan = plan_steps(look, replace(WANTS, sudo=True), TARGET)
    assert plan.steps == ()
    assert [each.code for each in plan.findings] == ["sudo-password-missing", "python-too-old"]
    assert plan.findings[1].fix == "type on the node, as root: dnf install -y python3.12"


def test_a_user_whose_name_sudo_would_misread_gets_no_rule() -> None:
    look = replace(READY, way="password", user="LAB\\alice")
    plan = plan_steps(look, replace(WANTS, sudo=True), TARGET)
    assert (plan.steps, [each.code for each in plan.findings]) == ((), ["sudo-user-odd"])


@pytest.mark.parametrize(
    ("look", "wants", "codes"),
    [
        pytest.param(READY, WANTS, [], id="ready"),
        pytest.param(replace(READY, way="password"), WANTS, ["sudo-asks-password"], id="asks"),
        pytest.param(
            replace(READY, way="password", rule="alice ALL=(ALL:ALL) NOPASSWD: ALL"),
            replace(WANTS, sudo=True),
            ["sudo-still-asks"],
            id="rule-without-effect",
        ),
        pytest.param(
            replace(READY, way="none", refusal="alice is not in the sudoers file."),
            WANTS,
            ["no-sudo"],
            id="no-sudoer",
        ),
        pytest.param(EL8, WANTS, ["python-too-old"], id="old-python"),
        pytest.param(
            replace(READY, interpreter="/usr/bin/python3.6", interpreter_version="3.6.8"),
            WANTS,
            ["python-too-old"],
            id="the-inventory-names-an-old-one",
        ),
        pytest.param(
            replace(EL8, interpreter="/usr/bin/python3.12", interpreter_version="3.12.8"),
            WANTS,
            [],
            id="the-inventory-names-a-new-one",
        ),
    ],
)
def test_verdict(look: Look, wants: Wants, codes: list[str]) -> None:
    assert [finding.code for finding in judge(look, wants, TARGET)] == codes


@pytest.mark.parametrize(
    ("version", "expected"),
    [("3.6.8", False), ("3.8.20", False), ("3.9.0", True), ("3.12.1", True), ("", False)],
)
def test_new_enough(version: str, expected: bool) -> None:
    assert is_new_enough(version) is expected


@pytest.mark.parametrize(
    ("manager", "version", "expected"),
    [
        ("dnf", "8.10", ("python3.12", "python3.11")),
        ("dnf", "8", ("python3.12", "python3.11")),
        ("dnf", "10.0", ("python3",)),
        ("apt-get", "22.04", ("python3",)),
        ("", "1", ()),
    ],
)
def test_packages_of_a_platform(manager: str, version: str, expected: tuple[str, ...]) -> None:
    assert packages_for(manager, version) == expected


def test_the_row_says_what_was_done_and_what_would_be() -> None:
    steps, packages = ["install-key", "write-sudo", "install-python"], ["python3.12"]
    look = replace(EL8, python_version="3.12.8")
    done = describe_row("gpu01", "alice@x", look, WANTS, steps, packages, is_check=False)
    assert done == Row("gpu01", "alice@x", "installed", "set up", "3.12.8 installed", "-")
    coming = describe_row("gpu01", "alice@x", EL8, WANTS, steps, packages, is_check=True)
    assert coming == Row(
        "gpu01",
        "alice@x",
        "would be installed",
        "would be set up",
        "python3.12 would be installed",
        "to do",
    )


def test_the_table_is_in_columns() -> None:
    rows = [Row("gpu01", "alice@203.0.113.11 (password)", "installed", "set up", "3.12.8", "ok")]
    assert render_table(rows) == (
        "HOST   LOGIN                          KEY        SUDO    PYTHON  RESULT\n"
        "gpu01  alice@203.0.113.11 (password)  installed  set up  3.12.8  ok"
    )


def test_the_inventory_lines_are_one_for_all_where_they_can_be() -> None:
    assert inventory_lines({"n1": "ops", "n2": "ops"}, "/k") == [
        "[all:vars]",
        "ansible_user=ops",
        "ansible_ssh_private_key_file=/k",
    ]
    assert inventory_lines({"n1": "ops", "n2": "root"}, "/k") == [
        "n1 ansible_user=ops",
        "n2 ansible_user=root",
        "[all:vars]",
        "ansible_ssh_private_key_file=/k",
    ]
