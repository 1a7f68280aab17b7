"""What runs on nodes keeps to the Python and the tools that Enterprise Linux 8 can offer."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.probe_reason import (
    MINIMUM_PYTHON,
)

from tests.unit.contracts.reading import playable_files, tasks

#: Ansible's own modules that import what a distribution ships for its own Python only: on EL 8 that
#: is 3.6, on which current ansible-core does not run.
NEED_SYSTEM_PYTHON = frozenset(
    {
        "apt",
        "apt_repository",
        "deb822_repository",
        "dnf",
        "dnf5",
        "firewalld",
        "package",
        "package_facts",
        "rpm_key",
        "seboolean",
        "selinux",
        "yum",
    }
)


@pytest.mark.parametrize("folder", ["module_utils", "modules"])
def test_node_code_is_written_in_the_oldest_python(repository: Path, folder: str) -> None:
    files = sorted((repository / "plugins" / folder).glob("*.py"))
    assert files
    for file in files:
        ast.parse(file.read_text(), str(file), feature_version=MINIMUM_PYTHON)


def test_no_task_needs_the_bindings_of_the_system_python(repository: Path) -> None:
    ours = [each for each in playable_files(repository) if "molecule" not in each.parts]
    used = {
        f"{task.path.relative_to(repository)}: {key}"
        for file in ours
        for task in tasks(file)
        for key in task.body
        if key.rpartition(".")[2] in NEED_SYSTEM_PYTHON
    }
    assert used == set()
