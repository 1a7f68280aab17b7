"""The example inventories name only variables that the collection reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.known_variables import (
    load_inputs,
)

EXAMPLES = Path(__file__).resolve().parents[3] / "inventories"


def names_in(folder: Path) -> set[str]:
    """Return the variables that an example sets, on host lines, below :vars and in group_vars."""
    text = (folder / "inv.ini").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    names = {name for line in lines for name in re.findall(r"(?:^|\s)(\w+)=", line)}
    for file in folder.glob("group_vars/*.yml"):
        names |= yaml.safe_load(file.read_text(encoding="utf-8")).keys()
    return names


@pytest.mark.parametrize("name", [each.parent.name for each in sorted(EXAMPLES.glob("*/inv.ini"))])
def test_an_example_names_variables_that_exist(name: str) -> None:
    own = {each for each in names_in(EXAMPLES / name) if not each.startswith("ansible_")}
    assert own
    assert own <= load_inputs().keys()
