"""Contracts of roles: their inputs, verbs, names and the ways they are called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.unit.contracts.reading import (
    PREFIX,
    ROLE_ACTIONS,
    SET_FACT,
    VERBS,
    Role,
    Task,
    Value,
    mapping,
    playable_files,
    roles,
    shown,
    tasks,
    values,
    yaml_files,
)

#: Ansible's own variables about the way to a node, which a role may set when the way changes.
_CONNECTION = frozenset({"ansible_port", "ansible_ssh_port"})
_BY_CHANCE = re.compile(r"\| (?:difference|intersect|union|symmetric_difference)\(")
_MANAGED = ("{{ ansible_managed", "# Managed by rackforge.gpu_cluster")


def defaults_equal_specs(root: Path) -> list[str]:
    """Every input stands in defaults or is required, and both files say the same value."""
    return [
        f"roles/{role.name}: {problem}"
        for role in roles(root)
        for entry in ("main", "install")
        if entry in role.specs
        for problem in _entry_problems(role, entry)
    ]


def _entry_problems(role: Role, entry: str) -> Iterator[str]:
    options, defaults = role.options(entry), role.variables("defaults")
    for name in sorted(defaults.keys() - options.keys()):
        yield f"default {name} is no option of the {entry} spec"
    for name, option in sorted(options.items()):
        yield from _option_problems(name, option, defaults, entry)


def _option_problems(
    name: str, option: dict[str, Any], defaults: dict[str, Any], entry: str
) -> Iterator[str]:
    if option.get("required"):
        if name in defaults:
            yield f"{name} is required by the {entry} spec and has a default"
        return
    if name not in defaults:
        yield f"{name} is an option of the {entry} spec, neither required nor in defaults"
        return
    value = defaults[name]
    if "default" not in option and (value is None or _is_template(value)):
        return
    if option.get("default") != value or type(option.get("default")) is not type(value):
        yield (f"{name} is {value!r} in defaults and {option.get('default')!r} in the {entry} spec")


def _is_template(value: object) -> bool:
    return "{{" in str(value)


def other_entries_take_known_options(root: Path) -> list[str]:
    """No entry point takes an option that the main entry does not know."""
    return [
        f"roles/{role.name}: the {entry} spec has {name}, which the main spec has not"
        for role in roles(root)
        for entry in sorted(role.specs)
        for name in sorted(role.options(entry).keys() - role.options("main").keys())
        if "main" in role.specs
    ]


def roles_offer_every_verb(root: Path) -> list[str]:
    """Each role has its verbs as task files and specs, main imports install, and a README."""
    problems = []
    for role in roles(root):
        for verb in ("main", *VERBS):
            if not (role.path / "tasks" / f"{verb}.yml").is_file():
                problems.append(f"roles/{role.name}: tasks/{verb}.yml is missing")
            if verb not in role.specs:
                problems.append(f"roles/{role.name}: argument_specs.yml has no {verb} entry")
        problems += [
            f"roles/{role.name}: {name} is missing"
            for name in ("README.md", "meta/main.yml")
            if not (role.path / name).is_file()
        ]
        if not _imports_install(role):
            problems.append(f"roles/{role.name}: tasks/main.yml does not import install.yml")
    return problems


def _imports_install(role: Role) -> bool:
    bodies = [t.body for t in tasks(role.path / "tasks" / "main.yml")]
    return any(
        key in {"ansible.builtin.import_tasks", "import_tasks"} and value in _INSTALL_FORMS
        for body in bodies
        for key, value in body.items()
    )


_INSTALL_FORMS: tuple[object, ...] = ("install.yml", {"file": "install.yml"})


def called_entries_have_specs(root: Path) -> list[str]:
    """Whatever is called with tasks_from is a spec's entry and has no extension."""
    known = {role.name: role for role in roles(root)}
    problems = []
    for path in playable_files(root):
        for task in tasks(path):
            call = task.called_role
            if call is not None:
                where = shown(root, path)
                problems += [f"{where}: {p}" for p in _call_problems(known, *call)]
    return problems


def _call_problems(known: dict[str, Role], name: str, entry: str | None) -> Iterator[str]:
    if not name.startswith(PREFIX):
        yield f"role {name!r} is not called by its full name"
        return
    role = known.get(name.removeprefix(PREFIX))
    if role is None:
        yield f"there is no role {name}"
        return
    for word in _entry_words(entry or "main"):
        if word is None:
            yield f"tasks_from {entry!r} of {name} is a template; write the entry points out"
        elif word.endswith((".yml", ".yaml")):
            yield f"tasks_from {word} of {name} has an extension, which skips its argument spec"
        elif word not in role.specs:
            yield f"tasks_from {word} of {name} has no argument spec"
        elif not (role.path / "tasks" / f"{word}.yml").is_file():
            yield f"tasks_from {word} of {name} has no task file"


def _entry_words(entry: str) -> list[str | None]:
    """Return the entry points that ``tasks_from`` may name: a template's quoted words."""
    if not _is_template(entry):
        return [entry]
    return list(re.findall(r"'([^']*)'", entry)) or [None]


def variables_carry_their_role(root: Path) -> list[str]:
    """Inputs start with the role's name, everything else with two underscores and that name."""
    names = [role.name for role in roles(root)]
    problems = []
    for role in roles(root):
        inputs = set(role.variables("defaults"))
        for entry in role.specs:
            inputs |= set(role.options(entry))
        problems += [
            f"roles/{role.name}: input {name} should start with {role.name}_"
            + _but_not(name, role.name, names)
            for name in sorted(inputs)
            if _owner(name, names) != role.name
        ]
        problems += [
            f"roles/{role.name}: internal variable {name} should start with __{role.name}_"
            for name in sorted(_internal_names(role))
            if not name.startswith("__") or _owner(name[2:], names) != role.name
        ]
    return problems


def _owner(variable: str, names: list[str]) -> str | None:
    """Return the role whose name is the longest prefix: ray_head_x is never the role ray's."""
    return max((n for n in names if variable.startswith(f"{n}_")), key=len, default=None)


def _but_not(variable: str, role: str, names: list[str]) -> str:
    owner = _owner(variable, names)
    return f", not with {owner}_" if owner and variable.startswith(f"{role}_") else ""


def _internal_names(role: Role) -> set[str]:
    found = {name for path in yaml_files(role.path / "vars") for name in mapping(path)}
    for path in role.files:
        for task in tasks(path):
            found |= _task_names(task)
    return found


def _task_names(task: Task) -> set[str]:
    """Return the variables that a task makes, without the inputs it hands to a role."""
    found = set()
    if isinstance(task.body.get("register"), str):
        found.add(task.body["register"])
    facts = task.action(SET_FACT)
    if isinstance(facts, dict):
        found |= facts.keys() - {"cacheable"} - _CONNECTION
    loop = task.body.get("loop_control")
    if isinstance(loop, dict) and "loop_var" in loop:
        found.add(loop["loop_var"])
    given = task.body.get("vars")
    if isinstance(given, dict) and task.action(ROLE_ACTIONS) is None:
        found |= given.keys()
    return found


def roles_hand_over_known_inputs(root: Path) -> list[str]:
    """The variables given with include_role are inputs of that role or of one that it calls."""
    known = {role.name: role for role in roles(root)}
    problems = []
    for path in playable_files(root):
        for task in tasks(path):
            role = known.get(_called(task))
            given = task.body.get("vars")
            if role is None or not isinstance(given, dict):
                continue
            inputs = _inputs(role, known)
            problems += [
                f"{shown(root, path)}: {name} is no input of role {role.name}"
                for name in sorted(given.keys() - inputs)
                if not name.startswith("__")
            ]
    return problems


def _called(task: Task) -> str:
    return task.called_role[0].removeprefix(PREFIX) if task.called_role else ""


def _inputs(role: Role, known: dict[str, Role], deep: bool = True) -> set[str]:
    """Return the inputs of all entry points of a role and of the roles that it calls."""
    found = {name for entry in role.specs for name in role.options(entry)}
    if deep:
        for called in {_called(task) for path in role.files for task in tasks(path)} & known.keys():
            found |= _inputs(known[called], known, deep=False)
    return found


def roles_know_only_themselves(root: Path) -> list[str]:
    """No role looks into the inventory: addresses are handed in."""
    pattern = re.compile(r"\bhostvars\b|(?<![\w.'\"])groups\s*(?:\[|\.)")
    return [
        f"{shown(root, path)}:{number}: roles do not read groups or hostvars: {line.strip()}"
        for role in roles(root)
        for path in [*role.files, *_other_sources(role)]
        for number, line in _code_lines(path)
        if pattern.search(line)
    ]


def _other_sources(role: Role) -> list[Path]:
    found = [*yaml_files(role.path / "defaults"), *yaml_files(role.path / "vars")]
    return [*found, *_templates(role)]


def _templates(role: Role) -> list[Path]:
    folder = role.path / "templates"
    return sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []


#: What runs on the control node alone.
_CONTROL_ACTIONS = frozenset({"assert", "debug", "fail", "meta", "set_fact"})
_TASK_FILES = frozenset({"import_tasks", "include_tasks"})
#: The issue's bound for the second run of both roles with everything switched on.
MOST_HOST_TASKS = 45


def host_tasks(root: Path, name: str, entry: str = "install") -> int:
    """Return the most tasks that an entry point of a role can run on a node."""
    return _host_tasks(root / "roles" / name / "tasks" / f"{entry}.yml")


def _host_tasks(path: Path) -> int:
    count = 0
    for task in tasks(path):
        called = task.action(_TASK_FILES)
        if called is not None:
            file = called["file"] if isinstance(called, dict) else str(called)
            # A template stands for one file among several.
            variants = path.parent.glob(re.sub(r"{{.*?}}", "*", file))
            count += max(_host_tasks(variant) for variant in variants)
        elif "block" not in task.body and task.action(_CONTROL_ACTIONS) is None:
            count += 1
    return count


def preparing_a_node_takes_few_tasks(root: Path) -> list[str]:
    """os_base and docker together run at most 45 tasks on a node, whatever is switched on."""
    counts = {role.name: host_tasks(root, role.name) for role in roles(root)}
    found = counts.get("os_base", 0) + counts.get("docker", 0)
    if found <= MOST_HOST_TASKS:
        return []
    return [f"os_base and docker run up to {found} tasks on a node, more than {MOST_HOST_TASKS}"]


def _code_lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.lstrip().startswith("#"):
            yield number, line


def errors_are_not_silenced(root: Path) -> list[str]:
    """Nothing says ignore_errors or failed_when: false."""
    return [
        f"{shown(root, path)}: task {task.body.get('name', '?')!r} says {word}"
        for path in playable_files(root)
        for task in tasks(path)
        for word, silenced in (
            ("ignore_errors", task.body.get("ignore_errors") not in (None, False)),
            ("failed_when: false", _never_fails(task.body.get("failed_when"))),
        )
        if silenced
    ]


def _never_fails(condition: object) -> bool:
    return condition is False or str(condition).strip().lower() == "false"


def templates_say_who_manages_them(root: Path) -> list[str]:
    """The first line of each template (after a shebang or #jinja2 line) is the header."""
    return [
        f"{shown(root, path)}: the first line should hold {_MANAGED[1]!r} or ansible_managed"
        for role in roles(root)
        for path in _templates(role)
        if not any(mark in _first_line(path) for mark in _MANAGED)
    ]


def _first_line(path: Path) -> str:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith(("#!", "#jinja2:")):
            return line
    return ""


def plays_keep_the_inventorys_order(root: Path) -> list[str]:
    """Nodes are taken in the order of the inventory, as plans show them, not in one by chance.

    Some filters return the members of a Python set, whose order differs from run to run. So they
    do not make up the hosts of a play, no member is picked from them, and no module is handed
    their list; 'reject' and 'select' with 'in' keep the order.
    """
    found = yaml_files(root / "playbooks")
    for role in roles(root):
        found += [path for kind in ("defaults", "vars") for path in yaml_files(role.path / kind)]
        found += role.files
    return [
        f"{shown(root, path)}:{value.line}: {problem}"
        for path in found
        for value in values(path)
        for problem in _orders_by_chance(value)
    ]


def nothing_is_kept_within_an_inventory(root: Path) -> list[str]:
    """Only the filter makes a path of inventory_dir, which may be a directory that is an inventory.

    Ansible would take a file within it for a part of the inventory, and a token for a host.
    """
    return [
        f"{path.relative_to(root)}:{number}: inventory_dir may be an inventory as a whole; ask "
        "secrets_directory"
        for folder in ("playbooks", "roles")
        for path in yaml_files(root / folder)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"\binventory_dir\b", line) and ".secrets_directory(inventory_dir" not in line
    ]


def _orders_by_chance(value: Value) -> Iterator[str]:
    for match in _BY_CHANCE.finditer(value.text):
        rest = _after_call(value.text, match.end())
        if value.keys[-1:] in (("hosts",), ("serial",)):
            yield f"hosts in an order by chance: {match.group(0)}"
        elif re.match(r"\| *(?:first|last|random)\b|\[", rest):
            yield f"one is picked by chance: {match.group(0)}"
        elif _is_argument(value.keys) and rest.startswith("}}"):
            yield f"a module is handed an order by chance: {match.group(0)}"


def _after_call(text: str, start: int) -> str:
    """Return what follows a filter's arguments, which begin at ``start``, and ``| list``."""
    depth, end = 1, start
    while depth and end < len(text):
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        end += 1
    return re.sub(r"^[\s)]*(?:\| *list\b[\s)]*)*", "", text[end:])


def _is_argument(keys: tuple[str, ...]) -> bool:
    """Return whether the last key is an argument of a module, which is called by its full name."""
    return len(keys) > 1 and keys[-2].count(".") == 2


#: What ends work in a container, each with its list of the containers that are ours.
_OWN_CONTAINERS = (
    ("roles/docker/defaults/main.yml", r"^docker_own_containers: \[(.*)\]$"),
    ("roles/os_base/defaults/main.yml", r"^os_base_reboot_own_containers: \[(.*)\]$"),
    ("plugins/modules/node_work.py", r"^  own_containers:\n(?: +.*\n)*? +default: \[(.*)\]$"),
    ("plugins/modules/gpu_programs.py", r"^  own_containers:\n(?: +.*\n)*? +default: \[(.*)\]$"),
)


def own_containers_are_known(root: Path) -> list[str]:
    """Every container that a role's template runs counts as ours wherever that is asked."""
    ours = {
        name: shown(root, path)
        for role in roles(root)
        for path in _templates(role)
        for name in re.findall(r"docker run\b[^\n]* --name (\S+)", path.read_text(encoding="utf-8"))
    }
    problems = []
    for place, pattern in _OWN_CONTAINERS:
        path = root / place
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        match = re.search(pattern, text, re.MULTILINE)
        known = match[1].split(", ") if match else []
        problems += [
            f"{place}: container {name} of {where} is not among our own"
            for name, where in sorted(ours.items())
            if name not in known
        ]
    return problems


def scenarios_cover_every_role(root: Path) -> list[str]:
    """Each role is reached from some molecule scenario, directly or through a playbook."""
    reached: set[str] = set()
    waiting = list(yaml_files(root / "molecule"))
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        for name in _mentioned(path):
            waiting.append(root / "playbooks" / f"{name}.yml")
            role = Role(root / "roles" / name)
            if role.path.is_dir():
                reached.add(name)
                waiting += role.files
    return [
        f"roles/{role.name}: no molecule scenario covers it"
        for role in roles(root)
        if role.name not in reached
    ]


def _mentioned(path: Path) -> set[str]:
    text = path.read_text(encoding="utf-8")
    by_name = re.findall(re.escape(PREFIX) + r"(\w+)", text)
    by_path = re.findall(r"(?:playbooks/|import_playbook: )(\w+)\.ya?ml", text)
    return {*by_name, *by_path}
