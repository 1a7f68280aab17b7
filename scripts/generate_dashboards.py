"""Write the dashboards of role monitoring and the list of their queries from scripts/dashboards.

``--check`` writes nothing and fails when a file is stale.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.dashboards.catalogue import files  # noqa: E402


def stale(root: Path, wanted: Mapping[str, str]) -> list[str]:
    """Return the names of the files under ``root`` that are not what the code gives."""
    return [
        name
        for name, text in wanted.items()
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != text
    ]


def main() -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when stale")
    check = parser.parse_args().check
    wanted = files()
    names = stale(ROOT, wanted)
    for name in names:
        if check:
            print(f"{name} is stale: run `make docs` and commit the result", file=sys.stderr)
        else:
            path = ROOT / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name], encoding="utf-8")
            print(f"wrote {name}")
    return 1 if check and names else 0


if __name__ == "__main__":
    sys.exit(main())
