"""Contracts of source files: imports, headers, port literals, honest tests."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.unit.contracts.reading import roles, shown

_HEADER = (
    "# Copyright (c) 2026 rackforge contributors",
    "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
    "# SPDX-License-Identifier: GPL-3.0-or-later",
)
_OURS = "ansible_collections.rackforge.gpu_cluster.plugins.module_utils"
_DOCUMENTS = frozenset({"DOCUMENTATION", "EXAMPLES", "RETURN"})
#: Where role files may not repeat a port of the catalogue.
_ROLE_FOLDERS = ("tasks", "handlers", "templates", "vars", "files")


def python_files(folder: Path) -> list[Path]:
    """Return the Python files below ``folder``."""
    return sorted(folder.rglob("*.py")) if folder.is_dir() else []


def plugins_carry_the_licence(root: Path) -> list[str]:
    """The first lines of every plugin are the copyright and licence header."""
    problems = []
    for path in python_files(root / "plugins"):
        lines = [x for x in path.read_text(encoding="utf-8").splitlines() if not x.startswith("#!")]
        if path.name != "__init__.py" and tuple(lines[: len(_HEADER)]) != _HEADER:
            problems.append(f"{shown(root, path)}: the licence header is missing")
    return problems


def node_code_needs_only_python(root: Path) -> list[str]:
    """What runs on nodes imports the standard library, Ansible's module_utils and our own."""
    return [
        f"{shown(root, path)}: imports {name}, which a node may not have"
        for folder, allowed in (("module_utils", (_OURS,)), ("modules", (_OURS, "ansible")))
        for path in python_files(root / "plugins" / folder)
        for name in _imports(ast.parse(path.read_text(encoding="utf-8")))
        if name.split(".")[0] not in sys.stdlib_module_names and not _within(name, allowed)
    ]


def _within(name: str, allowed: Iterable[str]) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in allowed)


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield the imported modules, without those that only the type checker sees."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""
        else:
            yield from _imports(node)


def ports_stand_in_one_place(root: Path, numbers: frozenset[int]) -> list[str]:
    """No file outside catalogue, defaults, documents and tests repeats a port of four digits."""
    wanted = {number for number in numbers if number > 999}
    problems = []
    for path in _sources(root):
        found = _python_text(path) if path.suffix == ".py" else _text(path)
        for number, text in found:
            problems += [
                f"{shown(root, path)}:{number}: port {port} belongs in the catalogue and defaults"
                for port in sorted(wanted)
                if re.search(rf"(?<![\w.]){port}(?![\w.])", text)
            ]
    return problems


def _sources(root: Path) -> list[Path]:
    folders = [role.path / name for role in roles(root) for name in _ROLE_FOLDERS]
    folders += [root / "plugins", root / "playbooks"]
    return sorted(
        path
        for folder in folders
        if folder.is_dir()
        for path in folder.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and path.name != "port_catalogue.py"
        # The management profile's ports are virtual ones inside a cluster.
        and path.parts[-4:] != ("k3s", "vars", "main", "management.yml")
        and not path.name.startswith("requirements")
    )


def _text(path: Path) -> Iterator[tuple[int, str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return
    yield from enumerate(lines, start=1)


def _python_text(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the constants of a Python file that are code, not documentation."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documents = {id(node) for node in _documentation(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in documents:
            yield node.lineno, str(node.value)


def _documentation(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id in _DOCUMENTS for target in node.targets
        ):
            yield from ast.walk(node)


def honest_tests(root: Path) -> list[str]:
    """No test asserts a constant, and none is skipped."""
    problems = []
    for path in python_files(root / "tests"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant):
                problems.append(f"{shown(root, path)}:{node.lineno}: asserts a constant")
            if isinstance(node, ast.Attribute) and _dotted(node) in _SKIPS:
                problems.append(f"{shown(root, path)}:{node.lineno}: skips")
    return problems


_SKIPS = frozenset({"pytest.skip", "pytest.mark.skip", "pytest.mark.skipif", "unittest.skip"})


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""
