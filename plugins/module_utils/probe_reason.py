# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a node could not be probed: the text of a failed connection or escalation, as a Finding.

The text is what Ansible's connection plugins raise and what ssh and sudo print.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)

MINIMUM_PYTHON = (3, 9)

# Findings that mean: nothing was learnt about this node, because it did not let us in.
UNREACHABLE_CODES = frozenset(
    {"unreachable", "host-key-changed", "host-key-unknown", "login-refused", "no-answer"}
)

_NOISE = re.compile(
    r"^(@+|Warning: |\*\* |debug\d: |Pseudo-terminal|Connection to .* closed\.?$|mux_client|$)"
)
_TELLING = re.compile(
    r"Permission denied|Could not resolve|timed out|refused|No route|unreachable|"
    r"Host key verification|closed by|reset by|Too many authentication|no such identity|"
    r"Connection closed|kex_exchange|Timeout|UNPROTECTED|bad permissions",
    re.IGNORECASE,
)
_BECOME = re.compile(
    r"password is required|(Missing|Incorrect) \S+ password|not in the sudoers|"
    r"is not allowed to (execute|run)|may not run sudo|must have a tty|"
    r"privilege escalation|[Bb]ecome (plugin|password)|incorrect password attempt|"
    r"sudo: .*not found|sudo: no tty|Sorry, try again|Sorry, user",
)
_NO_HOST_KEY = re.compile(r"host key is known|Host key verification failed")
_NO_PYTHON = re.compile(
    r"module interpreter .* was not found|python\S*: (No such file|not found|command not found)|"
    r"No python interpreters found|interpreter .* (was )?not found",
    re.IGNORECASE,
)
_OLD_PYTHON = re.compile(
    r"requires a minimum of Python.*?(?:Current version: (?P<version>[\d.]+))|"
    r"future feature annotations is not defined",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Target:
    """How Ansible reaches a node."""

    name: str
    transport: str = "ssh"
    address: str = ""
    user: str = ""
    port: int = 0
    key_file: str = ""
    options: tuple[str, ...] = ()

    @property
    def login(self) -> str:
        """Return user@address, or the address alone when ssh decides about the user."""
        address = self.address or self.name
        return f"{self.user}@{address}" if self.user else address

    @property
    def try_command(self) -> str:
        """Return the command that shows a person the same failure."""
        if self.transport.rpartition(".")[2] != "ssh":
            return f"ansible -m ansible.builtin.ping {shlex.quote(self.name)}"
        words = ["ssh", *self.options]
        words += ["-p", str(self.port)] if self.port else []
        words += ["-i", self.key_file] if self.key_file else []
        return " ".join(shlex.quote(word) for word in [*words, self.login, "true"])

    @property
    def known_hosts_file(self) -> str:
        """Return the file that ssh keeps this node's host key in."""
        for option in self.options:
            name, equals, value = option.removeprefix("-o").strip().partition("=")
            if equals and name.lower() == "userknownhostsfile":
                return value.split()[0] if value.split() else "~/.ssh/known_hosts"
        return "~/.ssh/known_hosts"

    @property
    def scan_command(self) -> str:
        """Return the command that takes the node's host keys over."""
        port = f"-p {self.port} " if self.port not in (0, 22) else ""
        address = shlex.quote(self.address or self.name)
        return f"ssh-keyscan {port}{address} >> {self.known_hosts_file}"

    @property
    def known_hosts_name(self) -> str:
        """Return the node's name in a known_hosts file."""
        address = self.address or self.name
        return address if self.port in (0, 22) else f"[{address}]:{self.port}"


def one_line(text: str) -> str:
    """Return the line of ``text`` that says what went wrong, without Ansible's preamble."""
    text = re.sub(r"Failed to connect to the host via \S+?:\s?", "", text, count=1)
    text = re.sub(r"^(Task failed: )?(Action failed: )?", "", text.strip())
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not _NOISE.match(line)]
    telling = [line for line in lines if _TELLING.search(line)]
    return (telling or lines or ["no reason given"])[-1][:300]


def explain_unreachable(text: str, target: Target) -> Finding:
    """Return the finding for a node that could not be logged in to."""
    if "IDENTIFICATION HAS CHANGED" in text or re.search(r"Offending \S+ key in", text):
        return _host_key_changed(text, target)
    if "Host key verification failed" in text:
        return Finding(
            severity=Severity.ERROR,
            code="host-key-unknown",
            host=target.name,
            message=f"The SSH host key of {target.known_hosts_name} is not known here.",
            seen=_matching_line(_NO_HOST_KEY, text),
            expected=f"a host key that you have checked, in {target.known_hosts_file}",
            fix=f"{target.scan_command}   (compare: ssh-keygen -lf {target.known_hosts_file})",
        )
    if re.search(r"Permission denied|Too many authentication|Failed to authenticate", text):
        return Finding(
            severity=Severity.ERROR,
            code="login-refused",
            host=target.name,
            message=f"{target.name} answers, but does not let {target.login} in.",
            seen=one_line(text),
            expected="a login with a key or password that the node accepts",
            fix=target.try_command,
        )
    return Finding(
        severity=Severity.ERROR,
        code="unreachable",
        host=target.name,
        message=f"{target.name} could not be reached at {target.known_hosts_name}.",
        seen=one_line(text),
        expected="a node that is on, with an SSH server that answers the control node",
        fix=target.try_command,
    )


def _host_key_changed(text: str, target: Target) -> Finding:
    """Return the finding for a host key that differs from the recorded one."""
    offending = re.search(r"Offending (?P<kind>\S+) key in (?P<file>\S+):(?P<line>\d+)", text)
    where = ["-f", offending["file"]] if offending else []
    presented = re.search(r"\b(SHA256:[A-Za-z0-9+/]+)", text)
    forget = " ".join(shlex.quote(w) for w in ["ssh-keygen", "-R", target.known_hosts_name, *where])
    return Finding(
        severity=Severity.ERROR,
        code="host-key-changed",
        host=target.name,
        message=(
            f"The SSH host key of {target.known_hosts_name} is not the one on record: the node was"
            " installed anew, or another machine answers at its address."
        ),
        seen=f"a host key with fingerprint {presented[1]}" if presented else "a different host key",
        expected=f"the key in {offending['file']} line {offending['line']}"
        if offending
        else "the key in your known_hosts file",
        fix=f"{forget} && {target.try_command}   (only once you know why it changed)",
    )


def no_answer(seconds: int, target: Target) -> Finding:
    """Return the finding for a node that accepted the connection and then fell silent."""
    return Finding(
        severity=Severity.ERROR,
        code="no-answer",
        host=target.name,
        message=f"{target.name} did not answer a first question within {seconds} s.",
        seen=f"no answer after {seconds} s",
        expected="an answer within a few seconds; the node may be frozen or overloaded",
        fix=target.try_command,
    )


def is_privilege_failure(text: str) -> bool:
    """Return whether ``text`` is about becoming root rather than about reaching the node."""
    return bool(_BECOME.search(text))


def explain_privilege(text: str, target: Target, user: str, method: str = "sudo") -> Finding:
    """Return the finding for a login user who could not become root."""
    who = user or target.user or "the login user"
    if re.search(r"Incorrect \S+ password|Sorry, try again|incorrect password|Duplicate", text):
        return Finding(
            severity=Severity.ERROR,
            code="sudo-password-wrong",
            host=target.name,
            message=f"The {method} password given for {who} on {target.name} is not right.",
            seen=f"Incorrect {method} password",
            expected=f"the password of {who} on this node",
            fix="run again with -K, or correct ansible_become_password for this host",
            variable="ansible_become_password",
        )
    if re.search(r"Missing \S+ password|password is required", text):
        return Finding(
            severity=Severity.ERROR,
            code="sudo-password-missing",
            host=target.name,
            message=f"{method} asks {who} on {target.name} for a password, and none was given.",
            seen=f"{method}: a password is required",
            expected=f"a {method} password, or {method} without one",
            fix=(
                "run again with -K, or set ansible_become_password in a vaulted vars file, or type "
                f"on the node: {sudoers_command(who)}"
            ),
            variable="ansible_become_password",
        )
    return Finding(
        severity=Severity.ERROR,
        code="no-sudo",
        host=target.name,
        message=f"{who} cannot become root on {target.name}.",
        seen=_matching_line(_BECOME, text),
        expected=f"root, or a user who may run every command with {method}",
        fix=f"type on the node, as root: {_install_first(text)}{sudoers_command(who)}",
    )


def _install_first(text: str) -> str:
    """Return the command that installs sudo, with && behind it, when the node lacks it."""
    return "apt-get install -y sudo && " if re.search(r"sudo: .*not found", text) else ""


def sudoers_command(user: str) -> str:
    """Return the command that lets ``user`` become root without a password."""
    name = user if re.fullmatch(r"[\w.-]+", user) else "USER"
    return f"echo '{name} ALL=(ALL:ALL) NOPASSWD: ALL' > /etc/sudoers.d/{name.replace('.', '_')}"


def _matching_line(pattern: re.Pattern[str], text: str) -> str:
    """Return the first line of ``text`` in which ``pattern`` is found."""
    lines = [line.strip() for line in text.splitlines() if pattern.search(line)]
    return one_line(lines[0]) if lines else one_line(text)


def not_root(target: Target, user: str) -> Finding:
    """Return the finding for a host whose variables switch becoming root off."""
    return Finding(
        severity=Severity.ERROR,
        code="not-root",
        host=target.name,
        message=f"Tasks on {target.name} run as {user or 'an ordinary user'}, not as root.",
        seen=f"user {user or 'unknown'}, and ansible_become is off for this host",
        expected="root, directly or through sudo",
        fix=f"{target.name} ansible_become=true",
        variable="ansible_become",
    )


def explain_python(text: str, target: Target) -> Optional[Finding]:
    """Return the finding when ``text`` says that Python is missing or too old, else None."""
    old = _OLD_PYTHON.search(text)
    if not old and not _NO_PYTHON.search(text):
        return None
    if old:
        return python_too_old(old["version"] or "older than 3.7", target)
    name = shlex.quote(target.name)
    return Finding(
        severity=Severity.ERROR,
        code="python-missing",
        host=target.name,
        message=f"{target.name} has no Python where Ansible looks for it.",
        seen=_matching_line(_NO_PYTHON, text),
        expected="Python {}.{} or newer on the node".format(*MINIMUM_PYTHON),
        fix=(
            f"ansible-playbook -i <inventory> bootstrap.yml --limit {name}"
            "   (it installs a Python that Ansible finds by itself)"
        ),
        variable="ansible_python_interpreter",
    )


def python_too_old(version: str, target: Target) -> Finding:
    """Return the finding for a Python that current Ansible or our modules cannot run on."""
    name = shlex.quote(target.name)
    return Finding(
        severity=Severity.ERROR,
        code="python-too-old",
        host=target.name,
        message=f"The Python that Ansible uses on {target.name} is too old.",
        seen=f"Python {version}",
        expected="Python {}.{} or newer on the node".format(*MINIMUM_PYTHON),
        fix=(
            f"ansible-playbook -i <inventory> bootstrap.yml --limit {name}"
            "   (EL 8: it installs python3.12, which Ansible then finds by itself)"
        ),
        variable="ansible_python_interpreter",
    )


def probe_failed(text: str, target: Target) -> Finding:
    """Return the finding for a failure that nothing here knows."""
    return Finding(
        severity=Severity.ERROR,
        code="probe-failed",
        host=target.name,
        message=f"The first look at {target.name} failed.",
        seen=one_line(text),
        expected="an answer of the node_info module",
        fix=f"ansible -vvv -b -m rackforge.gpu_cluster.node_info {shlex.quote(target.name)}",
    )


def root_without_become(text: str, target: Target, method: str = "sudo") -> Finding:
    """Return the finding for a root login on which tasks would still go through ``method``."""
    return Finding(
        severity=Severity.ERROR,
        code="sudo-unusable",
        host=target.name,
        message=f"The login on {target.name} is root already, but {method} does not work there.",
        seen=_matching_line(_BECOME, text),
        expected=f"tasks that run as root without {method}, or a working {method}",
        fix=f"{target.name} ansible_user=root   (Ansible then leaves {method} out)",
        variable="ansible_user",
    )
