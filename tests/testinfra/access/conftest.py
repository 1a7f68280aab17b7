# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user who has machines, one password, and nothing else."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import lab
from tests.lab.control import find
from tests.lab.paths import ROOT, state_of
from tests.testinfra.lifecycle.support import Played, clean_environment, tail

RULE = "/etc/sudoers.d/zz-rackforge-alice"


@dataclass(frozen=True)
class Desk:
    """The user's own folder, and the lab whose machines it is about."""

    lab: str
    folder: Path
    password: str

    @property
    def nodes(self) -> list[str]:
        """The machines' names."""
        return lab.names(self.lab)

    def address(self, node: str) -> str:
        """Return the address that SSH connects to."""
        return dict(find(node).addresses)[f"{self.lab}-management"]

    @property
    def key(self) -> Path:
        """Where the cluster's key comes to lie."""
        return self.folder / "secrets" / "access" / "ssh_key"

    @property
    def arguments(self) -> str:
        """What ssh is told, so that the machine's own known_hosts stays as it is."""
        return f"-F /dev/null -o IdentityAgent=none -o UserKnownHostsFile={self.folder}/known_hosts"

    def inventory(self, name: str = "inv.ini", more: str = "", hosts: str = "") -> Path:
        """Write an inventory, and return its path."""
        lines = ["[ray_head]", "[ray_worker]"]
        for position, node in enumerate(self.nodes):
            lines.insert(
                1 + 2 * position, f"{node} ansible_host={self.address(node)} my_iface=eth1"
            )
        lines += [hosts, "[all:vars]", "cluster_name=access", "ansible_user=alice"]
        lines += [f"ansible_ssh_common_args={self.arguments}", more]
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n")
        return path

    @property
    def with_password(self) -> tuple[str, str]:
        """Arguments that give the password as a file, as a vault would."""
        path = self.folder / "password.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({"ansible_password": self.password}))
        return ("-e", f"@{path}")

    def play(self, *arguments: str, env: Mapping[str, str] | None = None) -> Played:
        """Return how ansible-playbook ended."""
        done = subprocess.run(
            [str(ROOT / ".venv/bin/ansible-playbook"), *arguments],
            cwd=ROOT,
            env={**clean_environment(), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        print(tail(done.stdout))  # noqa: T201 - shown when the test fails
        return Played(done.returncode, done.stdout, 0)

    def bootstrap(self, inventory: Path, *arguments: str) -> Played:
        """Run bootstrap.yml."""
        return self.play("-i", str(inventory), "playbooks/bootstrap.yml", *arguments)

    def discover(self, *arguments: str) -> Played:
        """Run discover.yml."""
        ssh = json.dumps({"ansible_ssh_common_args": self.arguments})
        return self.play("playbooks/discover.yml", "-e", ssh, *arguments)

    def on(self, node: str, script: str) -> str:
        """Return what a script prints as root on a machine, past SSH."""
        done = lab.exec(node, ["sh", "-c", script])
        assert done.ok, done.stderr
        return done.stdout

    def stand(self, node: str) -> str:
        """Return how that stands which bootstrap may touch."""
        return self.on(
            node,
            "cat /home/alice/.ssh/authorized_keys; stat -c '%n %a %U' /home/alice/.ssh"
            " /home/alice/.ssh/*; ls /etc/sudoers.d",
        )


@pytest.fixture(scope="session")
def desk(inventory: Path, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The user's desk, empty."""
    name = inventory.parent.name
    password = (state_of(name).directory / "sudo_password").read_text().strip()
    return Desk(name, tmp_path_factory.mktemp("desk"), password)


@pytest.fixture(scope="session")
def before(desk: Desk) -> dict[str, str]:
    """How the machines stood."""
    return {node: desk.stand(node) for node in desk.nodes}
