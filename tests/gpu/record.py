# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a fixture folder of what tests/gpu/accept.sh read, without the names of the hardware.

    python3 record.py FOLDER      writes FOLDER/fixture

Serial numbers, UUIDs and other names of one piece of hardware are replaced, the same name by the
same replacement everywhere; names of processes and of the machine are left out.
"""

from __future__ import annotations

import json
import platform
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

#: Elements of the report whose text names one piece of hardware.
NAMING = ("serial", "chassis_serial_number", "pdi", "gpu_fabric_guid", "clusterUuid", "board_id")
_UUID = re.compile(
    r"\b((?:GPU|MIG)-)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
)
_PROCESSES = re.compile(r"(<(processes|accounted_processes)>).*?(</\2>)", re.DOTALL)
_NOTHING = re.compile(r"|N/A|None|[0x.-]+")


def names_in(texts: str) -> list[str]:
    """Return each name of a piece of hardware once: UUIDs first, then what the report names."""
    found = [match.group() for match in _UUID.finditer(texts)]
    for element in NAMING:
        found += re.findall(rf"<{element}>([^<]*)</{element}>", texts)
    return [name for name in dict.fromkeys(found) if not _NOTHING.fullmatch(name.strip())]


def replacements(names: Iterable[str]) -> dict[str, str]:
    """Return a replacement of the same shape for each name: its last digits are its number."""
    made = {}
    for number, name in enumerate(names, start=1):
        shape = re.match(r"(GPU-|MIG-|0x)?", name)
        prefix = shape.group() if shape else ""
        blank = re.sub(r"[0-9a-fA-F]", "0", name[len(prefix) :])
        # Letters that are no digits (of a serial number) would still tell whose it was.
        blank = re.sub(r"[A-Za-z]", "0", blank)
        digits = str(number)
        made[name] = prefix + blank[: max(0, len(blank) - len(digits))] + digits
    return made


def scrub(text: str, known: Mapping[str, str]) -> str:
    """Return a text without names of hardware and processes."""
    text = _PROCESSES.sub(r"\1\n\t\t\3", text)
    for name in sorted(known, key=len, reverse=True):
        text = text.replace(name, known[name])
    return text


def is_stand_in(said: str) -> bool:
    """Return whether ``nvidia-smi --version`` says that it is the one of simulated hardware."""
    return "stand-in" in said.lower()


def origin(report: str, version_text: str) -> dict[str, str]:
    """Return where the fixture comes from; simulated hardware is never passed off as recorded."""
    driver = re.search(r"<(?:driver|kmd)_version>([0-9.]+)<", report)
    models = sorted(set(re.findall(r"<product_name>([^<]*)<", report)))
    version = driver.group(1) if driver else "unknown"
    return {
        "origin": "invented" if is_stand_in(version_text) else "recorded",
        "source": f"tests/gpu/accept.sh on {time.strftime('%Y-%m-%d', time.gmtime())}",
        "note": (
            f"{', '.join(models)}; driver {version}; kernel {platform.release()}. "
            "Serial numbers and UUIDs are replaced, processes left out."
        ),
    }


def main(arguments: Sequence[str]) -> int:
    """Write the folder."""
    folder = Path(arguments[0])
    made = folder / "fixture"
    made.mkdir(exist_ok=True)
    texts = {
        name: (folder / name).read_text(encoding="utf-8", errors="replace")
        for name in ("nvidia-smi.txt", "views.json", "results.json")
    }
    known = replacements(names_in("\n".join(texts.values())))
    host = platform.node()
    for name, text in texts.items():
        scrubbed = scrub(text, known)
        shown = scrubbed.replace(host, "host") if len(host) > 3 else scrubbed
        (made / name).write_text(shown, "utf-8")
    version = Path("/proc/driver/nvidia/version")
    if version.is_file():
        (made / "driver-version.txt").write_bytes(version.read_bytes())
    said = (folder / "nvidia-smi-version.txt").read_text(encoding="utf-8", errors="replace")
    made_of = origin(texts["nvidia-smi.txt"], said)
    (made / "origin.json").write_text(json.dumps(made_of, indent=2) + "\n", "utf-8")
    sys.stdout.write(f"fixture: {made}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
