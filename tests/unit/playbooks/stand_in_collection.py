# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""This collection with stand-ins for its roles, so that a playbook changes nothing here.

The playbooks are real. Roles are stand-ins that write down their calls, and so is the module that
starts units; preflight.yml and verify.yml, which would judge a cluster that is not there, are
empty.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

INVENTORY = f"""
[ray_head]
h1
[ray_worker]
w1
w2
[k3s_server]
s1
s2
s3
[k3s_agent]
w1
a1
[storage]
nas
[all:vars]
ansible_connection=local
ansible_python_interpreter={sys.executable}
ansible_become=false
"""
CALL = """
- name: Write down that it was called
  ansible.builtin.lineinfile:
    path: {calls}
    line: "{entry} {{{{ inventory_hostname }}}}"
    create: true
    mode: "0600"
  changed_when: {changed}
  register: __k3s_emptied
"""
#: Stands in for ansible.builtin.systemd_service.
SYSTEMD = """
from ansible.module_utils.basic import AnsibleModule

options = {"name": {}, "state": {}, "no_block": {"type": "bool"}}
module = AnsibleModule(argument_spec=options, supports_check_mode=True)
if not module.check_mode:
    with open("CALLS", "a") as calls:
        calls.write(f"systemd/{module.params['state']} {module.params['name']}\\n")
module.exit_json(changed=True)
"""
NO_PLAY = """
- name: Ask nobody
  hosts: "!all"
  gather_facts: false
  tasks: []
"""


@dataclass(frozen=True)
class Collection:
    """This collection with stand-ins for its roles, in a folder of its own."""

    folder: Path
    repository: Path
    #: What -i names.
    inventory: str = "inv.ini"

    @property
    def root(self) -> Path:
        """Where Ansible finds it."""
        return self.folder / "collections/ansible_collections/rackforge/gpu_cluster"

    def build(self, roles: Mapping[str, str]) -> None:
        """Lay it down: links to what is real, and the roles' entries, by ``role/entry``."""
        playbooks = self.root / "playbooks"
        (playbooks / "library").mkdir(parents=True)
        for name in ("galaxy.yml", "meta", "plugins"):
            (self.root / name).symlink_to(self.repository / name)
        for path in (self.repository / "playbooks").glob("*.yml"):
            text = path.read_text(encoding="utf-8")
            text = text.replace("ansible.builtin.systemd_service:", "stand_in_systemd:")
            (playbooks / path.name).write_text(text, encoding="utf-8")
        for name in ("preflight.yml", "verify.yml"):
            (playbooks / name).write_text(NO_PLAY, encoding="utf-8")
        module = SYSTEMD.replace("CALLS", str(self.folder / "calls"))
        (playbooks / "library" / "stand_in_systemd.py").write_text(module, encoding="utf-8")
        for name, text in roles.items():
            role, _slash, entry = name.partition("/")
            tasks = self.root / "roles" / role / "tasks"
            tasks.mkdir(parents=True, exist_ok=True)
            (tasks / f"{entry}.yml").write_text(text, encoding="utf-8")
        (self.folder / "inv.ini").write_text(INVENTORY, encoding="utf-8")

    def call(self, entry: str, changed: bool = True) -> str:
        """Return the tasks of an entry that writes down its call."""
        calls = self.folder / "calls"
        return CALL.format(calls=calls, entry=entry, changed=str(changed).lower())

    def play(self, name: str, *options: str) -> tuple[int, str]:
        """Return exit status and words of a run."""
        program = Path(sys.executable).parent / "ansible-playbook"
        done = subprocess.run(
            [str(program), "-i", self.inventory, str(self.root / "playbooks" / name), *options],
            cwd=self.folder,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(self.repository / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_STDOUT_CALLBACK": "default",
            },
            text=True,
            capture_output=True,
            timeout=120,
            check=False,
        )
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    @property
    def phase(self) -> str:
        """The phase that the only operation is on record with, "" for none."""
        state = self.folder / "state" / "gpu-cluster.json"
        operations = json.loads(state.read_text())["operations"] if state.exists() else []
        return "".join(each["phase"] for each in operations)

    @property
    def calls(self) -> list[str]:
        """What was called, in order."""
        path = self.folder / "calls"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
