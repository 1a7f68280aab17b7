"""Read roles, playbooks and their tasks as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml

#: How this collection's roles and playbooks are named in full.
PREFIX = "rackforge.gpu_cluster."
#: The entry points that every role offers now.
VERBS = ("install", "verify", "remove")
ROLE_ACTIONS = frozenset({"include_role", "import_role"})
SET_FACT = frozenset({"set_fact"})


class _Loader(yaml.SafeLoader):
    """A safe loader that reads Ansible's tags (``!unsafe``, ``!vault``) as plain text."""


def _plain(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    return None


_Loader.add_multi_constructor("!", _plain)


def load(path: Path) -> Any:
    """Return the YAML document of ``path``; None if there is no such file. Not to be changed."""
    return _parsed(path.read_text(encoding="utf-8")) if path.is_file() else None


# Contracts ask for the same files hundreds of times.
@cache
def _parsed(text: str) -> Any:
    # A subclass of SafeLoader.
    return yaml.load(text, Loader=_Loader)  # noqa: S506


def mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in ``path``; empty if the file is missing or holds none."""
    document = load(path)
    return cast("dict[str, Any]", document) if isinstance(document, dict) else {}


@dataclass(frozen=True)
class Role:
    """One role directory."""

    path: Path

    @property
    def name(self) -> str:
        """The short name."""
        return self.path.name

    def variables(self, kind: str) -> dict[str, Any]:
        """Return what ``defaults`` or ``vars`` define, from main.yml or all of main/."""
        found: dict[str, Any] = {}
        for path in [self.path / kind / "main.yml", *yaml_files(self.path / kind / "main")]:
            found.update(mapping(path))
        return found

    @property
    def specs(self) -> dict[str, dict[str, Any]]:
        """The entries of meta/argument_specs.yml."""
        entries = mapping(self.path / "meta" / "argument_specs.yml").get("argument_specs") or {}
        return {name: entry or {} for name, entry in entries.items()}

    def options(self, entry: str) -> dict[str, dict[str, Any]]:
        """The options of one entry point."""
        options = self.specs.get(entry, {}).get("options") or {}
        return {name: option or {} for name, option in options.items()}

    @property
    def files(self) -> list[Path]:
        """Every YAML file with tasks or handlers."""
        return [*yaml_files(self.path / "tasks"), *yaml_files(self.path / "handlers")]


def roles(root: Path) -> list[Role]:
    """Return the roles of the collection, by name."""
    folder = root / "roles"
    return [Role(p) for p in sorted(folder.iterdir()) if p.is_dir()] if folder.is_dir() else []


def yaml_files(folder: Path) -> list[Path]:
    """Return the YAML files below ``folder``, in a stable order."""
    if not folder.is_dir():
        return []
    return sorted(p for suffix in ("*.yml", "*.yaml") for p in folder.rglob(suffix) if p.is_file())


@dataclass(frozen=True)
class Value:
    """A text in a YAML file, the keys that lead to it, and the line that it begins in."""

    keys: tuple[str, ...]
    text: str
    line: int


def values(path: Path) -> Iterator[Value]:
    """Yield every text of a YAML file, once where an alias repeats it."""
    document = _composed(path.read_text(encoding="utf-8"))
    if document is not None:
        yield from _values(document, (), set())


@cache
def _composed(text: str) -> yaml.Node | None:
    return yaml.compose(text, Loader=_Loader)


def _values(node: yaml.Node, keys: tuple[str, ...], seen: set[int]) -> Iterator[Value]:
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        yield Value(keys, str(node.value), node.start_mark.line + 1)
    elif isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            yield from _values(entry, keys, seen)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _values(value, (*keys, str(key.value)), seen)


@dataclass(frozen=True)
class Task:
    """One task, with the file it stands in."""

    path: Path
    body: dict[str, Any]

    def action(self, names: frozenset[str]) -> Any:
        """Return the arguments if the task runs one of the named builtin actions, else None."""
        for key, value in self.body.items():
            short = key.removeprefix("ansible.builtin.")
            if short in names and "." not in short:
                return value if value is not None else {}
        return None

    @property
    def called_role(self) -> tuple[str, str | None] | None:
        """The role and ``tasks_from`` of an include_role or import_role."""
        arguments = self.action(ROLE_ACTIONS)
        if not isinstance(arguments, dict):
            return None
        return str(arguments.get("name", "")), arguments.get("tasks_from")


def tasks(path: Path) -> Iterator[Task]:
    """Yield every task of a task file or playbook, those in blocks too."""
    document = load(path)
    if isinstance(document, list):
        yield from _tasks(path, document)


def _tasks(path: Path, entries: list[Any]) -> Iterator[Task]:
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        yield Task(path, entry)
        for key in (
            "block", "rescue", "always", "tasks", "pre_tasks", "post_tasks", "handlers",
        ):  # fmt: skip
            nested = entry.get(key)
            if isinstance(nested, list):
                yield from _tasks(path, nested)


def playable_files(root: Path) -> list[Path]:
    """Return every file in which tasks may stand: roles, playbooks, molecule."""
    found = [path for role in roles(root) for path in role.files]
    return [*found, *yaml_files(root / "playbooks"), *yaml_files(root / "molecule")]


def shown(root: Path, path: Path) -> str:
    """Return ``path`` as a reader of the repository writes it."""
    return path.relative_to(root).as_posix()
