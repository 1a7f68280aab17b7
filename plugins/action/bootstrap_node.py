# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action bootstrap_node: see plugins/modules/bootstrap_node.py for what it promises."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Optional

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.bootstrap_plan import (
    Plan,
    Row,
    Wants,
    describe_row,
    judge,
    plan_steps,
    rule_lines,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.bootstrap_script import (
    Look,
    UnreadableError,
    look_script,
    parse_look,
    parse_steps,
    step_script,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.probe_reason import (
    Target,
    explain_unreachable,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.cluster_key import (
    PublicKey,
    ensure_key_pair,
    read_public_key,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.known_hosts import look_up
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.secrets import SecretError
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.ssh_login import (
    KeySession,
    LoginError,
    NeedsParamikoError,
    PasswordRefusedError,
    Policy,
    RefusedError,
    Session,
    fingerprint_of,
    log_in_with_password,
    new_host_key,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.ssh_route import (
    Route,
    RouteError,
    read_route,
    ssh_words,
)

ARGUMENTS = {
    "key_file": {"type": "path", "required": True},
    "comment": {"type": "str", "default": "gpu-cluster"},
    "key_type": {"type": "str", "choices": ["ed25519", "rsa"], "default": "ed25519"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "sudo": {"type": "bool", "default": False},
    "python": {"type": "bool", "default": True},
    "accept_new_host_keys": {"type": "bool", "default": True},
    "connect_timeout": {"type": "int", "default": 10},
    "interpreter": {"type": "str", "default": ""},
}
PARAMIKO_MISSING = (
    "A login with a password needs paramiko on the control node, and it is not there."
)
# Seconds that taking the steps may last: a package manager may have to fetch its lists first.
STEP_TIMEOUT = 900


@dataclass(frozen=True)
class Access:
    """How this host is logged in to, and with what."""

    target: Target
    route: Route
    policy: Policy
    key_file: str
    own_key_file: str = ""
    password: str = field(default="", repr=False)
    sudo_password: str = field(default="", repr=False)

    @property
    def own_route(self) -> Route:
        """Return the route with the key that the inventory names, if that is another one."""
        own = self.own_key_file
        if not own or not os.path.exists(own) or _same(own, self.key_file):
            return self.route
        return replace(self.route, words=("-i", own, *self.route.words))


@dataclass(frozen=True)
class Outcome:
    """What became of one host."""

    row: Row
    user: str = ""
    changed: bool = False
    findings: tuple[Finding, ...] = ()
    diff: tuple[dict[str, Any], ...] = ()

    def to_result(self) -> dict[str, Any]:
        """Return the result of the action; it never counts as failed."""
        bad = any(each.severity is Severity.ERROR for each in self.findings)
        row = replace(self.row, result=self._word(bad))
        result: dict[str, Any] = {
            "changed": self.changed,
            "failed": False,
            "ready": not bad,
            "user": self.user,
            "row": asdict(row),
            "findings": [finding.to_dict() for finding in self.findings],
        }
        return {**result, "diff": list(self.diff)} if self.diff else result

    def _word(self, bad: bool) -> str:
        if self.row.result != "-" and not bad:
            return self.row.result
        if bad:
            return "failed"
        return "look below" if any(f.severity is Severity.WARNING for f in self.findings) else "ok"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Takes one machine to key login, and tells failures as data."""

    _supports_check_mode = True
    _supports_diff = True

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the host's row of the table and what is wrong with it."""
        super().run(tmp, task_vars)
        _result, args = self.validate_argument_spec(argument_spec=ARGUMENTS)
        variables = task_vars or {}
        name = str(variables.get("inventory_hostname", ""))
        if "ssh" not in str(self._connection.transport):
            row = Row(name, login=str(self._connection.transport), result="nothing to do")
            return Outcome(row).to_result()
        target = self._target(name)
        try:
            access = self._access(target, args)
            outcome = Bootstrap(access, args, self._candidates(variables), self._is_check).run()
        except (SecretError, OSError) as error:
            outcome = _failed(target, _key_trouble(target, str(error)))
        except RouteError as error:
            outcome = _failed(target, _route_trouble(target, str(error)))
        return outcome.to_result()

    @property
    def _is_check(self) -> bool:
        return bool(self._task.check_mode)

    def _target(self, name: str) -> Target:
        """Return how the connection reaches the host, for messages."""
        return Target(
            name=name,
            address=str(self.get_connection_option("host") or name),
            user=str(self.get_connection_option("remote_user") or ""),
            port=int(self.get_connection_option("port") or 0),
            options=ssh_words("", 0, self._texts()),
        )

    def _texts(self) -> list[str]:
        """Return the arguments that Ansible gives ssh."""
        names = ("ssh_args", "ssh_common_args", "ssh_extra_args")
        texts = [str(self.get_connection_option(name) or "") for name in names]
        checks = self.get_connection_option("host_key_checking")
        return texts if checks is None or checks else [*texts, "-o StrictHostKeyChecking=no"]

    def _access(self, target: Target, args: dict[str, Any]) -> Access:
        """Return how to log in."""
        words = ssh_words(target.user, target.port, self._texts())
        executable = str(self.get_connection_option("ssh_executable") or "ssh")
        password = str(self.get_connection_option("password") or "")
        own = str(self.get_connection_option("private_key_file") or "")
        return Access(
            target=target,
            route=read_route(target.address, words, executable),
            policy=Policy(
                connect_timeout=args["connect_timeout"],
                accept_new=args["accept_new_host_keys"],
                record_new=not self._is_check,
            ),
            key_file=os.path.abspath(args["key_file"]),
            own_key_file=os.path.abspath(os.path.expanduser(own)) if own else "",
            password=password,
            # The same person's password on the same machine, when sudo has none of its own.
            sudo_password=self._become_password() or password,
        )

    def _become_password(self) -> str:
        become = self._connection.become
        if become is None:
            return ""
        return str(become.get_option("become_pass", playcontext=self._play_context) or "")

    def _candidates(self, variables: dict[str, Any]) -> tuple[str, ...]:
        """Return the interpreters that this ansible-core looks for, in its order."""
        found = constants.config.get_config_value(
            "INTERPRETER_PYTHON_FALLBACK", variables=variables
        )
        return tuple(str(each) for each in found)


@dataclass
class Bootstrap:
    """One host's way from whatever login it has to the cluster's key."""

    access: Access
    args: dict[str, Any]
    candidates: Sequence[str]
    is_check: bool

    @property
    def target(self) -> Target:
        """The host, for messages."""
        return self.access.target

    def run(self) -> Outcome:
        """Return what became of the host."""
        key = self._key()
        wants = Wants(
            state=self.args["state"],
            sudo=self.args["sudo"],
            python=self.args["python"],
            blob=key.blob if key else "",
            line=key.line if key else "",
        )
        route = self.access.route
        names = (*route.known_hosts, *route.more_known_hosts)
        known_before = look_up(route.known_hosts_name, names)
        try:
            session, look = self._get_in(wants)
        except LoginError as error:
            return _failed(self.target, self._explain(error))
        except UnreadableError as error:
            return _failed(self.target, _shell_trouble(self.target, str(error)))
        try:
            outcome = self._bring(session, look, wants)
        finally:
            session.close()
        shown = new_host_key(route, known_before) if self.access.policy.record_new else None
        if shown is None:
            return outcome
        return replace(outcome, findings=(*outcome.findings, self._new_key(shown.fingerprint)))

    def _key(self) -> Optional[PublicKey]:
        """Return the cluster key, made now if need be; None when there is none and may be none."""
        path, comment = self.access.key_file, self.args["comment"]
        if not os.path.exists(path):
            if self.is_check or self.args["state"] == "absent":
                return None
            ensure_key_pair(path, self.args["key_type"], comment)
        return read_public_key(path, comment)

    def _get_in(self, wants: Wants) -> tuple[Session, Look]:
        """Return the first login that works, and what it saw."""
        refused: Optional[RefusedError] = None
        for session in self._key_logins(wants):
            try:
                return session, self._look(session, wants)
            except RefusedError as error:  # noqa: PERF203 - each login costs a connection
                refused = error
        if not self.access.password:
            raise refused or RefusedError("Permission denied")
        session = log_in_with_password(self.access.route, self.access.password, self.access.policy)
        try:
            return session, self._look(session, wants)
        except BaseException:
            session.close()
            raise

    def _key_logins(self, wants: Wants) -> Iterator[Session]:
        """Yield the logins with keys: the cluster's, then the user's own ones."""
        access = self.access
        if wants.state == "absent":
            own = fingerprint_of(access.key_file) if wants.blob else ""
            yield KeySession(access.own_route, access.policy, not_with=own)
            return
        if wants.blob:
            yield self._cluster_login()
        yield KeySession(access.own_route, access.policy)

    def _cluster_login(self) -> KeySession:
        """Return the login with the cluster's key and nothing else."""
        return KeySession(self.access.route, self.access.policy, self.access.key_file)

    def _look(self, session: Session, wants: Wants) -> Look:
        """Return how the machine stands."""
        interpreter = self.args["interpreter"]
        script = look_script(
            wants.blob,
            self.access.route.user,
            self.candidates,
            interpreter if interpreter.startswith("/") else "",
        )
        return parse_look(session.run(script, self.access.sudo_password).out)

    def _bring(self, session: Session, look: Look, wants: Wants) -> Outcome:
        """Take the steps that are missing, and look again with the cluster's key alone."""
        plan = plan_steps(look, wants, self.target)
        row = describe_row(
            self.target.name, self._login(session), look, wants, plan.steps, plan.packages,
            is_check=self.is_check,
        )  # fmt: skip
        outcome = Outcome(
            row, look.user, changed=bool(plan.steps), findings=plan.findings,
            diff=_differences(plan, wants, look),
        )  # fmt: skip
        if self.is_check or (plan.steps and wants.state == "absent"):
            return outcome if self.is_check else self._take_out(session, plan, wants, outcome)
        if wants.state == "absent":
            return outcome
        try:
            taken, failed = self._take(session, plan, wants) if plan.steps else ([], {})
            after = look
            if plan.steps or not _is_cluster_login(session):
                after = self._look(self._cluster_login(), wants)
        except (LoginError, UnreadableError) as error:
            return replace(
                outcome, findings=(*plan.findings, _not_let_in(self.target, look, error))
            )
        steps = [step for step in plan.steps if step in taken]
        row = describe_row(
            self.target.name, self._login(session), after, wants, steps, plan.packages,
            is_check=False,
        )  # fmt: skip
        problems = {each.code: each for each in plan.findings}
        problems.update(
            {name: _step_failed(self.target, name, text) for name, text in failed.items()}
        )
        for each in judge(after, wants, self.target):
            problems.setdefault(each.code, each)
        return replace(outcome, row=row, changed=bool(taken), findings=tuple(problems.values()))

    def _take(self, session: Session, plan: Plan, wants: Wants) -> tuple[list[str], dict[str, str]]:
        """Take the steps of the plan; return which were taken and why others failed."""
        script = step_script(
            plan.steps, wants.blob, wants.line, self.access.route.user, plan.manager, plan.packages
        )
        return parse_steps(session.run(script, self.access.sudo_password, STEP_TIMEOUT).out)

    def _take_out(self, session: Session, plan: Plan, wants: Wants, outcome: Outcome) -> Outcome:
        """Take our key and rule out, and see that the key no longer gets in."""
        try:
            taken, failed = self._take(session, plan, wants)
        except (LoginError, UnreadableError) as error:
            found = _shell_trouble(self.target, str(error))
            return replace(outcome, findings=(*outcome.findings, found))
        findings = [_step_failed(self.target, name, text) for name, text in failed.items()]
        if "remove-key" in taken and self._still_gets_in():
            findings.append(_still_accepted(self.target))
        return replace(outcome, changed=bool(taken), findings=(*outcome.findings, *findings))

    def _still_gets_in(self) -> bool:
        try:
            self._cluster_login().run("exit 0")
        except LoginError:
            return False
        return True

    def _login(self, session: Session) -> str:
        """Return the user and the way in, for the table."""
        ways = {"key": "own key", "password": "password"}
        way = "cluster key" if _is_cluster_login(session) else ways[session.way]
        return f"{self.access.route.login} ({way})"

    def _new_key(self, fingerprint: str) -> Finding:
        route = self.access.route
        return Finding(
            severity=Severity.NOTE,
            code="host-key-recorded",
            host=self.target.name,
            message="This machine was not known; its host key was taken for the right one.",
            seen=fingerprint,
            expected=f"the same from: ssh-keygen -lf on the machine's own /etc/ssh; it is now in "
            f"{route.known_hosts[0]}",
        )

    def _explain(self, error: LoginError) -> Finding:
        """Return the finding for a machine that could not be logged in to."""
        found = explain_unreachable(str(error), self.target)
        login = self.access.route.login
        if isinstance(error, NeedsParamikoError):
            return replace(
                found,
                code="paramiko-missing",
                message=PARAMIKO_MISSING,
                expected="the Python package paramiko beside ansible-core",
                fix=f"{shlex.quote(sys.executable)} -m pip install paramiko",
            )
        if isinstance(error, PasswordRefusedError):
            return replace(
                found,
                code="password-refused",
                message=f"The password given for {login} is not right.",
                fix="run again with -k, or correct ansible_password for this host",
                variable="ansible_password",
            )
        if isinstance(error, RefusedError) and self.args["state"] == "absent":
            return replace(
                found,
                code="only-login",
                message=f"Nothing but the cluster's key gets in as {login}: taking it out would lock"
                " you out.",
                expected="a key of your own, or a password",
                fix="run again with -k",
            )
        if isinstance(error, RefusedError):
            return replace(found, fix="run again with -k and this machine's password")
        return found


def _same(left: str, right: str) -> bool:
    """Return whether two paths lead to the same file."""
    return os.path.realpath(left) == os.path.realpath(right)


def _is_cluster_login(session: Session) -> bool:
    return isinstance(session, KeySession) and bool(session.key_file)


def _differences(plan: Plan, wants: Wants, look: Look) -> tuple[dict[str, Any], ...]:
    """Return what the steps change, as --diff shows it."""
    texts = {
        "install-key": ("", wants.line or "(the cluster's key, which is still to be made)"),
        "remove-key": (wants.line, ""),
        "install-python": ("", " or ".join(plan.packages)),
        "repair-modes": (f"{look.directory} {look.file}".strip(), "700 600"),
    }
    found: list[dict[str, Any]] = []
    for step in plan.steps:
        if step in ("write-sudo", "remove-sudo"):
            rule = rule_lines(look.user)
            if step == "remove-sudo":
                rule["before"], rule["after"] = rule["after"], ""
            found.append({**rule, "before_header": rule["after_header"]})
        elif step in texts:
            before, after = (f"{text}\n" if text else "" for text in texts[step])
            found.append({"before": before, "after": after, "before_header": step,
                          "after_header": step})  # fmt: skip
    return tuple(found)


def _failed(target: Target, finding: Finding) -> Outcome:
    """Return the outcome for a host that was not got into."""
    return Outcome(Row(target.name, login=f"{target.login}"), findings=(finding,))


def _key_trouble(target: Target, text: str) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        code="cluster-key-unusable",
        host=target.name,
        message="The cluster's key pair on the control node cannot be used.",
        seen=text,
        expected="a private key without passphrase that only you can read",
    )


def _route_trouble(target: Target, text: str) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        code="ssh-options-refused",
        host=target.name,
        message=f"ssh cannot be called for {target.name}.",
        seen=text,
        expected="options that ssh accepts",
        fix=target.try_command,
        variable="ansible_ssh_common_args",
    )


def _shell_trouble(target: Target, text: str) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        code="no-shell",
        host=target.name,
        message=f"{target.name} lets us in, but ran no script.",
        seen=text,
        expected="a login shell that can start /bin/sh",
        fix=f"{target.try_command}   (and look at the shell of the user)",
    )


def _step_failed(target: Target, step: str, text: str) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        code=f"{step}-failed",
        host=target.name,
        message=f"The step {step} failed; the others were taken.",
        seen=text,
        expected="success",
        fix="do what the message asks for, then run again: what was done is kept",
    )


def _not_let_in(target: Target, look: Look, error: Exception) -> Finding:
    """Return the finding for a machine that does not accept the key that lies in its file."""
    return Finding(
        severity=Severity.ERROR,
        code="key-not-accepted",
        host=target.name,
        message="The key is in ~/.ssh/authorized_keys, and the machine does not accept it.",
        seen=" ".join(str(error).split())[-200:]
        + f"; the home directory is {look.home} (mode, owner)",
        expected="PubkeyAuthentication yes, AuthorizedKeysFile with .ssh/authorized_keys in it, and a"
        " home directory that nobody else can write to",
        fix="type on the node, as root: sshd -T | grep -i -e pubkeyauth -e authorizedkeysfile; "
        "journalctl -u ssh -u sshd -n 20",
    )


def _still_accepted(target: Target) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        code="key-still-accepted",
        host=target.name,
        message="The key is out of ~/.ssh/authorized_keys, and the machine still accepts it.",
        seen="a login with the cluster's key",
        expected="no such login",
        fix="type on the node, as root: sshd -T | grep -i authorizedkeys",
    )
