# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done before Ansible can work on a machine, what is wrong, and the table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.bootstrap_script import (
    SUDOERS,
    Look,
    rule_path,
    rule_text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.probe_reason import (
    MINIMUM_PYTHON,
    Target,
    explain_privilege,
)

#: The packages that bring a Python new enough, the preferred one first, by package manager and,
#: where the distribution's own python3 is too old, by its release. Enterprise Linux 8 has 3.6;
#: its AppStream repository has 3.12 since 8.10 and 3.11 since 8.8.
PACKAGES = {
    ("dnf", "8"): ("python3.12", "python3.11"),
    ("dnf", ""): ("python3",),
    ("apt-get", ""): ("python3",),
}


@dataclass(frozen=True)
class Wants:
    """What the owner asked for."""

    state: str = "present"
    sudo: bool = False
    python: bool = True
    #: The cluster key; "" when there is none yet (check mode).
    blob: str = ""
    line: str = ""


@dataclass(frozen=True)
class Row:
    """One host in the table."""

    host: str
    login: str = "-"
    key: str = "-"
    sudo: str = "-"
    python: str = "-"
    result: str = "-"


@dataclass(frozen=True)
class Plan:
    """The steps to take, and what stands in the way of others."""

    steps: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    manager: str = ""
    findings: tuple[Finding, ...] = field(default_factory=tuple)


def version_of(text: str) -> tuple[int, ...]:
    """Return a version as numbers; () when ``text`` is none."""
    numbers = re.match(r"(\d+)\.(\d+)", text)
    return tuple(int(each) for each in numbers.groups()) if numbers else ()


def is_new_enough(version: str) -> bool:
    """Return whether the collection's modules run on this Python."""
    return version_of(version) >= MINIMUM_PYTHON


def plan_steps(look: Look, wants: Wants, target: Target) -> Plan:
    """Return what has to be done on a machine that looks like this."""
    if wants.state == "absent":
        steps = ["remove-key"] if look.has_key else []
        return _plan_removal(look, steps, target)
    steps = []
    findings: list[Finding] = []
    if not look.has_key:
        steps.append("install-key")
    # What install-key makes has the right modes from the start.
    if look.directory.split()[:1] not in ([], ["700"]) or look.file.split()[:1] not in (
        [],
        ["600"],
    ):
        steps.append("repair-modes")
    if wants.sudo and look.way not in ("root", "free"):
        problem = _sudo_problem(look, target)
        if problem:
            findings.append(problem)
        else:
            steps.append("write-sudo")
    if not (wants.python and not is_new_enough(look.python_version)):
        return Plan(tuple(steps), findings=tuple(findings))
    return _plan_python(look, steps, findings, target)


def _plan_removal(look: Look, steps: list[str], target: Target) -> Plan:
    """Return how our key and our sudo rule are taken out."""
    if look.rule:
        # With the rule goes the right to remove it, so nothing may come after this.
        steps.append("remove-sudo")
    elif look.way == "none" and look.uid != 0:
        return Plan(tuple(steps), findings=(_unseen_rule(look, target),))
    return Plan(tuple(steps))


def _unseen_rule(look: Look, target: Target) -> Finding:
    """Return the remark that nobody could look for a sudo rule."""
    return Finding(
        severity=Severity.WARNING,
        code="sudo-rule-not-seen",
        host=target.name,
        message=f"{look.user} cannot become root, so nobody could look for a sudo rule of ours.",
        seen=look.refusal or "no way to become root",
        expected=f"no {rule_path(look.user)}",
        fix="run again with -K",
    )


def _sudo_problem(look: Look, target: Target) -> Optional[Finding]:
    """Return why password-free sudo cannot be set up, None when it can."""
    if look.way == "none":
        return explain_privilege(look.refusal, target, look.user)
    if re.fullmatch(r"[A-Za-z_][\w.-]*", look.user):
        return None
    return Finding(
        severity=Severity.ERROR,
        code="sudo-user-odd",
        host=target.name,
        message="The user's name has letters that a sudo rule takes for something else.",
        seen=look.user,
        expected="a name of letters, digits, dots, hyphens and underscores",
        fix=f"write a rule for this user yourself on the node: visudo -f {SUDOERS}/zz-cluster",
        variable="ansible_user",
    )


def _plan_python(
    look: Look, steps: Sequence[str], findings: Sequence[Finding], target: Target
) -> Plan:
    """Return the plan with a Python in it, when the machine can have one."""
    manager = look.managers[0] if look.managers else ""
    packages = packages_for(manager, look.os_version)
    if look.way == "none" or not packages:
        problem = python_problem(look, target)
        extra = [problem] if problem else []
        return Plan(tuple(steps), findings=(*findings, *extra))
    # The key first: it is what a repeated run gets in with.
    return Plan((*steps, "install-python"), packages, manager, tuple(findings))


def packages_for(manager: str, os_version: str) -> tuple[str, ...]:
    """Return the packages with a Python to try in turn, () for a system nobody here knows."""
    release = os_version.partition(".")[0]
    return PACKAGES.get((manager, release), PACKAGES.get((manager, ""), ()))


def python_problem(look: Look, target: Target) -> Optional[Finding]:
    """Return what is wrong with the Python that Ansible will use, None when nothing is."""
    wanted = "Python {}.{} or newer".format(*MINIMUM_PYTHON)
    if look.interpreter and not is_new_enough(look.interpreter_version):
        return Finding(
            severity=Severity.ERROR,
            code="python-too-old",
            host=target.name,
            message="The inventory names a Python that is not there or too old.",
            seen=f"{look.interpreter} {look.interpreter_version or '(does not run)'}",
            expected=wanted
            + (f"; {look.python} {look.python_version} is there" if look.python else ""),
            fix=f"take ansible_python_interpreter off {target.name}: Ansible finds one itself",
            variable="ansible_python_interpreter",
        )
    if look.interpreter or is_new_enough(look.python_version):
        return None
    packages = packages_for(look.managers[0] if look.managers else "", look.os_version)
    how = f"{look.managers[0]} install -y {packages[0]}" if packages else "install one"
    return Finding(
        severity=Severity.ERROR,
        code="python-too-old" if look.python else "python-missing",
        host=target.name,
        message=f"{target.name} has no Python that Ansible and this collection can run on.",
        seen=f"{look.python} {look.python_version}" if look.python else "no python3",
        expected=wanted,
        fix=f"type on the node, as root: {how}",
        variable="ansible_python_interpreter",
    )


def judge(look: Look, wants: Wants, target: Target) -> tuple[Finding, ...]:
    """Return what is wrong with a machine after bootstrap, as the new login sees it."""
    found: list[Finding] = []
    if look.way == "none":
        found.append(explain_privilege(look.refusal, target, look.user))
    if look.way == "password" and wants.sudo:
        found.append(_overruled(look, target))
    if look.way == "password" and not wants.sudo:
        found.append(_asks(look, target))
    problem = python_problem(look, target)
    if problem:
        found.append(problem)
    return tuple(found)


def _overruled(look: Look, target: Target) -> Finding:
    """Return the finding for a rule of ours that sudo does not follow."""
    return Finding(
        severity=Severity.ERROR,
        code="sudo-still-asks",
        host=target.name,
        message=f"The sudo rule is in place, and sudo still asks {look.user} for a password.",
        seen=f"{rule_path(look.user)}: {look.rule or 'not there'}",
        expected=f"a folder that sudo reads, and no later rule about {look.user}",
        fix=f"type on the node, as root: sudo -l -U {look.user}; grep -r includedir /etc/sudoers",
    )


def _asks(look: Look, target: Target) -> Finding:
    """Return the remark that every run will need the sudo password."""
    return Finding(
        severity=Severity.WARNING,
        code="sudo-asks-password",
        host=target.name,
        message=f"sudo asks {look.user} for a password, so every playbook needs -K.",
        seen="sudo works with the password, not without",
        expected="-K with every run, or sudo without a password",
        fix="run again with -e bootstrap_sudo=true -K",
        variable="bootstrap_sudo",
    )


#: What the table says about each step, in the past and in check mode.
STEP_WORDS = {
    "install-key": ("key", "installed", "would be installed"),
    "remove-key": ("key", "removed", "would be removed"),
    "write-sudo": ("sudo", "set up", "would be set up"),
    "remove-sudo": ("sudo", "rule removed", "rule would be removed"),
    "install-python": ("python", "{python} installed", "{packages} would be installed"),
}
WAY_WORDS = {
    "root": "not needed",
    "free": "no password",
    "password": "asks",
    "none": "no",
}


def describe_row(
    host: str,
    login: str,
    look: Look,
    wants: Wants,
    steps: Sequence[str],
    packages: Sequence[str],
    *,
    is_check: bool,
) -> Row:
    """Return the table's row for a machine that was got into."""
    values = {
        "key": "in place" if look.has_key else "none",
        "sudo": WAY_WORDS.get(look.way, look.way),
        "python": look.interpreter_version or look.python_version or "none",
    }
    names = {"python": values["python"], "packages": packages[0] if packages else "python3"}
    for step in steps:
        if step in STEP_WORDS:
            column, past, future = STEP_WORDS[step]
            values[column] = (future if is_check else past).format(**names)
    if not is_check and not is_new_enough(names["python"]):
        values["python"] = names["python"]
    if wants.state == "absent":
        values["python"] = "-"
    result = "to do" if is_check and steps else "-"
    return Row(host, login, values["key"], values["sudo"], values["python"], result)


def render_table(rows: Iterable[Row]) -> str:
    """Return the rows below their headings, in columns."""
    lines = [("HOST", "LOGIN", "KEY", "SUDO", "PYTHON", "RESULT")]
    lines += [(r.host, r.login, r.key, r.sudo, r.python, r.result) for r in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in lines
    )


def inventory_lines(users: Mapping[str, str], key_file: str) -> list[str]:
    """Return the lines that make Ansible log in as bootstrap did, by host or for all of them."""
    key = f"ansible_ssh_private_key_file={key_file}"
    different = sorted(set(users.values()))
    if len(different) == 1:
        return ["[all:vars]", f"ansible_user={different[0]}", key]
    hosts = [f"{host} ansible_user={user}" for host, user in users.items()]
    return [*hosts, "[all:vars]", key]


def rule_lines(user: str) -> dict[str, Any]:
    """Return the sudo rule as a difference to show."""
    return {"before": "", "after": f"{rule_text(user)}\n", "after_header": rule_path(user)}
