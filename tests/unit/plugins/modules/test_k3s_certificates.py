"""Claims about the k3s_certificates module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    k3s_certificates,
    k3s_unit,
)
from ansible_collections.rackforge.gpu_cluster.plugins.modules.k3s_certificates import main

from tests.unit.plugins.modules.conftest import Answer, Node

OK: Answer = (0, "", "")
SAID: Answer = (
    0,
    "",
    'time="2026-01-01T00:00:00Z" level=info msg="Successfully backed up certificates to '
    "/var/lib/rancher/k3s/agent/tls-1767225600, please restart k3s server or agent to rotate "
    'certificates"\n',
)
UNIT = "k3s-agent.service"


def shown(active: str, sub: str = "running") -> Answer:
    """Return systemd's answer about the unit."""
    return (0, f"ActiveState={active}\nSubState={sub}\nNRestarts=0\n", "")


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The certificate that proves a rotation."""
    path = tmp_path / "serving-kubelet.crt"
    path.write_text("former")
    monkeypatch.setitem(k3s_certificates.PROOFS, "agent", (str(path),))
    for name in ("TOKEN", "AGENT_TOKEN", "SERVER_TOKEN"):
        monkeypatch.setattr(k3s_unit, name, str(tmp_path / name))
    return path


@pytest.fixture
def agent(node: Node, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """An agent whose start makes a new certificate."""
    assert certificate.exists()
    node.answers(f"systemctl stop {UNIT}", OK)
    node.answers("/usr/local/bin/k3s certificate rotate", SAID)
    node.answers(f"systemctl --no-block start {UNIT}", OK)
    node.answers(f"systemctl show {UNIT}", shown("active"))
    node.answers(f"journalctl --unit {UNIT}", (0, "level=fatal msg=no\n", ""))
    real = node.run_command

    def run_command(args: list[str], *rest: Any, **more: Any) -> Answer:
        if args[:2] == ["systemctl", "--no-block"] and node.programs.get("makes anew", True):
            certificate.write_text("new")
        return real(args, *rest, **more)

    monkeypatch.setattr(node, "run_command", run_command)
    return node


def run(node: Node, check: bool = False) -> Any:
    return node.run(main, check=check, kind="agent", api_port=6443, timeout=1)


def test_certificates_go_while_k3s_is_away(agent: Node) -> None:
    result = run(agent)
    assert (result["changed"], result["backup"]) == (
        True,
        "/var/lib/rancher/k3s/agent/tls-1767225600",
    )
    assert result["seconds"] >= 0
    assert [call for call in agent.calls if "show" not in call] == [
        f"systemctl stop {UNIT}",
        "/usr/local/bin/k3s certificate rotate",
        f"systemctl --no-block start {UNIT}",
    ]


def test_a_node_without_certificates_gets_some(agent: Node, certificate: Path) -> None:
    certificate.unlink()
    assert run(agent)["changed"] is True


def test_check_mode_does_nothing(agent: Node) -> None:
    assert run(agent, check=True)["changed"] is True
    assert agent.calls == []


def test_k3s_is_started_again_where_it_did_not_rotate(agent: Node) -> None:
    agent.answers("/usr/local/bin/k3s certificate rotate", (1, "", "no space left on device\n"))
    result = run(agent)
    assert result["failed"] is True
    assert result["msg"] == (
        "k3s did not rotate its certificates: '/usr/local/bin/k3s certificate rotate' exited 1: no "
        "space left on device. It was started again and is up. Mend what it says, then run "
        "rotate_k3s_certificates.yml again."
    )


def test_a_certificate_that_stayed_is_named(agent: Node, certificate: Path) -> None:
    agent.programs["makes anew"] = []
    result = run(agent)
    assert result["failed"] is True
    assert f"{certificate} was not made anew" in result["msg"]


def test_a_k3s_that_does_not_come_back_is_told_with_its_log(agent: Node) -> None:
    agent.answers(f"systemctl show {UNIT}", shown("failed", "failed"))
    result = run(agent)
    assert result["failed"] is True
    assert "is not up after" in result["msg"]
    assert result["msg"].endswith("Mend it, then run rotate_k3s_certificates.yml again.")
