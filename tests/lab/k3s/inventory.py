# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns a lab's inventory into one of a k3s cluster: its groups, and a release handed over."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tests.lab.k3s.releases import DEFAULT_VERSION, inputs
from tests.lab.paths import state_of
from tests.lab.shell import LabError, warn

_RAY = "ray_"


def as_k3s(text: str, servers: int, variables: Mapping[str, Any], ray: bool = False) -> str:
    """Return an inventory whose first hosts are servers and the others agents.

    Ray's groups go, and its variables unless ``ray``; what else the lab wrote stays.
    """
    hosts: list[str] = []
    others: list[str] = []
    replaced = (*variables,) if ray else (_RAY, *variables)
    section = ""
    for row in text.splitlines():
        if row.startswith("["):
            section = row
        elif row and section.startswith(("[ray_", "[k3s_")):
            hosts.append(row)
        elif row and section == "[all:vars]" and not row.startswith(replaced):
            others.append(row)
    rows = [row for row in text.splitlines()[:1] if row.startswith("#")]
    rows += ["[k3s_server]", *hosts[:servers], "", "[k3s_agent]", *hosts[servers:], ""]
    given = [f"{name}={_value(value)}" for name, value in variables.items()]
    return "\n".join([*rows, "[all:vars]", *others, *given]) + "\n"


def _value(value: Any) -> str:
    """Return a value as Ansible reads it in an INI file, which is a Python literal."""
    return value if isinstance(value, str) else json.dumps(value)


def main(argv: Sequence[str]) -> int:
    """Rewrite the inventory of a lab and return the exit status."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.lab.k3s.inventory", description=__doc__)
    parser.add_argument("--name", required=True, help="which lab")
    parser.add_argument("--servers", type=int, default=1, help="how many nodes are servers")
    parser.add_argument("--version", default=DEFAULT_VERSION)
    parser.add_argument("--ray", action="store_true", help="keep the variables of Ray")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE", help="more variables")
    args = parser.parse_args(argv)
    try:
        path = state_of(args.name).inventory
        more = dict(entry.split("=", 1) for entry in args.settings)
        given = {**inputs(args.version), **more}
        path.write_text(as_k3s(path.read_text(), args.servers, given, args.ray))
    except (LabError, OSError, ValueError) as error:
        warn(str(error))
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
