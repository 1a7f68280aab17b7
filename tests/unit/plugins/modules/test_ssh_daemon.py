"""Claims about the ssh_daemon module."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    sshd_config,
    sshd_node,
    sshd_units,
)
from ansible_collections.rackforge.gpu_cluster.plugins.modules import ssh_daemon
from ansible_collections.rackforge.gpu_cluster.plugins.modules.ssh_daemon import main

from tests.unit.plugins.modules.conftest import Answer, Node

LONG_AFTER_NOW = 10**18
KEEP_ALIVE = "TCPKeepAlive yes\nClientAliveInterval 30\nClientAliveCountMax 3\n"
ALIVE = "# Managed by rackforge.gpu_cluster\n" + KEEP_ALIVE
MOVED = "# Managed by rackforge.gpu_cluster\nPort 22332\n" + KEEP_ALIVE
TRIAL = (
    "# Managed by rackforge.gpu_cluster\n# Port 22332 is on trial; without it: none\n"
    "Port 22\nPort 22332\n" + KEEP_ALIVE
)


def ok(text: str = "") -> Answer:
    """Return the answer of a program that ended well."""
    return (0, text, "")


def service(started: int) -> Answer:
    """Return systemd's answer about an sshd that was started so many microseconds after boot."""
    return ok(
        "Id=ssh.service\nLoadState=loaded\nActiveState=active\nMainPID=96\nNeedDaemonReload=no\n"
        f"InactiveExitTimestampMonotonic={started}\n\n"
        "Id=ssh.socket\nLoadState=loaded\nActiveState=inactive\nListen=[::]:22 (Stream)\n"
    )


def effective(*ports: int) -> Answer:
    """Return what ``sshd -T`` says with our keep-alive and these ports."""
    lines = "".join(f"listenaddress 0.0.0.0:{port}\n" for port in ports)
    return ok(lines + KEEP_ALIVE.lower())


def bound(*ports: int, program: str = "sshd") -> Answer:
    """Return what ``ss`` says about an sshd on these ports."""
    line = 'LISTEN 0 128 0.0.0.0:{} 0.0.0.0:* users:(("{}",pid=96,fd=8))\n'
    return ok("".join(line.format(port, program) for port in ports))


@dataclass
class Etc:
    """The files of a node's sshd."""

    folder: Path

    @property
    def main(self) -> Path:
        return self.folder / "sshd_config"

    @property
    def drop_in(self) -> Path:
        return self.folder / "sshd_config.d" / "00-rackforge.conf"

    @property
    def nonce(self) -> Path:
        return self.folder / "nonce"


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Etc:
    """A node whose sshd_config includes its folder first, as on Debian."""
    made = Etc(tmp_path)
    made.drop_in.parent.mkdir()
    made.main.write_text(f"Include {made.drop_in.parent}/*.conf\nUsePAM yes\n")
    monkeypatch.setattr(sshd_config, "MAIN", str(made.main))
    monkeypatch.setattr(sshd_config, "DROP_IN", str(made.drop_in))
    monkeypatch.setattr(sshd_units, "GENERATORS", ())
    monkeypatch.setattr(sshd_units, "drop_in_path", lambda _name: str(tmp_path / "socket.conf"))
    monkeypatch.setattr(ssh_daemon, "NONCE", str(made.nonce))
    monkeypatch.setattr(sshd_node, "WAIT_SECONDS", 0.0)
    return made


@pytest.fixture
def sshd(node: Node) -> Node:
    """A node with an sshd on port 22 that has been running since before all files."""
    node.answers("systemctl show", service(1))
    node.answers("sshd -T", effective(22))
    node.answers("ss -Hltnp", bound(22))
    node.answers("systemctl restart ssh.service", ok())
    return node


def restarts(node: Node) -> int:
    return node.calls.count("systemctl restart ssh.service")


def test_keep_alive_is_written_and_taken_up(sshd: Node, etc: Etc) -> None:
    result = sshd.run(main)
    assert (result["changed"], result["ports"], result["proof"]) == (True, [22], 0)
    assert etc.drop_in.read_text() == ALIVE
    assert restarts(sshd) == 1


def test_a_running_sshd_with_our_file_is_left_alone(sshd: Node, etc: Etc) -> None:
    etc.drop_in.write_text(ALIVE)
    sshd.answers("systemctl show", service(LONG_AFTER_NOW))
    result = sshd.run(main)
    assert (result["changed"], restarts(sshd)) == (False, 0)


def test_a_file_that_sshd_has_not_taken_up_is_made_good(sshd: Node, etc: Etc) -> None:
    etc.drop_in.write_text(ALIVE)
    result = sshd.run(main)
    assert (result["changed"], restarts(sshd)) == (True, 1)


def test_a_port_that_the_daemon_does_not_hold_is_made_good(sshd: Node, etc: Etc) -> None:
    etc.drop_in.write_text(MOVED)
    sshd.answers("systemctl show", service(LONG_AFTER_NOW))
    sshd.answers("sshd -T", effective(22332))
    sshd.answers("ss -Hltnp", bound(22), bound(22332))
    assert sshd.run(main, port=22332)["changed"] is True
    assert restarts(sshd) == 1


def test_a_new_port_is_opened_beside_the_old_one_until_it_is_proven(sshd: Node, etc: Etc) -> None:
    sshd.answers("sshd -T", effective(22), effective(22, 22332))
    sshd.answers("ss -Hltnp", bound(22), bound(22, 22332))
    result = sshd.run(main, port=22332)
    assert (result["proof"], result["ports"]) == (22332, [22, 22332])
    assert etc.drop_in.read_text() == TRIAL
    assert etc.nonce.read_text().strip() == result["nonce"]


def test_a_proven_port_stays_alone(sshd: Node, etc: Etc) -> None:
    etc.drop_in.write_text(TRIAL)
    etc.nonce.write_text("old")
    sshd.answers("sshd -T", effective(22, 22332), effective(22332))
    sshd.answers("ss -Hltnp", bound(22332))
    result = sshd.run(main, port=22332, step="keep")
    assert (result["ports"], result["proof"]) == ([22332], 0)
    assert etc.drop_in.read_text() == MOVED
    assert not etc.nonce.exists()


def test_an_unproven_port_is_closed_again(sshd: Node, etc: Etc) -> None:
    etc.drop_in.write_text(TRIAL)
    sshd.answers("sshd -T", effective(22, 22332), effective(22))
    result = sshd.run(main, port=22332, step="undo")
    assert (result["ports"], etc.drop_in.read_text()) == ([22], ALIVE)


def test_check_mode_predicts_the_end_and_touches_nothing(sshd: Node, etc: Etc) -> None:
    result = sshd.run(main, check=True, port=22332)
    assert (result["changed"], result["proof"]) == (True, 0)
    assert result["diff"] == {"before": "", "after": f"==> {etc.drop_in}\n{MOVED}"}
    assert (etc.drop_in.exists(), restarts(sshd)) == (False, 0)


def test_a_broken_configuration_of_the_owners_is_left_alone(sshd: Node, etc: Etc) -> None:
    sshd.answers(
        "sshd -T", (255, "", "/etc/ssh/sshd_config line 7: Bad configuration option: Prt\n")
    )
    result = sshd.run(main, port=22332)
    assert result["msg"] == (
        "Could not configure sshd: sshd does not accept its configuration: 'sshd -T' exited 255:"
        " /etc/ssh/sshd_config line 7: Bad configuration option: Prt. Nothing was changed; mend"
        " that, then try 'sshd -t'"
    )
    assert (etc.drop_in.exists(), restarts(sshd)) == (False, 0)


def test_a_configuration_that_sshd_rejects_is_put_back_before_any_restart(
    sshd: Node, etc: Etc
) -> None:
    etc.drop_in.write_text(ALIVE)
    sshd.answers("sshd -T", effective(22), (255, "", "line 3: bad\n"))
    result = sshd.run(main, client_alive_interval_seconds=60)
    assert "line 3: bad; everything was put back" in result["msg"]
    assert (etc.drop_in.read_text(), restarts(sshd)) == (ALIVE, 0)


def test_an_address_line_of_the_owners_that_fixes_the_port_is_named(sshd: Node, etc: Etc) -> None:
    etc.main.write_text(etc.main.read_text() + "ListenAddress 10.0.0.1:22\n")
    result = sshd.run(main, port=22332)
    assert result["msg"] == (
        "Could not configure sshd: sshd would not listen on 22332, whatever Port says:"
        f" ListenAddress at {etc.main}:3; everything was put back"
    )
    assert (etc.drop_in.exists(), restarts(sshd)) == (False, 0)


def test_an_sshd_that_does_not_listen_afterwards_gets_everything_back(sshd: Node, etc: Etc) -> None:
    sshd.answers("sshd -T", effective(22), effective(22, 22332))
    result = sshd.run(main, port=22332)
    assert "did not listen on 22332 within" in result["msg"]
    assert result["msg"].endswith("; everything was put back")
    assert (etc.drop_in.exists(), restarts(sshd)) == (False, 2)


def test_a_port_of_another_program_is_refused_before_any_change(sshd: Node, etc: Etc) -> None:
    sshd.answers("ss -Hltnp", bound(22332, program="nginx"))
    result = sshd.run(main, port=22332)
    assert result["msg"] == (
        "Could not configure sshd: tcp/22332 is taken by nginx, expected it to be free; choose"
        " another port"
    )
    assert not etc.drop_in.exists()


def test_a_port_that_cannot_be_proven_is_refused_before_any_change(sshd: Node, etc: Etc) -> None:
    result = sshd.run(main, port=22332, no_proof="no ssh here")
    assert result["msg"] == "Could not configure sshd: no ssh here"
    assert not etc.drop_in.exists()


@pytest.mark.parametrize("port", [0, 65536], ids=["zero", "too-high"])
@pytest.mark.usefixtures("etc")
def test_no_port_at_all_is_refused(sshd: Node, port: int) -> None:
    assert sshd.run(main, port=port)["msg"] == (
        f"os_base_ssh_port is {port}, expected a port from 1 to 65535"
    )


def test_an_old_sshd_gets_a_block_at_the_top(sshd: Node, etc: Etc) -> None:
    old = "#\t$OpenBSD$\nPermitRootLogin yes\n"
    etc.main.write_text(old)
    sshd.run(main)
    assert etc.main.read_text() == (
        "# BEGIN rackforge.gpu_cluster os_base\n"
        + ALIVE
        + "# END rackforge.gpu_cluster os_base\n"
        + old
    )
    assert not etc.drop_in.exists()
    sshd.run(main, state="absent")
    assert etc.main.read_text() == old


def test_taking_it_out_leaves_no_file(sshd: Node, etc: Etc) -> None:
    etc.drop_in.write_text(ALIVE)
    result = sshd.run(main, state="absent")
    assert (result["changed"], etc.drop_in.exists(), restarts(sshd)) == (True, False, 1)
    assert sshd.run(main, state="absent")["changed"] is False


def test_taking_a_port_out_keeps_our_part_until_the_first_port_is_proven(
    sshd: Node, etc: Etc
) -> None:
    etc.drop_in.write_text(MOVED)
    sshd.answers("sshd -T", effective(22332), effective(22, 22332))
    sshd.answers("ss -Hltnp", bound(22332), bound(22, 22332))
    result = sshd.run(main, state="absent")
    assert result["proof"] == 22
    assert etc.drop_in.read_text() == (
        "# Managed by rackforge.gpu_cluster\n# Port 22 is on trial; without it: 22332\n"
        "Port 22\nPort 22332\n" + KEEP_ALIVE
    )
    sshd.answers("sshd -T", effective(22, 22332), effective(22332))
    sshd.answers("ss -Hltnp", bound(22332))
    sshd.run(main, state="absent", step="undo")
    assert etc.drop_in.read_text() == MOVED


def test_a_removal_that_was_cut_off_is_finished(sshd: Node, etc: Etc) -> None:
    etc.drop_in.write_text(sshd_node.STUB)
    assert sshd.run(main, state="absent")["changed"] is True
    assert not etc.drop_in.exists()


SOCKET = (
    "Id=ssh.service\nLoadState=loaded\nActiveState=inactive\nMainPID=0\nNeedDaemonReload=no\n"
    "InactiveExitTimestampMonotonic=0\n\n"
    "Id=ssh.socket\nLoadState=loaded\nActiveState=active\nAccept=yes\nNeedDaemonReload=no\n"
    "InactiveExitTimestampMonotonic=1\n{}"
)
VENDOR = "# /lib/systemd/system/ssh.socket\n[Socket]\nListenStream=22\nAccept=yes\n"


def systemd(*ports: int) -> Answer:
    line = 'LISTEN 0 4096 *:{} *:* users:(("systemd",pid=1,fd=52))\n'
    return ok("".join(line.format(port) for port in (*ports, 111)))


def test_a_socket_of_systemds_gets_the_port(sshd: Node, etc: Etc) -> None:
    listens = "Listen=[::]:{} (Stream)\n"
    both = "".join(listens.format(port) for port in (22, 22332))
    sshd.answers("systemctl show", ok(SOCKET.format(listens.format(22))), ok(SOCKET.format(both)))
    sshd.answers("systemctl cat ssh.socket", ok(VENDOR))
    sshd.answers("systemctl daemon-reload", ok())
    sshd.answers("systemctl restart ssh.socket", ok())
    sshd.answers("ss -Hltnp", systemd(22), systemd(22, 22332))
    result = sshd.run(main, port=22332)
    assert (result["proof"], result["ports"]) == (22332, [22, 22332])
    assert (etc.folder / "socket.conf").read_text() == (
        "# Managed by rackforge.gpu_cluster\n[Socket]\nListenStream=\n"
        "ListenStream=22\nListenStream=22332\n"
    )


def test_ubuntus_generator_needs_no_drop_in(
    sshd: Node, etc: Etc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sshd_units, "GENERATORS", (str(etc.main),))
    listens = "Listen=0.0.0.0:{} (Stream)\nListen=[::]:{} (Stream)\n"
    both = "".join(listens.format(port, port) for port in (22, 22332))
    first = SOCKET.replace("Accept=yes", "Accept=no")
    sshd.answers("systemctl show", ok(first.format(listens.format(22, 22))), ok(first.format(both)))
    sshd.answers("systemctl daemon-reload", ok())
    sshd.answers("systemd-run", ok())
    sshd.answers("sshd -T", effective(22), effective(22, 22332))
    sshd.answers("ss -Hltnp", systemd(22), systemd(22, 22332))
    result = sshd.run(main, port=22332)
    assert (result["proof"], result["ports"]) == (22332, [22, 22332])
    assert not (etc.folder / "socket.conf").exists()


def selinux(node: Node, state: str, *known: int) -> Node:
    """Have SELinux in this state on the node."""
    node.answers("getenforce", ok(f"{state}\n"))
    ports = ", ".join(str(port) for port in known)
    node.answers("semanage port -l", ok(f"ssh_port_t                     tcp      {ports}\n"))
    node.answers("semanage port -a", ok())
    node.answers("semanage port -d", ok())
    return node


def test_selinux_is_told_about_the_port(sshd: Node, etc: Etc) -> None:
    selinux(sshd, "Enforcing", 22)
    sshd.answers("sshd -T", effective(22), effective(22, 22332))
    sshd.answers("ss -Hltnp", bound(22), bound(22, 22332))
    sshd.run(main, port=22332)
    assert "semanage port -a -t ssh_port_t -p tcp 22332" in sshd.calls
    assert "# Labelled for SELinux: 22332\n" in etc.drop_in.read_text()


def test_a_label_of_ours_goes_with_the_port(sshd: Node, etc: Etc) -> None:
    selinux(sshd, "Enforcing", 22, 22332)
    labelled = TRIAL.replace("Port 22\n", "# Labelled for SELinux: 22332\nPort 22\n", 1)
    etc.drop_in.write_text(labelled)
    sshd.answers("sshd -T", effective(22, 22332), effective(22))
    sshd.run(main, port=22332, step="undo")
    assert "semanage port -d -p tcp 22332" in sshd.calls
    assert etc.drop_in.read_text() == ALIVE


def test_a_label_of_the_owners_stays(sshd: Node, etc: Etc) -> None:
    selinux(sshd, "Permissive", 22, 22332)
    etc.drop_in.write_text(TRIAL)
    sshd.answers("sshd -T", effective(22, 22332), effective(22))
    sshd.run(main, port=22332, step="undo")
    assert not [call for call in sshd.calls if call.startswith("semanage port -d")]


def test_selinux_without_semanage_is_refused_before_any_change(sshd: Node, etc: Etc) -> None:
    sshd.answers("getenforce", ok("Enforcing\n"))
    result = sshd.run(main, port=22332)
    assert result["msg"] == (
        "Could not configure sshd: SELinux is enforcing and does not know port 22332 as sshd's,"
        " and semanage is missing; run 'dnf install policycoreutils-python-utils'"
    )
    assert not etc.drop_in.exists()


def test_check_mode_minds_no_semanage_that_is_still_to_be_installed(sshd: Node, etc: Etc) -> None:
    sshd.answers("getenforce", ok("Enforcing\n"))
    result = sshd.run(main, check=True, port=22332)
    assert result.get("failed", False) is False
    assert result["diff"] == {"before": "", "after": f"==> {etc.drop_in}\n{MOVED}"}
    assert not etc.drop_in.exists()


def test_a_port_line_of_the_owners_stays_and_is_named(sshd: Node, etc: Etc) -> None:
    owners = etc.drop_in.parent / "lab.conf"
    owners.write_text("Port 22\n")
    etc.drop_in.write_text(MOVED)
    sshd.answers("systemctl show", service(LONG_AFTER_NOW))
    sshd.answers("sshd -T", effective(22, 22332))
    sshd.answers("ss -Hltnp", bound(22, 22332))
    result = sshd.run(main, port=22332)
    assert result["changed"] is False
    assert result["remarks"] == [
        f"sshd listens on 22 too, because {owners}:1 says so; that line is yours and stays. Remove"
        " it to have 22332 alone"
    ]
    assert owners.read_text() == "Port 22\n"


@pytest.mark.usefixtures("etc")
def test_a_node_without_sshd_has_nothing_to_keep_alive(node: Node) -> None:
    node.answers("systemctl show", ok())
    assert node.run(main)["changed"] is False
    assert "systemd runs no sshd here" in node.run(main, port=22332)["msg"]


def test_an_address_of_the_owners_that_is_absent_does_not_disturb(sshd: Node, etc: Etc) -> None:
    etc.main.write_text(etc.main.read_text() + "Port 22\nPort 2222\n")
    sshd.answers("sshd -T", effective(22, 2222))
    assert sshd.run(main)["changed"] is True
    assert etc.drop_in.read_text() == ALIVE


def test_an_old_sshd_is_asked_about_a_match_with_a_connection(sshd: Node, etc: Etc) -> None:
    complaint = "'Match User' in configuration but 'user' not in connection test specification.\n"
    sshd.answers("sshd -T", (255, "", complaint))
    sshd.answers("sshd -T -C user=root,host=localhost,addr=127.0.0.1", effective(22))
    assert sshd.run(main)["changed"] is True
    assert etc.drop_in.read_text() == ALIVE


def test_without_ss_nothing_is_changed(sshd: Node, etc: Etc) -> None:
    del sshd.programs["ss -Hltnp"]
    result = sshd.run(main)
    assert "ss is missing; install iproute2" in result["msg"]
    assert not etc.drop_in.exists()
