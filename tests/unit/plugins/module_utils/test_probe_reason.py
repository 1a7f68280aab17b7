"""Claims about why a node could not be probed, on what ssh, sudo and Ansible really print."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.probe_reason import (
    Target,
    explain_privilege,
    explain_python,
    explain_unreachable,
    is_privilege_failure,
    no_answer,
    one_line,
    probe_failed,
    root_without_become,
)

NODE = Target("n2", address="198.18.1.12", user="root", key_file="/keys/id")
NAT = Target(
    "n3", address="127.0.0.1", port=2201, options=("-o", "UserKnownHostsFile=/lab/known_hosts")
)

# ssh 9.2 through ansible-core 2.19, as AnsibleConnectionFailure carries it.
PREAMBLE = "Failed to connect to the host via ssh: "
CHANGED = (
    PREAMBLE + "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n"
    "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n"
    "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n"
    "IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\r\n"
    "The fingerprint for the ED25519 key sent by the remote host is\n"
    "SHA256:td5H9lQxSi7uEUV/D/sSz11WJCIgHZHCQB3Km13V2BE.\r\n"
    "Please contact your system administrator.\r\n"
    "Add correct host key in /lab/known_hosts to get rid of this message.\r\n"
    "Offending RSA key in /lab/known_hosts:9\r\n"
    "  remove with:\r\n"
    '  ssh-keygen -f "/lab/known_hosts" -R "198.18.1.12"\r\n'
    "Host key for 198.18.1.12 has changed and you have requested strict checking.\r\n"
    "Host key verification failed."
)
UNKNOWN = (
    PREAMBLE + "No ED25519 host key is known for 198.18.1.12 and you have requested strict "
    "checking.\r\nHost key verification failed."
)
DENIED = PREAMBLE + "root@198.18.1.12: Permission denied (publickey,password)."
REFUSED = PREAMBLE + "ssh: connect to host 127.0.0.1 port 2201: Connection refused"
BANNER = (
    PREAMBLE + "Warning: Permanently added '[127.0.0.1]:2201' to the list of known hosts.\r\n"
    "Connection timed out during banner exchange\r\n"
    "Connection to 127.0.0.1 port 2201 timed out"
)
NAME = PREAMBLE + "ssh: Could not resolve hostname n9.invalid: Name or service not known"


@pytest.mark.parametrize(
    ("text", "target", "code", "seen", "fix"),
    [
        pytest.param(
            CHANGED,
            NODE,
            "host-key-changed",
            "a host key with fingerprint SHA256:td5H9lQxSi7uEUV/D/sSz11WJCIgHZHCQB3Km13V2BE",
            "ssh-keygen -R 198.18.1.12 -f /lab/known_hosts && "
            "ssh -i /keys/id root@198.18.1.12 true   (only once you know why it changed)",
            id="changed-host-key",
        ),
        pytest.param(
            UNKNOWN,
            NODE,
            "host-key-unknown",
            "No ED25519 host key is known for 198.18.1.12 and you have requested strict checking.",
            "ssh-keyscan 198.18.1.12 >> ~/.ssh/known_hosts"
            "   (compare: ssh-keygen -lf ~/.ssh/known_hosts)",
            id="unknown-host-key",
        ),
        pytest.param(
            DENIED,
            NODE,
            "login-refused",
            "root@198.18.1.12: Permission denied (publickey,password).",
            "ssh -i /keys/id root@198.18.1.12 true",
            id="permission-denied",
        ),
        pytest.param(
            REFUSED,
            NAT,
            "unreachable",
            "ssh: connect to host 127.0.0.1 port 2201: Connection refused",
            "ssh -o UserKnownHostsFile=/lab/known_hosts -p 2201 127.0.0.1 true",
            id="nothing-listens",
        ),
        pytest.param(
            BANNER,
            NAT,
            "unreachable",
            "Connection to 127.0.0.1 port 2201 timed out",
            "ssh -o UserKnownHostsFile=/lab/known_hosts -p 2201 127.0.0.1 true",
            id="frozen",
        ),
        pytest.param(
            NAME,
            Target("n9.invalid"),
            "unreachable",
            "ssh: Could not resolve hostname n9.invalid: Name or service not known",
            "ssh n9.invalid true",
            id="unknown-name",
        ),
        pytest.param(
            "no such container",
            Target("n1", transport="community.docker.docker"),
            "unreachable",
            "no such container",
            "ansible -m ansible.builtin.ping n1",
            id="another-connection-than-ssh",
        ),
    ],
)
def test_a_failed_connection_is_explained(
    text: str, target: Target, code: str, seen: str, fix: str
) -> None:
    finding = explain_unreachable(text, target)
    assert (finding.severity.value, finding.host) == ("error", target.name)
    assert (finding.code, finding.seen, finding.fix) == (code, seen, fix)


def test_an_unknown_host_key_goes_where_ssh_looks_for_it() -> None:
    finding = explain_unreachable(UNKNOWN, NAT)
    assert finding.fix == (
        "ssh-keyscan -p 2201 127.0.0.1 >> /lab/known_hosts"
        "   (compare: ssh-keygen -lf /lab/known_hosts)"
    )


@pytest.mark.parametrize(
    ("text", "code", "seen"),
    [
        pytest.param(
            "Missing sudo password",
            "sudo-password-missing",
            "sudo: a password is required",
            id="ansible-ssh-plugin-without-password",
        ),
        pytest.param(
            "no result\nsudo: a password is required\n",
            "sudo-password-missing",
            "sudo: a password is required",
            id="sudo-itself",
        ),
        pytest.param(
            "Incorrect sudo password",
            "sudo-password-wrong",
            "Incorrect sudo password",
            id="ansible-ssh-plugin-wrong-password",
        ),
        pytest.param(
            "MODULE FAILURE\nalice is not in the sudoers file.\n",
            "no-sudo",
            "alice is not in the sudoers file.",
            id="not-in-sudoers",
        ),
        pytest.param(
            "Sorry, user alice is not allowed to execute '/bin/sh' as root on node2.",
            "no-sudo",
            "Sorry, user alice is not allowed to execute '/bin/sh' as root on node2.",
            id="not-allowed",
        ),
        pytest.param(
            "/bin/sh: 1: sudo: not found\n",
            "no-sudo",
            "/bin/sh: 1: sudo: not found",
            id="sudo-not-installed",
        ),
        pytest.param(
            "Timeout (12s) waiting for privilege escalation prompt: ",
            "no-sudo",
            "Timeout (12s) waiting for privilege escalation prompt:",
            id="sudo-hangs",
        ),
    ],
)
def test_a_refused_escalation_is_explained(text: str, code: str, seen: str) -> None:
    assert is_privilege_failure(text)
    finding = explain_privilege(text, NODE, "alice")
    assert (finding.code, finding.host, finding.seen) == (code, "n2", seen)


def test_a_missing_sudo_password_comes_with_three_ways_out() -> None:
    assert explain_privilege("Missing sudo password", NODE, "alice").fix == (
        "run again with -K, or set ansible_become_password in a vaulted vars file, or type on the "
        "node: echo 'alice ALL=(ALL:ALL) NOPASSWD: ALL' > /etc/sudoers.d/alice"
    )


def test_a_node_without_sudo_is_told_to_install_it_first() -> None:
    assert explain_privilege("/bin/sh: 1: sudo: not found", NODE, "ops").fix == (
        "type on the node, as root: apt-get install -y sudo && "
        "echo 'ops ALL=(ALL:ALL) NOPASSWD: ALL' > /etc/sudoers.d/ops"
    )


def test_a_root_login_without_sudo_is_told_to_leave_it_out() -> None:
    finding = root_without_become("/bin/sh: 1: sudo: not found", NODE)
    assert finding.code == "sudo-unusable"
    assert finding.fix == "n2 ansible_user=root   (Ansible then leaves sudo out)"


@pytest.mark.parametrize("text", [CHANGED, UNKNOWN, DENIED, REFUSED, BANNER, NAME])
def test_a_connection_failure_is_not_taken_for_a_sudo_problem(text: str) -> None:
    assert not is_privilege_failure(text)


@pytest.mark.parametrize(
    ("text", "code", "seen"),
    [
        pytest.param(
            "The module interpreter '/usr/bin/python3' was not found.\n"
            "/bin/sh: 1: /usr/bin/python3: not found",
            "python-missing",
            "The module interpreter '/usr/bin/python3' was not found.",
            id="core-2.19",
        ),
        pytest.param(
            "MODULE FAILURE\n/bin/sh: 1: /usr/bin/python3: not found\n",
            "python-missing",
            "/bin/sh: 1: /usr/bin/python3: not found",
            id="core-2.17",
        ),
        pytest.param(
            "ansible-core requires a minimum of Python version 3.8. Current version: 3.6.8 "
            "(default, Jan 23 2024) [GCC 8.5.0]",
            "python-too-old",
            "Python 3.6.8",
            id="el8-asked-by-core",
        ),
        pytest.param(
            "MODULE FAILURE\nSyntaxError: future feature annotations is not defined",
            "python-too-old",
            "Python older than 3.7",
            id="el8-syntax-error",
        ),
    ],
)
def test_a_useless_python_is_explained(text: str, code: str, seen: str) -> None:
    finding = explain_python(text, NODE)
    assert finding is not None
    assert (finding.code, finding.seen) == (code, seen)
    assert finding.expected == "Python 3.9 or newer on the node"


def test_another_failure_is_not_blamed_on_python() -> None:
    assert explain_python("No space left on device", NODE) is None


def test_a_failure_that_nobody_knows_is_told_in_one_line_with_the_command_to_see_more() -> None:
    finding = probe_failed("Task failed: Traceback\n  File x\nOSError: No space left\n", NODE)
    assert finding.seen == "OSError: No space left"
    assert finding.fix == "ansible -vvv -b -m rackforge.gpu_cluster.node_info n2"


def test_a_silent_node_is_named_with_the_time_it_was_given() -> None:
    assert no_answer(60, NODE).message == "n2 did not answer a first question within 60 s."


def test_a_reason_is_never_empty() -> None:
    assert one_line("\n@@@@\n") == "no reason given"
