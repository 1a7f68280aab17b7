# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives the nodes of a lab other groups than head and workers, and its inventory more variables.

``python3 -m tests.lab.groups --name lab node1=ray_head,k3s_server node2=monitoring --set NAME=1``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from tests.lab.paths import state_of
from tests.lab.shell import LabError, warn

_VARIABLES = "[all:vars]"


def regrouped(text: str, groups: Mapping[str, Sequence[str]], variables: Mapping[str, str]) -> str:
    """Return an inventory with each host in ``groups`` (host name to groups), and more variables.

    A host that ``groups`` does not name is left out. LabError names a host that there is not.
    """
    hosts: dict[str, str] = {}
    kept: list[str] = []
    section = ""
    for row in text.splitlines():
        if row.startswith("["):
            section = row
        elif row and section == _VARIABLES:
            kept += [] if row.partition("=")[0] in variables else [row]
        elif row and section:
            hosts.setdefault(row.split()[0], row)
    for name in groups:
        if name not in hosts:
            raise LabError(f"saw the node {name}, expected one of {', '.join(hosts)}")
    rows = [row for row in text.splitlines()[:1] if row.startswith("#")]
    for group in dict.fromkeys(each for names in groups.values() for each in names):
        rows += [f"[{group}]", *(hosts[name] for name, mine in groups.items() if group in mine), ""]
    given = [f"{name}={value}" for name, value in variables.items()]
    return "\n".join([*rows, _VARIABLES, *kept, *given]) + "\n"


def main(argv: Sequence[str]) -> int:
    """Rewrite the inventory of a lab and return the exit status."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.lab.groups", description=__doc__)
    parser.add_argument("--name", required=True, help="which lab")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("nodes", nargs="+", metavar="NODE=GROUP,...")
    args = parser.parse_args(argv)
    try:
        path = state_of(args.name).inventory
        groups = {node: names.split(",") for node, names in (e.split("=", 1) for e in args.nodes)}
        variables = dict(entry.split("=", 1) for entry in args.set)
        path.write_text(regrouped(path.read_text(), groups, variables))
    except (LabError, OSError, ValueError) as error:
        warn(str(error))
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
