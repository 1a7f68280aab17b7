"""Every contract rejects the mistake it was written against, and accepts a sound repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import Port

from tests.unit.contracts.catalogue_checks import (
    catalogue_equals_defaults,
    catalogue_is_consistent,
    catalogue_variables_have_an_owner,
)
from tests.unit.contracts.role_checks import (
    called_entries_have_specs,
    defaults_equal_specs,
    errors_are_not_silenced,
    host_tasks,
    nothing_is_kept_within_an_inventory,
    other_entries_take_known_options,
    own_containers_are_known,
    plays_keep_the_inventorys_order,
    preparing_a_node_takes_few_tasks,
    roles_hand_over_known_inputs,
    roles_know_only_themselves,
    roles_offer_every_verb,
    scenarios_cover_every_role,
    templates_say_who_manages_them,
    variables_carry_their_role,
)
from tests.unit.contracts.source_checks import (
    honest_tests,
    node_code_needs_only_python,
    plugins_carry_the_licence,
    ports_stand_in_one_place,
)
from tests.unit.contracts.test_repository import CONTRACTS

LICENCE = """\
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""

SPECS = """\
argument_specs:
  main: &entry
    short_description: Install a web server
    options:
      web_port: {type: int, default: 8123, description: Port}
      web_packages: {type: list, elements: str, description: Packages}
      web_address: {type: str, required: true, description: Address}
  install: *entry
  verify:
    options:
      web_port: {type: int, default: 8123, description: Port}
  remove: {}
"""

#: The smallest repository that keeps every promise.
SOUND = {
    "roles/web/README.md": "# web\n",
    "roles/web/meta/main.yml": "dependencies: []\n",
    "roles/web/meta/argument_specs.yml": SPECS,
    "roles/web/defaults/main.yml": "web_port: 8123\nweb_packages: '{{ __web_platform.names }}'\n",
    "roles/web/vars/main/platform.yml": "__web_platform: {names: [nginx]}\n",
    "roles/web/tasks/main.yml": "- name: Install\n  ansible.builtin.import_tasks: install.yml\n",
    "roles/web/tasks/install.yml": (
        "- name: Ask\n  ansible.builtin.command: {argv: [nginx, -v]}\n  register: __web_version\n"
    ),
    "roles/web/tasks/verify.yml": "[]\n",
    "roles/web/tasks/remove.yml": "[]\n",
    "roles/web/templates/web.conf.j2": "# Managed by rackforge.gpu_cluster\nport {{ web_port }}\n",
    "plugins/module_utils/words.py": f"{LICENCE}import json\n",
    "plugins/modules/word.py": (
        f"{LICENCE}from ansible.module_utils.basic import AnsibleModule\n"
        "EXAMPLES = '''port: 8123'''\n"
    ),
    "playbooks/provision.yml": """\
- name: Build
  hosts: web
  tasks:
    - name: Install the server
      ansible.builtin.include_role:
        name: rackforge.gpu_cluster.web
        tasks_from: install
      vars:
        web_address: 198.18.0.1
""",
    "molecule/web/converge.yml": "- import_playbook: ../../playbooks/provision.yml\n",
    "tests/unit/test_words.py": "def test_words():\n    assert 1 + 1 == 2\n",
}

CATALOGUE = (Port("web", "ray_head", 8123, "web_port", ("ray_worker",), "the web"),)


def ports_in_one_place(root: Path) -> list[str]:
    return ports_stand_in_one_place(root, frozenset({80, 8123}))


def catalogue_and_defaults(root: Path) -> list[str]:
    return catalogue_equals_defaults(root, CATALOGUE)


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    "contract",
    [*CONTRACTS, ports_in_one_place, catalogue_and_defaults],
    ids=lambda contract: contract.__name__,
)
def test_sound_repository_passes(contract: Callable[[Path], list[str]], tmp_path: Path) -> None:
    assert contract(plant(tmp_path, SOUND)) == []


@pytest.mark.parametrize(
    "contract",
    [*CONTRACTS, ports_in_one_place, catalogue_and_defaults],
    ids=lambda contract: contract.__name__,
)
def test_empty_repository_passes(contract: Callable[[Path], list[str]], tmp_path: Path) -> None:
    assert contract(tmp_path) == []


INSTALL = "roles/web/tasks/install.yml"
DEFAULTS = "roles/web/defaults/main.yml"
PLAYBOOK = "playbooks/provision.yml"


def calling(name: str, tasks_from: str, extra: str = "") -> str:
    return (
        "- hosts: all\n  tasks:\n    - name: Call\n      ansible.builtin.include_role:\n"
        f"        name: {name}\n        tasks_from: '{tasks_from}'\n{extra}"
    )


@pytest.mark.parametrize(
    ("contract", "name", "text", "problem"),
    [
        pytest.param(
            defaults_equal_specs,
            DEFAULTS,
            "web_port: 8124\nweb_packages: []\n",
            "roles/web: web_port is 8124 in defaults and 8123 in the main spec",
            id="default-differs-from-spec",
        ),
        pytest.param(
            defaults_equal_specs,
            DEFAULTS,
            "web_port: '8123'\nweb_packages: null\n",
            "roles/web: web_port is '8123' in defaults and 8123 in the main spec",
            id="default-of-another-type",
        ),
        pytest.param(
            defaults_equal_specs,
            DEFAULTS,
            "web_packages: null\n",
            "roles/web: web_port is an option of the main spec, neither required nor in defaults",
            id="option-without-default",
        ),
        pytest.param(
            defaults_equal_specs,
            DEFAULTS,
            "web_port: 8123\nweb_packages: null\nweb_colour: red\n",
            "roles/web: default web_colour is no option of the main spec",
            id="default-without-option",
        ),
        pytest.param(
            defaults_equal_specs,
            DEFAULTS,
            "web_port: 8123\nweb_packages: null\nweb_address: 198.18.0.1\n",
            "roles/web: web_address is required by the main spec and has a default",
            id="required-with-default",
        ),
        pytest.param(
            other_entries_take_known_options,
            "roles/web/meta/argument_specs.yml",
            SPECS.replace("remove: {}", "remove: {options: {web_purge: {type: bool}}}"),
            "roles/web: the remove spec has web_purge, which the main spec has not",
            id="option-of-one-verb-only",
        ),
        pytest.param(
            roles_offer_every_verb,
            "roles/web/meta/argument_specs.yml",
            SPECS.replace("  remove: {}\n", ""),
            "roles/web: argument_specs.yml has no remove entry",
            id="verb-without-spec",
        ),
        pytest.param(
            roles_offer_every_verb,
            "roles/web/tasks/main.yml",
            "[]\n",
            "roles/web: tasks/main.yml does not import install.yml",
            id="main-does-not-install",
        ),
        pytest.param(
            called_entries_have_specs,
            PLAYBOOK,
            calling("rackforge.gpu_cluster.web", "install.yml"),
            "playbooks/provision.yml: tasks_from install.yml of rackforge.gpu_cluster.web has an "
            "extension, which skips its argument spec",
            id="tasks-from-with-extension",
        ),
        pytest.param(
            called_entries_have_specs,
            PLAYBOOK,
            calling("rackforge.gpu_cluster.web", "upgrade"),
            "playbooks/provision.yml: tasks_from upgrade of rackforge.gpu_cluster.web has no "
            "argument spec",
            id="tasks-from-without-spec",
        ),
        pytest.param(
            called_entries_have_specs,
            PLAYBOOK,
            calling("web", "install"),
            "playbooks/provision.yml: role 'web' is not called by its full name",
            id="short-role-name",
        ),
        pytest.param(
            called_entries_have_specs,
            PLAYBOOK,
            calling("rackforge.gpu_cluster.wep", "install"),
            "playbooks/provision.yml: there is no role rackforge.gpu_cluster.wep",
            id="unknown-role",
        ),
        pytest.param(
            called_entries_have_specs,
            PLAYBOOK,
            calling("rackforge.gpu_cluster.web", "{{ entry }}"),
            "playbooks/provision.yml: tasks_from '{{ entry }}' of rackforge.gpu_cluster.web is a "
            "template; write the entry points out",
            id="unknowable-tasks-from",
        ),
        pytest.param(
            called_entries_have_specs,
            PLAYBOOK,
            calling("rackforge.gpu_cluster.web", "{{ ''install'' if x else ''upgrade'' }}"),
            "playbooks/provision.yml: tasks_from upgrade of rackforge.gpu_cluster.web has no "
            "argument spec",
            id="alternative-without-spec",
        ),
        pytest.param(
            roles_hand_over_known_inputs,
            PLAYBOOK,
            calling("rackforge.gpu_cluster.web", "install", "      vars: {web_adress: x}\n"),
            "playbooks/provision.yml: web_adress is no input of role web",
            id="misspelt-input",
        ),
        pytest.param(
            variables_carry_their_role,
            DEFAULTS,
            "port: 8123\n",
            "roles/web: input port should start with web_",
            id="unprefixed-input",
        ),
        pytest.param(
            variables_carry_their_role,
            INSTALL,
            "- block:\n    - ansible.builtin.command: id\n      register: version\n",
            "roles/web: internal variable version should start with __web_",
            id="unprefixed-register-in-block",
        ),
        pytest.param(
            variables_carry_their_role,
            INSTALL,
            "- ansible.builtin.set_fact: {web_port: 1}\n",
            "roles/web: internal variable web_port should start with __web_",
            id="input-overwritten-by-set-fact",
        ),
        pytest.param(
            variables_carry_their_role,
            "roles/web_head/defaults/main.yml",
            "web_port: 1\n",
            "roles/web_head: input web_port should start with web_head_",
            id="input-of-the-shorter-role",
        ),
        pytest.param(
            variables_carry_their_role,
            "roles/we/defaults/main.yml",
            "we_x: 1\nweb_y: 1\n",
            "roles/we: input web_y should start with we_",
            id="prefix-is-a-whole-word",
        ),
        pytest.param(
            roles_know_only_themselves,
            INSTALL,
            "- ansible.builtin.debug:\n    msg: \"{{ groups['web'] }}\"\n",
            "roles/web/tasks/install.yml:2: roles do not read groups or hostvars: "
            "msg: \"{{ groups['web'] }}\"",
            id="role-reads-groups",
        ),
        pytest.param(
            roles_know_only_themselves,
            "roles/web/templates/web.conf.j2",
            "# Managed by rackforge.gpu_cluster\n{{ hostvars.a.b }}\n",
            "roles/web/templates/web.conf.j2:2: roles do not read groups or hostvars: "
            "{{ hostvars.a.b }}",
            id="template-reads-hostvars",
        ),
        pytest.param(
            errors_are_not_silenced,
            INSTALL,
            "- name: Try\n  ansible.builtin.command: id\n  ignore_errors: true\n",
            "roles/web/tasks/install.yml: task 'Try' says ignore_errors",
            id="ignore-errors",
        ),
        pytest.param(
            errors_are_not_silenced,
            PLAYBOOK,
            "- hosts: all\n  tasks:\n    - {name: Try, command: id, failed_when: false}\n",
            "playbooks/provision.yml: task 'Try' says failed_when: false",
            id="failed-when-false",
        ),
        pytest.param(
            templates_say_who_manages_them,
            "roles/web/templates/web.conf.j2",
            "#!/bin/sh\nport {{ web_port }}\n",
            "roles/web/templates/web.conf.j2: the first line should hold "
            "'# Managed by rackforge.gpu_cluster' or ansible_managed",
            id="template-without-header",
        ),
        pytest.param(
            plays_keep_the_inventorys_order,
            PLAYBOOK,
            "- hosts: \"{{ groups['b'] | difference(groups['a']) }}\"\n",
            "playbooks/provision.yml:1: hosts in an order by chance: | difference(",
            id="hosts-of-a-set",
        ),
        pytest.param(
            nothing_is_kept_within_an_inventory,
            PLAYBOOK,
            "- hosts: web\n  vars:\n    key: \"{{ inventory_dir ~ '/secrets/' ~ cluster }}\"\n",
            "playbooks/provision.yml:3: inventory_dir may be an inventory as a whole; ask "
            "secrets_directory",
            id="secrets-within-the-inventory",
        ),
        pytest.param(
            nothing_is_kept_within_an_inventory,
            DEFAULTS,
            'web_key: "{{ inventory_dir }}/key"\n',
            "roles/web/defaults/main.yml:1: inventory_dir may be an inventory as a whole; ask "
            "secrets_directory",
            id="default-within-the-inventory",
        ),
        pytest.param(
            plays_keep_the_inventorys_order,
            PLAYBOOK,
            "- hosts: >-\n    {{ groups['b'] | difference(groups['a'])\n"
            "       | default('!all') }}\n",
            "playbooks/provision.yml:1: hosts in an order by chance: | difference(",
            id="hosts-of-a-set-in-lines",
        ),
        pytest.param(
            plays_keep_the_inventorys_order,
            PLAYBOOK,
            '- hosts: all\n  vars:\n    a: "{{ (b | difference([c(1)]) | list) | first }}"\n',
            "playbooks/provision.yml:3: one is picked by chance: | difference(",
            id="first-of-a-set",
        ),
        pytest.param(
            plays_keep_the_inventorys_order,
            INSTALL,
            '- debug:\n    msg: "{{ (a | union(b))[0] }}"\n',
            "roles/web/tasks/install.yml:2: one is picked by chance: | union(",
            id="picked-from-a-set-in-a-role",
        ),
        pytest.param(
            plays_keep_the_inventorys_order,
            PLAYBOOK,
            "- hosts: all\n  tasks:\n    - rackforge.gpu_cluster.plan:\n"
            '        agents: "{{ a | default([]) | difference(b | default([])) }}"\n',
            "playbooks/provision.yml:4: a module is handed an order by chance: | difference(",
            id="argument-of-a-set",
        ),
        pytest.param(
            own_containers_are_known,
            "roles/web/templates/web.service.j2",
            "# Managed by rackforge.gpu_cluster\nExecStart=/usr/bin/docker run --rm --name web x\n",
            "plugins/modules/node_work.py: container web of roles/web/templates/web.service.j2 is "
            "not among our own",
            id="container-that-counts-as-the-owners",
        ),
        pytest.param(
            scenarios_cover_every_role,
            "molecule/web/converge.yml",
            "[]\n",
            "roles/web: no molecule scenario covers it",
            id="role-without-scenario",
        ),
        pytest.param(
            plugins_carry_the_licence,
            "plugins/modules/word.py",
            "import json\n",
            "plugins/modules/word.py: the licence header is missing",
            id="plugin-without-licence",
        ),
        pytest.param(
            node_code_needs_only_python,
            "plugins/modules/word.py",
            f"{LICENCE}import yaml\n",
            "plugins/modules/word.py: imports yaml, which a node may not have",
            id="third-party-import-in-module",
        ),
        pytest.param(
            node_code_needs_only_python,
            "plugins/module_utils/words.py",
            f"{LICENCE}from ansible.module_utils.basic import AnsibleModule\n",
            "plugins/module_utils/words.py: imports ansible.module_utils.basic, "
            "which a node may not have",
            id="pure-core-imports-ansible",
        ),
        pytest.param(
            ports_in_one_place,
            INSTALL,
            "- name: Wait\n  ansible.builtin.wait_for: {port: 8123}\n",
            "roles/web/tasks/install.yml:2: port 8123 belongs in the catalogue and defaults",
            id="port-in-task",
        ),
        pytest.param(
            ports_in_one_place,
            "plugins/module_utils/words.py",
            f"{LICENCE}PORT = 8123\n",
            "plugins/module_utils/words.py:4: port 8123 belongs in the catalogue and defaults",
            id="port-in-plugin",
        ),
        pytest.param(
            catalogue_and_defaults,
            DEFAULTS,
            "web_port: '{{ other }}'\n",
            "web: web_port is '{{ other }}' in roles/web/defaults, 8123 in the catalogue",
            id="default-is-no-literal",
        ),
        pytest.param(
            honest_tests,
            "tests/unit/test_words.py",
            "def test_words():\n    assert True\n",
            "tests/unit/test_words.py:2: asserts a constant",
            id="assert-true",
        ),
        pytest.param(
            honest_tests,
            "tests/unit/test_words.py",
            "import pytest\n\n@pytest.mark.skip\ndef test_words():\n    assert f()\n",
            "tests/unit/test_words.py:3: skips",
            id="skipped-test",
        ),
    ],
)
def test_mistake_is_named(
    contract: Callable[[Path], list[str]], name: str, text: str, problem: str, tmp_path: Path
) -> None:
    assert problem in contract(plant(tmp_path, {**SOUND, name: text}))


def test_inputs_of_a_role_that_the_called_role_calls_may_be_handed_over(tmp_path: Path) -> None:
    inner = {
        "roles/webby/tasks/install.yml": (
            "- name: Call\n  ansible.builtin.include_role:\n"
            "    name: rackforge.gpu_cluster.web\n    tasks_from: install\n"
        ),
        PLAYBOOK: calling(
            "rackforge.gpu_cluster.webby", "install", "      vars: {web_port: 1, web_prot: 2}\n"
        ),
    }
    assert roles_hand_over_known_inputs(plant(tmp_path, {**SOUND, **inner})) == [
        "playbooks/provision.yml: web_prot is no input of role webby"
    ]


def test_tasks_on_a_node_are_counted_through_files_and_blocks(tmp_path: Path) -> None:
    ask = "- name: Ask\n  ansible.builtin.command: {argv: [nginx, -v]}\n"
    files = {
        "roles/os_base/tasks/install.yml": (
            '- name: Include\n  ansible.builtin.include_tasks: "for_{{ family }}.yml"\n'
            "- name: Check\n  ansible.builtin.assert: {that: true}\n"
            "- name: Several\n  block:\n"
            "    - name: Ask\n      ansible.builtin.command: {argv: [id]}\n"
        ),
        "roles/os_base/tasks/for_debian.yml": ask * 2,
        "roles/os_base/tasks/for_redhat.yml": ask * 44,
        "roles/docker/tasks/install.yml": ask,
    }
    root = plant(tmp_path, files)
    assert host_tasks(root, "os_base") == 45
    assert preparing_a_node_takes_few_tasks(root) == [
        "os_base and docker run up to 46 tasks on a node, more than 45"
    ]


def test_shorter_role_may_not_take_the_longer_roles_prefix(tmp_path: Path) -> None:
    files = {
        "roles/web/defaults/main.yml": "web_port: 1\nweb_head_port: 1\n",
        "roles/web_head/defaults/main.yml": "web_head_port: 1\n",
    }
    assert variables_carry_their_role(plant(tmp_path, files)) == [
        "roles/web: input web_head_port should start with web_, not with web_head_"
    ]


@pytest.mark.parametrize(
    ("ports", "problem"),
    [
        pytest.param((*CATALOGUE, *CATALOGUE), "web: the name is used 2 times", id="doubled-name"),
        pytest.param(
            (Port("a", "head", 1, "web_port", (), "x"),), "a: unknown role 'head'", id="role"
        ),
        pytest.param(
            (Port("a", "ray_head", 1, "web_port", ("everyone",), "x"),),
            "a: unknown client 'everyone'",
            id="client",
        ),
        pytest.param(
            (Port("a", "ray_head", 9, "web_port", (), "x", last=8, last_variable="b"),),
            "a: impossible range 9-8",
            id="backward-range",
        ),
        pytest.param(
            (Port("a", "ray_head", 9, "web_port", (), "x", last=10),),
            "a: a range needs both last and last_variable",
            id="range-without-variable",
        ),
        pytest.param(
            (Port("a", "ray_head", 9, "web_port", (), "x", profile="rays"),),
            "a: unknown profile 'rays'",
            id="profile",
        ),
        pytest.param(
            (Port("a", "ray_head", 9, "web_port", (), "x"),),
            "a: names no document in source",
            id="document",
        ),
    ],
)
def test_catalogue_mistake_is_named(ports: tuple[Port, ...], problem: str) -> None:
    assert problem in catalogue_is_consistent(ports)


@pytest.mark.parametrize(
    ("role", "variable", "problems"),
    [
        pytest.param("web", "web_port", [], id="role-here"),
        pytest.param("web", "ansible_port", [], id="ansible-itself"),
        pytest.param("web", "", [], id="port-that-stays"),
        pytest.param(
            "web",
            "wep_port",
            ["a: wep_port belongs to no role"],
            id="misspelt",
        ),
    ],
)
def test_variable_without_a_role_is_named(
    tmp_path: Path, role: str, variable: str, problems: list[str]
) -> None:
    root = plant(tmp_path, {f"roles/{role}/defaults/main.yml": "{}\n"})
    row = Port("a", "ray_head", 9, variable, (), "x")
    assert catalogue_variables_have_an_owner(root, (row,)) == problems
