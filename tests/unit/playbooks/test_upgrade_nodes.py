# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about upgrade_nodes.yml in real runs here, on an agent of k3s, with stand-ins."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.playbooks.stand_in_collection import Collection

#: A module that takes what it is given, writes down its call and answers.
MODULE = """
import json

from ansible.module_utils.basic import AnsibleModule

options = {{name: {{"type": "raw"}} for name in {options!r}}}
module = AnsibleModule(argument_spec=options, supports_check_mode=True)
with open({calls!r}, "a") as calls:
    calls.write({name!r} + " " + json.dumps(module.params, sort_keys=True) + "\\n")
module.exit_json(**json.loads({answer!r}))
"""
#: In place of the second play of upgrade_nodes_plan.yml, which finds the nodes that are due.
DUE = """
- name: Choose the node that is upgraded
  hosts: a1
  gather_facts: false
  tasks:
    - name: Choose it
      ansible.builtin.group_by:
        key: __upgrade_due
"""
REFUSES = "ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1"


@dataclass(frozen=True)
class StandIn:
    """A module's options and what it answers."""

    name: str
    options: tuple[str, ...]
    answer: dict[str, Any]


def build(collection: Collection, *obstacles: str) -> None:
    """Lay the collection down; the upgrade ends where packages of the system would come."""
    drained = "k3s/drain {{ k3s_upgrade_server }}"
    collection.build(
        {
            "k3s/drain": collection.call(drained),
            "k3s/undrain": collection.call(drained.replace("drain", "undrain")),
            "os_base/upgrade": "- ansible.builtin.fail: {msg: Packages would come now.}\n",
        }
    )
    modules = (
        StandIn("upgrade_record", ("state", "gpu", "host"), {"changed": True, "began": "now"}),
        StandIn("node_work", ("jobs", "ends_programs"), {"obstacles": obstacles}),
        StandIn("gpu_programs", (), {"changed": True}),
    )
    playbooks = collection.root / "playbooks"
    text = (playbooks / "upgrade_nodes.yml").read_text(encoding="utf-8")
    for module in modules:
        text = text.replace(f"rackforge.gpu_cluster.{module.name}:", f"stand_in_{module.name}:")
        code = MODULE.format(
            options=module.options,
            calls=str(collection.folder / "calls"),
            name=module.name,
            answer=json.dumps(module.answer),
        )
        (playbooks / "library" / f"stand_in_{module.name}.py").write_text(code, encoding="utf-8")
    (playbooks / "upgrade_nodes.yml").write_text(text, encoding="utf-8")
    plan = playbooks / "upgrade_nodes_plan.yml"
    first = plan.read_text(encoding="utf-8").partition("- name: Find out what every node has")[0]
    plan.write_text(first + DUE, encoding="utf-8")


def refuse(collection: Collection, *servers: str) -> None:
    """Have servers of k3s refuse the connection."""
    with (collection.folder / "inv.ini").open("a", encoding="utf-8") as inventory:
        inventory.write("\n[k3s_server]\n")
        inventory.writelines(f"{name} {REFUSES}\n" for name in servers)


@pytest.fixture
def collection(tmp_path: Path, repository: Path) -> Collection:
    return Collection(tmp_path, repository)


@pytest.mark.parametrize(
    ("obstacles", "ended"),
    [
        pytest.param(("containers of yours run: web",), False, id="containers-run"),
        pytest.param((), True, id="nothing-else"),
    ],
)
def test_containers_are_looked_for_before_programs_are_ended(
    collection: Collection, obstacles: tuple[str, ...], ended: bool
) -> None:
    build(collection, *obstacles)
    force = ("-e", "upgrade_force=true", "-e", "has_gpu=true")
    code, said = collection.play("upgrade_nodes.yml", "--limit", "a1,s1", *force)
    assert code == 2, said
    names = [call.split()[0] for call in collection.calls]
    assert names[:3] == ["upgrade_record", "k3s/drain", "node_work"]
    assert collection.calls[2] == 'node_work {"ends_programs": true, "jobs": []}'
    assert ("gpu_programs" in names) is ended
    assert ("Packages would come now." in said) is ended
    assert ("a1: containers of yours run: web. The node was not upgraded." in said) is not ended


def test_without_force_programs_are_obstacles_and_not_ended(collection: Collection) -> None:
    build(collection)
    collection.play("upgrade_nodes.yml", "--limit", "a1,s1", "-e", "has_gpu=true")
    assert 'node_work {"ends_programs": false, "jobs": []}' in collection.calls
    assert "gpu_programs {}" not in collection.calls


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_the_first_server_that_answers_is_asked_to_empty_a_node(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, seed: str
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", seed)
    build(collection, "containers of yours run: web")
    refuse(collection, "s1")
    _code, said = collection.play("upgrade_nodes.yml", "--limit", "a1,k3s_server")
    assert "k3s/drain s2 a1" in collection.calls, said
    # Nothing was changed yet, so pods come again.
    assert "k3s/undrain s2 a1" in collection.calls, said


@pytest.mark.parametrize(
    ("refusing", "limit", "asked"),
    [
        pytest.param((), "a1", "s1", id="no-server-in-the-run"),
        pytest.param(("s1",), "a1,s1", "s2", id="the-servers-of-the-run-do-not-answer"),
        pytest.param((), "a1,s3", "s3", id="one-of-the-run-first"),
    ],
)
def test_a_server_that_a_limit_leaves_out_is_asked_where_none_answered(
    collection: Collection, refusing: tuple[str, ...], limit: str, asked: str
) -> None:
    build(collection, "containers of yours run: web")
    refuse(collection, *refusing)
    _code, said = collection.play("upgrade_nodes.yml", "--limit", limit)
    assert f"k3s/drain {asked} a1" in collection.calls, said


def test_without_a_server_that_answers_nothing_is_changed(collection: Collection) -> None:
    build(collection)
    refuse(collection, "s1", "s2", "s3")
    code, said = collection.play("upgrade_nodes.yml")
    assert code != 0
    assert (
        "No server of [k3s_server] answers, so a1 cannot be drained in k3s. Nothing was changed "
        "on it. See 'status.yml' for the servers."
    ) in said
    assert collection.calls == []
