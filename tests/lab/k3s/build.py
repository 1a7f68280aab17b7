# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line: build a release folder of the stand-in for k3s, and write role inputs for it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.lab.k3s.releases import BINARIES, DEFAULT_VERSION, RELEASES, handed_over, write_release
from tests.lab.shell import LabError, lock, warn


def main(argv: Sequence[str]) -> int:
    """Build what the command line asks for and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.lab.k3s.build", description="Build the stand-in for k3s"
    )
    parser.add_argument("--version", default=DEFAULT_VERSION)
    parser.add_argument("--arch", default="amd64", choices=sorted(BINARIES))
    parser.add_argument("--out", type=Path, help="folder (default: .cache/lab/k3s/VERSION)")
    parser.add_argument("--vars", type=Path, help="also write group variables into this file")
    args = parser.parse_args(argv)
    try:
        folder = args.out.absolute() if args.out else RELEASES / args.version
        with lock(RELEASES / f"{args.version}.lock", f"the stand-in for k3s {args.version}"):
            write_release(args.version, args.arch, folder)
        if args.vars:
            args.vars.parent.mkdir(parents=True, exist_ok=True)
            values = handed_over(args.version, folder, args.arch)
            args.vars.write_text("---\n" + yaml.safe_dump(values, sort_keys=True))
    except LabError as error:
        warn(str(error))
        return 1
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
