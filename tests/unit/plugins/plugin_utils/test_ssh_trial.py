"""Claims about logins at another port."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.known_hosts import look_up
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.ssh_route import Route
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.ssh_trial import (
    TrialError,
    at_port,
    carry_over,
    elsewhere,
    is_elsewhere,
    is_loopback,
    is_unknown_key,
    prove,
    refusal,
)

ROUTE = Route(destination="192.0.2.1", words=("-l", "ops"), host="192.0.2.1", user="ops", port=22)
STRICT = ("-o", "StrictHostKeyChecking=yes")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPD4C6wnv9vE1vjQf4wDzS7kTn9nDWxzB3u9Yb0k0c2v"


def alias(name: str) -> tuple[str, ...]:
    return (*STRICT, "-o", f"HostKeyAlias={name}")


@pytest.mark.parametrize(
    ("present", "wanted", "port", "attempts"),
    [
        pytest.param(22, 22332, 22332, (STRICT, alias("192.0.2.1")), id="moved-already"),
        pytest.param(22332, 22332, 22, (STRICT, alias("[192.0.2.1]:22332")), id="not-moved-yet"),
        pytest.param(2201, 22332, 22332, (alias("[192.0.2.1]:2201"),), id="maybe-a-forwarder"),
    ],
)
def test_the_other_port_is_tried_with_a_known_key(
    present: int, wanted: int, port: int, attempts: tuple[tuple[str, ...], ...]
) -> None:
    found = elsewhere(replace(ROUTE, port=present), wanted)
    assert found is not None
    assert (found.port, found.attempts) == (port, attempts)


@pytest.mark.parametrize(
    ("route", "wanted"),
    [
        pytest.param(ROUTE, 0, id="no-port-wanted"),
        pytest.param(ROUTE, 22, id="default-wanted"),
        pytest.param(replace(ROUTE, host="127.0.0.1", port=2201), 22332, id="forwarded-here"),
        pytest.param(replace(ROUTE, host="localhost"), 22332, id="localhost"),
    ],
)
def test_nothing_else_is_tried(route: Route, wanted: int) -> None:
    assert elsewhere(route, wanted) is None


def test_an_owner_who_checks_no_keys_is_not_asked_for_them() -> None:
    found = elsewhere(replace(ROUTE, strict="false"), 22332)
    assert found is not None
    assert found.attempts[0] == ()


def test_the_owner_is_told_which_line_to_put_into_the_inventory() -> None:
    found = elsewhere(ROUTE, 22332)
    assert found is not None
    assert found.remark("n1", 22, 22332) == (
        "n1 answers at port 22332 (os_base_ssh_port), not at 22; this run goes on there."
        " Put it into the inventory: n1 ansible_port=22332"
    )


def test_the_owner_is_told_that_the_node_has_not_moved_yet() -> None:
    found = elsewhere(replace(ROUTE, port=22332), 22332)
    assert found is not None
    assert found.remark("n1", 22332, 22332) == (
        "n1 does not listen on port 22332 yet, as the inventory says; this run reaches it at 22"
        " until os_base has moved it"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "ssh: connect to host 192.0.2.1 port 22: Connection refused", True, id="refused"
        ),
        pytest.param(
            "ssh: connect to host 192.0.2.1 port 22: Connection timed out", True, id="dropped"
        ),
        pytest.param("ops@192.0.2.1: Permission denied (publickey).", False, id="not-let-in"),
        pytest.param("Host key verification failed.", False, id="unknown-key"),
    ],
)
def test_only_a_closed_port_makes_look_elsewhere(text: str, expected: bool) -> None:
    assert is_elsewhere(text) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("127.0.0.1", True, id="ipv4"),
        pytest.param("::1", True, id="ipv6"),
        pytest.param("192.0.2.1", False, id="elsewhere"),
        pytest.param("gpu01.example", False, id="name"),
    ],
)
def test_own_addresses_are_known(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_a_changed_key_is_not_an_unknown_one() -> None:
    changed = "REMOTE HOST IDENTIFICATION HAS CHANGED!\nHost key verification failed."
    assert is_unknown_key("No ED25519 host key is known.\nHost key verification failed.")
    assert not is_unknown_key(changed)


@pytest.mark.parametrize(
    ("text", "route", "advice"),
    [
        pytest.param(
            "ssh: connect to host 192.0.2.1 port 22332: Connection timed out",
            ROUTE,
            "Connection timed out. It listens as before again, on 22. A firewall on the way drops"
            " it: open tcp/22332 there. Then try: ssh -l ops -p 22332 192.0.2.1 true",
            id="firewall",
        ),
        pytest.param(
            "ssh: connect to host 192.0.2.1 port 22332: Connection refused",
            ROUTE,
            "Connection refused. It listens as before again, on 22. A firewall or forwarder on the"
            " way refuses it: open tcp/22332 there, or leave os_base_ssh_port out",
            id="refused",
        ),
        pytest.param(
            "ssh: connect to host 192.0.2.1 port 22332: Connection refused",
            replace(ROUTE, port=2201),
            "Connection refused. It listens as before again, on 22. Ansible reaches this node at"
            " port 2201, on which its sshd does not listen: the port is forwarded. Forward 22332 to"
            " the node as well, or leave os_base_ssh_port out",
            id="forwarded",
        ),
        pytest.param(
            "another machine answers there",
            ROUTE,
            "another machine answers there. It listens as before again, on 22. Try: ssh -l ops -p"
            " 22332 192.0.2.1 true",
            id="another-machine",
        ),
    ],
)
def test_a_refusal_ends_with_what_to_do(text: str, route: Route, advice: str) -> None:
    assert refusal(text, route, 22332, [22]).endswith(advice)


def test_keys_are_carried_over_once_and_only_those_that_are_known(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"[192.0.2.1]:2222 {KEY}\n192.0.2.9 {KEY.replace('IPD4', 'IPD5')}\n")
    old = replace(ROUTE, port=2222, known_hosts=(str(file),))
    new = replace(old, port=22332)
    carry_over(old, new)
    carry_over(old, new)
    assert file.read_text().splitlines()[2:] == [f"[192.0.2.1]:22332 {KEY}"]


def test_a_carried_name_is_hashed_where_the_owner_hashes_names(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"[192.0.2.1]:2222 {KEY}\n")
    old = replace(ROUTE, port=2222, known_hosts=(str(file),), hash_known_hosts=True)
    carry_over(old, replace(old, port=22332))
    assert file.read_text().splitlines()[1].startswith("|1|")
    assert [each.kind for each in look_up("[192.0.2.1]:22332", [str(file)])] == ["ssh-ed25519"]


class Connection:
    """Ansible's ssh connection, answering each login as the test says."""

    def __init__(self, known_hosts: Path, *answers: tuple[int, bytes, bytes]) -> None:
        self.options: dict[str, object] = {
            "host": "192.0.2.1",
            "port": None,
            "ssh_args": "-F none",
            "ssh_common_args": f"-o UserKnownHostsFile={known_hosts}",
        }
        self.answers = list(answers)
        self.logins: list[tuple[object, str]] = []

    def get_option(self, name: str) -> object:
        return self.options.get(name)

    def set_option(self, name: str, value: object) -> None:
        self.options[name] = value

    def exec_command(self, *_command: str, **_more: object) -> tuple[int, bytes, bytes]:
        self.logins.append((self.options["port"], str(self.options["ssh_args"])))
        return self.answers.pop(0)


RIGHT, WRONG = (0, b"nonce\n", b""), (0, b"other\n", b"")
FRESH = "-o ControlMaster=no -o ControlPath=none -o StrictHostKeyChecking=yes -F none"


def test_a_port_is_proven_past_every_open_connection(tmp_path: Path) -> None:
    connection = Connection(tmp_path / "known_hosts", RIGHT)
    prove(connection, 22332, "/run/trial", "nonce")
    assert connection.logins == [(22332, FRESH)]
    assert (connection.options["port"], connection.options["ssh_args"]) == (None, "-F none")


def test_another_machine_at_the_port_proves_nothing(tmp_path: Path) -> None:
    connection = Connection(tmp_path / "known_hosts", WRONG)
    with pytest.raises(TrialError, match="another machine answers there"):
        prove(connection, 22332, "/run/trial", "nonce")


def test_a_port_that_ssh_args_hold_proves_nothing(tmp_path: Path) -> None:
    connection = Connection(tmp_path / "known_hosts", RIGHT)
    connection.options["ssh_args"] = "-F none -o Port=2222"
    with pytest.raises(TrialError, match="ssh is told to use port 2222 by ssh_args"):
        prove(connection, 22332, "/run/trial", "nonce")
    assert connection.logins == []


def test_options_are_put_back_after_a_failure(tmp_path: Path) -> None:
    connection = Connection(tmp_path / "known_hosts")
    with pytest.raises(RuntimeError), at_port(connection, 22332, STRICT):
        raise RuntimeError
    assert (connection.options["port"], connection.options["ssh_args"]) == (None, "-F none")
