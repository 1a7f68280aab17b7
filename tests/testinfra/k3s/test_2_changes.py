# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes restart, and what a user reads when k3s does not come up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.paths import ROOT


def provision(inventory: Path, tmp_path: Path, **variables: Any) -> tuple[int, str]:
    extra = tmp_path / "extra.yml"
    extra.write_text(yaml.safe_dump(variables))
    done = subprocess.run(
        [str(ROOT / ".venv/bin/ansible-playbook"), "-i", str(inventory),
         "playbooks/provision.yml", "-e", f"@{extra}"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    sys.stdout.write(done.stdout[-6000:] + done.stderr[-2000:])
    return done.returncode, done.stdout + done.stderr


def running(nodes: list[Any]) -> list[str]:
    """Return the processes that run as k3s, by node."""
    return [
        node.check_output(f"systemctl show --property=MainPID --value {unit}")
        for node, unit in zip(nodes, ["k3s", "k3s-agent", "k3s-agent"], strict=True)
    ]


def only_on(host: str, value: dict[str, Any]) -> str:
    """Return a variable's text that holds on one host and is empty on the others."""
    return f"{{{{ {value!r} if inventory_hostname == '{host}' else {{}} }}}}"


@pytest.fixture
def as_before(inventory: Path, tmp_path: Path) -> Iterator[None]:
    """What the test changes is put back by another run."""
    yield
    code, _said = provision(inventory, tmp_path)
    assert code == 0


@pytest.mark.usefixtures("as_before")
def test_a_changed_setting_restarts_one_node(
    inventory: Path, nodes: list[Any], tmp_path: Path
) -> None:
    before = running(nodes)
    mine = only_on("mol-k3s-n2", {"kubelet-arg": ["max-pods=50"]})
    code, _said = provision(inventory, tmp_path, k3s_extra_config=mine)
    assert code == 0
    after = running(nodes)
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]


def test_a_key_of_another_variable_is_refused_with_its_name(
    inventory: Path, nodes: list[Any], tmp_path: Path
) -> None:
    before = running(nodes)
    code, said = provision(inventory, tmp_path, k3s_extra_config={"cluster-cidr": "10.9.0.0/16"})
    assert code != 0
    assert "k3s_cluster_cidr" in said
    assert running(nodes) == before


@pytest.mark.usefixtures("as_before")
def test_a_taken_port_is_named_with_its_holder(
    inventory: Path, nodes: list[Any], tmp_path: Path
) -> None:
    server = nodes[0]
    server.check_output("systemctl stop k3s")
    listen = "/usr/bin/python3 -m http.server 6443"
    server.check_output(f"systemd-run --unit=taker {listen}")
    try:
        code, said = provision(inventory, tmp_path)
        assert code != 0
        assert "python3 listens on tcp 6443" in said
        assert "taker.service" in said
        assert "Traceback" not in said
    finally:
        server.check_output("systemctl stop taker")
