# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the playbooks that stop a Ray head, in real runs with a small server as its API.

They are in check mode, so that one that does not refuse changes nothing on this machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

OLD, NEW = "the old token", "the new token"
JOB = {"type": "SUBMISSION", "submission_id": "raysubmit_1", "entrypoint": "python train.py"}
BEGINS = "Remember that the upgrade begins, and with which GPUs"
SYSTEMCTL = """#!/bin/sh
printf 'LoadState=loaded\\nActiveState=active\\nSubState=running\\nNRestarts=0\\n'
"""


class Dashboard(ThreadingHTTPServer):
    """The API of a head that was started with the old token, whose job has ``states`` in turn."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.states = ["RUNNING"]


class Answer(BaseHTTPRequestHandler):
    """One request to it."""

    server: Dashboard

    def do_GET(self) -> None:
        """Answer a request."""
        if self.headers["Authorization"] != f"Bearer {OLD}":
            self.send_error(401)
            return
        body = json.dumps(self._content()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _content(self) -> Any:
        if self.path == "/api/version":
            return {"ray_version": "2.60.0"}
        if self.path == "/api/jobs/":
            states = self.server.states
            return [{**JOB, "status": states.pop(0) if len(states) > 1 else states[0]}]
        return {"result": True, "data": {"result": {"result": []}}}

    def log_message(self, *_ignored: object) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Desk:
    """A control node with an inventory of one head, which is this machine.

    A rotation of the head's token was cut off: the new one lies there, and the old one is in use.
    """

    folder: Path
    playbooks: Path
    dashboard: Dashboard

    def plays(self, name: str) -> list[dict[str, Any]]:
        """Return the plays of a playbook."""
        loaded: list[dict[str, Any]] = yaml.safe_load((self.playbooks / name).read_text())
        return loaded

    def write(self, plays: list[dict[str, Any]]) -> Path:
        """Return a playbook with these plays."""
        path = self.folder / "play.yml"
        path.write_text(json.dumps(plays), encoding="utf-8")
        return path

    def play(self, playbook: Path, *options: str) -> tuple[int, str]:
        """Return how a run ended, and what it said with every run of blanks as one."""
        paths = {
            "ray_node_address": "127.0.0.1",
            "ray_dashboard_port": self.dashboard.server_address[1],
            "__ray_token_file": str(self.folder / "new"),
            "__ray_runtime_token_file": str(self.folder / "old"),
            "ansible_become": False,
        }
        program = Path(sys.executable).parent / "ansible-playbook"
        done = subprocess.run(
            [
                *(str(program), "--check", "-i", str(self.folder / "inv.ini")),
                *("-e", json.dumps(paths), *options, str(playbook)),
            ],
            env={
                **os.environ,
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "ANSIBLE_CONFIG": str(self.playbooks.parent / "ansible.cfg"),
            },
            cwd=self.playbooks.parent,
            text=True,
            capture_output=True,
            timeout=120,
            check=False,
        )
        return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def desk(tmp_path: Path, repository: Path) -> Iterator[Desk]:
    local = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
    (tmp_path / "inv.ini").write_text(f"[ray_head]\nn1 {local}\n", encoding="utf-8")
    (tmp_path / "old").write_text(OLD, encoding="utf-8")
    (tmp_path / "new").write_text(NEW, encoding="utf-8")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "systemctl").write_text(SYSTEMCTL, encoding="utf-8")
    (tmp_path / "bin" / "systemctl").chmod(0o755)
    with Dashboard() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Desk(tmp_path, repository / "playbooks", server)
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("playbook", "variable"),
    [("rotate_ray_token.yml", "rotate_force"), ("reset.yml", "reset_force")],
)
def test_a_rotation_that_was_cut_off_hides_no_job(desk: Desk, playbook: str, variable: str) -> None:
    code, said = desk.play(desk.playbooks / playbook)
    assert code == 2, said
    assert "1 Ray jobs have not ended, and would be lost: - raysubmit_1 RUNNING" in said
    assert "Nothing was changed." in said
    assert f"with -e {variable}=true to lose them" in said


def due(plays: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    """Return these plays after one that says which nodes the nodes' own upgrade changes."""
    choose = {
        "ansible.builtin.group_by": {"key": "__upgrade_due"},
        "when": "inventory_hostname in wanted",
        "vars": {"wanted": list(names)},
    }
    return [{"hosts": "all", "gather_facts": False, "tasks": [choose]}, *plays]


@pytest.mark.parametrize(
    ("names", "options", "refused"),
    [
        pytest.param(["n1"], [], True, id="its-driver-changes"),
        pytest.param(["n1"], ["-e", "upgrade_wait_for_jobs=60"], False, id="waited-for"),
        pytest.param([], [], False, id="others-change"),
    ],
)
def test_an_upgrade_looks_for_jobs_before_the_first_change_of_the_head(
    desk: Desk, names: list[str], options: list[str], refused: bool
) -> None:
    (plan,) = [each for each in desk.plays("upgrade.yml") if each["name"] == "Plan the upgrade"]
    look = {
        **plan,
        "tasks": [plan["tasks"][-1]],
        "vars": {"__upgrade_plan": {"go": True, "ray": {"stops": False}}},
    }
    code, said = desk.play(desk.write(due([look], *names)), *options)
    assert (code, "raysubmit_1 RUNNING" in said) == ((2, True) if refused else (0, False)), said


def test_an_upgrade_of_the_nodes_looks_for_jobs_before_the_first_change(desk: Desk) -> None:
    plays = desk.plays("upgrade_nodes.yml")
    reached = [each["name"] for each in plays].index("Note that from here on nodes are changed")
    looks = [each for each in plays[:reached] if "tasks" in each]
    code, said = desk.play(desk.write(due(looks, "n1")))
    assert code == 2, said
    assert "raysubmit_1 RUNNING" in said
    assert "Nothing was changed." in said


def test_an_upgrade_of_the_head_waits_for_its_jobs(desk: Desk) -> None:
    desk.dashboard.states = ["RUNNING", "SUCCEEDED"]
    plays = {each["name"]: each for each in desk.plays("upgrade_nodes.yml")}
    batches = plays["Upgrade the nodes in batches"]
    (block,) = [each["block"] for each in batches["tasks"] if "block" in each]
    begins = [each["name"] for each in block].index(BEGINS)
    playbook = desk.write([{**batches, "hosts": "all", "tasks": block[:begins]}])
    code, said = desk.play(playbook, "-e", "upgrade_wait_for_jobs=60")
    assert code == 0, said
    assert "waiting for 1 Ray jobs since 0 s: raysubmit_1" in said
