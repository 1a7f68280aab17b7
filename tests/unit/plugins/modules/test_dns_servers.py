"""Claims about the dns_servers module, with a folder in place of /etc and a real question."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.resolver import Keeper
from ansible_collections.rackforge.gpu_cluster.plugins.modules import dns_servers
from ansible_collections.rackforge.gpu_cluster.plugins.modules.dns_servers import main

from tests.unit.plugins.modules.conftest import Node

YES, NO = (0, "", ""), (3, "", "")
STARTED = "ActiveState=active\nUnitFileState=enabled\nInactiveExitTimestampMonotonic={}\n"
LONG_AGO, LONG_AFTER_NOW = 1, 10**18
TIMEOUT = 0.2


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A node's files: a plain resolv.conf and the places of the drop-ins."""
    made = SimpleNamespace(
        resolv=tmp_path / "resolv.conf",
        resolved=tmp_path / "resolved.conf.d" / "60-rackforge.conf",
        manager=tmp_path / "conf.d" / "60-rackforge.conf",
    )
    made.resolv.write_text("nameserver 192.0.2.1\noptions rotate\n")
    paths = {
        Keeper.RESOLVED: str(made.resolved),
        Keeper.NETWORK_MANAGER: str(made.manager),
        Keeper.NOBODY: str(made.resolv),
    }
    monkeypatch.setattr(dns_servers, "RESOLV_CONF", str(made.resolv))
    monkeypatch.setattr(dns_servers, "PATHS", paths)
    monkeypatch.setattr(dns_servers, "SETTLE_SECONDS", 0.0)
    return made


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """A name server on 127.0.0.1, and the questions it was asked."""
    asked: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind(("127.0.0.1", 0))
        monkeypatch.setattr(dns_servers, "PORT", wire.getsockname()[1])

        def serve() -> None:
            while True:
                data, peer = wire.recvfrom(4096)
                if not data:
                    return
                asked.append(data)
                wire.sendto(data[:2] + b"\x81\x80" + data[4:], peer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
            stop.sendto(b"", wire.getsockname())
        thread.join()


def keeper(node: Node, *, resolved: bool = False, manager: bool = False) -> None:
    """Say which of the two programs run."""
    node.answers("systemctl is-active --quiet systemd-resolved", YES if resolved else NO)
    node.answers("systemctl is-active --quiet NetworkManager", YES if manager else NO)


def run(node: Node, *servers: str, check: bool = False, **more: Any) -> Any:
    """Run the module."""
    return node.run(main, check=check, servers=list(servers), timeout=TIMEOUT, **more)


def test_a_plain_file_is_written_after_the_server_answered(
    node: Node, etc: SimpleNamespace, name_server: list[bytes]
) -> None:
    keeper(node)
    result = run(node, "127.0.0.1", search=["lab.example"])
    assert (result["changed"], result["keeper"]) == (True, "nobody")
    assert etc.resolv.read_text() == (
        "# Managed by rackforge.gpu_cluster\nsearch lab.example\nnameserver 127.0.0.1\n"
        "options rotate\n"
    )
    assert len(name_server) == 1
    assert run(node, "127.0.0.1", search=["lab.example"])["changed"] is False
    assert len(name_server) == 1


def test_servers_of_which_none_answers_leave_the_node_as_it_was(
    node: Node, etc: SimpleNamespace
) -> None:
    keeper(node)
    result = run(node, "127.0.0.1")
    assert result["failed"] is True
    assert (
        "has 127.0.0.1, and none of them answered a question over UDP within 0.2 s" in result["msg"]
    )
    assert etc.resolv.read_text() == "nameserver 192.0.2.1\noptions rotate\n"


def test_one_server_that_answers_is_enough_and_the_silent_one_is_named(
    node: Node, etc: SimpleNamespace, name_server: list[bytes]
) -> None:
    keeper(node)
    result = run(node, "127.0.0.2", "127.0.0.1")
    assert (result["changed"], result["silent"]) == (True, ["127.0.0.2"])
    assert "nameserver 127.0.0.2\nnameserver 127.0.0.1\n" in etc.resolv.read_text()
    assert name_server


def test_check_mode_asks_and_writes_nothing(
    node: Node, etc: SimpleNamespace, name_server: list[bytes]
) -> None:
    keeper(node)
    assert run(node, "127.0.0.1", check=True)["changed"] is True
    assert etc.resolv.read_text() == "nameserver 192.0.2.1\noptions rotate\n"
    assert len(name_server) == 1


def stub(etc: SimpleNamespace) -> None:
    """Let resolv.conf lead to systemd-resolved's."""
    etc.resolv.unlink()
    etc.resolv.symlink_to("../run/systemd/resolve/stub-resolv.conf")


def test_resolved_is_restarted_with_the_dropin(
    node: Node, etc: SimpleNamespace, name_server: list[bytes]
) -> None:
    stub(etc)
    keeper(node, resolved=True)
    node.answers("systemctl show systemd-resolved", (0, STARTED.format(LONG_AFTER_NOW), ""))
    node.answers("systemctl restart systemd-resolved.service", YES)
    result = run(node, "127.0.0.1")
    assert (result["changed"], result["keeper"]) == (True, "systemd-resolved")
    assert "DNS=127.0.0.1\nDomains=~.\n" in etc.resolved.read_text()
    assert "systemctl restart systemd-resolved.service" in node.calls
    assert os.readlink(etc.resolv) == "../run/systemd/resolve/stub-resolv.conf"
    assert run(node, "127.0.0.1")["changed"] is False
    assert name_server


def test_a_run_that_died_before_the_restart_is_made_good(
    node: Node, etc: SimpleNamespace, name_server: list[bytes]
) -> None:
    stub(etc)
    keeper(node, resolved=True)
    node.answers("systemctl show systemd-resolved", (0, STARTED.format(LONG_AGO), ""))
    node.answers("systemctl restart systemd-resolved.service", YES)
    run(node, "127.0.0.1")
    again = run(node, "127.0.0.1")
    assert (again["changed"], again["diff"]["before"]) == (True, again["diff"]["after"])
    assert len(name_server) == 1


def test_a_resolved_that_does_not_start_gets_its_files_back(
    node: Node, etc: SimpleNamespace, name_server: list[bytes]
) -> None:
    stub(etc)
    keeper(node, resolved=True)
    node.answers("systemctl show systemd-resolved", (0, STARTED.format(LONG_AFTER_NOW), ""))
    node.answers("systemctl restart", (1, "", "Job failed.\n"), YES)
    result = run(node, "127.0.0.1")
    assert f"Job failed.; {etc.resolved} was put back as it was" in result["msg"]
    assert not etc.resolved.exists()
    assert node.calls.count("systemctl restart systemd-resolved.service") == 2
    assert name_server


def test_network_manager_reads_again_and_is_believed_when_resolv_conf_shows_it(
    node: Node, etc: SimpleNamespace, name_server: list[bytes]
) -> None:
    keeper(node, manager=True)
    etc.resolv.write_text("# Generated by NetworkManager\nnameserver 127.0.0.1\n")
    node.answers("nmcli general reload", YES)
    result = run(node, "127.0.0.1")
    assert (result["changed"], result["keeper"]) == (True, "NetworkManager")
    assert etc.manager.read_text() == (
        "# Managed by rackforge.gpu_cluster\n[global-dns]\n\n[global-dns-domain-*]\n"
        "servers=127.0.0.1\n"
    )
    assert run(node, "127.0.0.1")["changed"] is False
    assert name_server


def test_a_network_manager_that_ignores_the_file_loses_it_again(
    node: Node, etc: SimpleNamespace, name_server: list[bytes]
) -> None:
    keeper(node, manager=True)
    etc.resolv.write_text("# Generated by NetworkManager\nnameserver 192.0.2.1\n")
    node.answers("nmcli general reload", YES)
    result = run(node, "127.0.0.1")
    assert "'nmcli general reload' /etc/resolv.conf lists 192.0.2.1" in result["msg"]
    assert not etc.manager.exists()
    assert node.calls.count("nmcli general reload") == 2
    assert name_server


def test_a_name_in_place_of_an_address_is_refused(node: Node, etc: SimpleNamespace) -> None:
    assert "has 'dns.lab.example', expected an address" in run(node, "dns.lab.example")["msg"]
    assert etc.resolv.read_text() == "nameserver 192.0.2.1\noptions rotate\n"
