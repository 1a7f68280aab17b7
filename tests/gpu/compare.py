# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare what the collection read of NVIDIA GPUs with ``nvidia-smi -q -x``, field by field.

    python3 compare.py FOLDER      with nvidia-smi.txt, views.json and results.json in it

This is a second opinion: it reads the report by itself, with the standard library's XML module and
none of the collection's code. Exits 1 where a field differs. Values that change from one moment to
the next are shown and not judged.
"""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Reader = Callable[[ElementTree.Element], Any]
Gpu = Mapping[str, Any]


#: How the texts begin that nvidia-smi prints in place of a value.
_MISSING = ("N/A", "Not ", "None", "Requested", "Unknown E", "ERR!", "GPU is ", "GPU requires ")


@dataclass(frozen=True)
class Row:
    """One field of one GPU, as the collection and as nvidia-smi have it."""

    source: str
    field: str
    ours: Any
    theirs: Any
    judged: bool = True

    @property
    def verdict(self) -> str:
        """Return yes, NO, or that nobody can tell."""
        if self.ours == self.theirs:
            return "yes"
        return "NO" if self.judged else "varies"


def text(gpu: ElementTree.Element, *paths: str) -> str | None:
    """Return the text of the first path that has a value."""
    for path in paths:
        found = (gpu.findtext(path) or "").strip().strip("[]")
        if found and not found.startswith(_MISSING):
            return found
    return None


def whole(*paths: str) -> Reader:
    """Return a reader of whole numbers: 81559 of "81559 MiB", 16 of "16x"."""

    def read(gpu: ElementTree.Element) -> int | None:
        found = re.match(r"-?\d+", text(gpu, *paths) or "")
        return int(found.group()) if found else None

    return read


def decimal(*paths: str) -> Reader:
    """Return a reader of numbers with decimals: 68.57 of "68.57 W"."""

    def read(gpu: ElementTree.Element) -> float | None:
        found = re.match(r"-?\d+(\.\d+)?", text(gpu, *paths) or "")
        return float(found.group()) if found else None

    return read


def switch(*paths: str) -> Reader:
    """Return a reader of Enabled, Disabled, Yes and No."""

    def read(gpu: ElementTree.Element) -> bool | None:
        return {"Enabled": True, "Yes": True, "Disabled": False, "No": False}.get(
            text(gpu, *paths) or ""
        )

    return read


def words(path: str) -> Reader:
    """Return a reader of a text as it stands."""
    return lambda gpu: text(gpu, path)


def address(gpu: ElementTree.Element) -> str | None:
    """Return the PCI address as sysfs writes it."""
    found = text(gpu, "pci/pci_bus_id")
    return found[4:].lower() if found and len(found) == len("00000000:3B:00.0") else found


def ecc(counter: str, old: str, new: str) -> Reader:
    """Return a reader of a count of memory errors: one total, or the sum of its kinds."""

    def read(gpu: ElementTree.Element) -> int | None:
        base = f"ecc_errors/{counter}"
        kinds = [f"sram_{new}", f"sram_{new}_parity", f"sram_{new}_secded", f"dram_{new}"]
        counts = [whole(f"{base}/{kind}")(gpu) for kind in kinds]
        known: list[int] = [count for count in counts if count is not None]
        total: int | None = whole(f"{base}/{old}/total")(gpu)
        return sum(known) if known and total is None else total

    return read


def retired(gpu: ElementTree.Element) -> int | None:
    """Return how many pages were retired."""
    causes = ("multiple_single_bit_retirement", "double_bit_retirement")
    counts = [whole(f"retired_pages/{cause}/retired_count")(gpu) for cause in causes]
    known: list[int] = [count for count in counts if count is not None]
    return sum(known) if known else None


def parts(gpu: ElementTree.Element) -> list[int | None]:
    """Return the memory of each MIG device."""
    found = gpu.findall("mig_devices/mig_device")
    return [whole("fb_memory_usage/total")(each) for each in found]


_GEN, _WIDTH = "pci/pci_gpu_link_info/pcie_gen", "pci/pci_gpu_link_info/link_widths"
_POWER = "gpu_power_readings"
#: The collection's field, how it is read from the report, and whether it stays for a while.
FIELDS: Sequence[tuple[str, Reader, bool]] = (
    ("pci_address", address, True),
    ("model", words("product_name"), True),
    ("uuid", words("uuid"), True),
    ("memory_mib", whole("fb_memory_usage/total"), True),
    ("bar1_mib", whole("bar1_memory_usage/total"), True),
    ("link.width", whole(f"{_WIDTH}/current_link_width"), True),
    ("link.max_width", whole(f"{_WIDTH}/max_link_width"), True),
    ("link.generation", whole(f"{_GEN}/current_link_gen"), False),
    ("link.max_generation", whole(f"{_GEN}/max_device_link_gen", f"{_GEN}/max_link_gen"), True),
    ("mig.enabled", switch("mig_mode/current_mig"), True),
    ("mig.pending", switch("mig_mode/pending_mig"), True),
    ("mig.devices", parts, True),
    ("ecc.enabled", switch("ecc_mode/current_ecc"), True),
    ("ecc.pending", switch("ecc_mode/pending_ecc"), True),
    ("ecc.volatile_corrected", ecc("volatile", "single_bit", "correctable"), True),
    ("ecc.volatile_uncorrected", ecc("volatile", "double_bit", "uncorrectable"), True),
    ("ecc.aggregate_corrected", ecc("aggregate", "single_bit", "correctable"), True),
    ("ecc.aggregate_uncorrected", ecc("aggregate", "double_bit", "uncorrectable"), True),
    ("remapping.corrected", whole("remapped_rows/remapped_row_corr"), True),
    ("remapping.uncorrected", whole("remapped_rows/remapped_row_unc"), True),
    (
        "remapping.pending",
        switch("remapped_rows/remapped_row_pending", "retired_pages/pending_retirement"),
        True,
    ),
    ("remapping.failed", switch("remapped_rows/remapped_row_failure"), True),
    ("remapping.retired_pages", retired, True),
    ("persistence", switch("persistence_mode"), True),
    ("power_limit_w", decimal(f"{_POWER}/current_power_limit", "power_readings/power_limit"), True),
    (
        "power_w",
        decimal(
            f"{_POWER}/average_power_draw",
            f"{_POWER}/power_draw",
            f"{_POWER}/instant_power_draw",
            "power_readings/power_draw",
        ),
        False,
    ),
    ("temperature_c", whole("temperature/gpu_temp"), False),
    ("utilization_percent", whole("utilization/gpu_util"), False),
)
#: gpu_info takes the most of the link from the card itself, nvidia-smi from card and slot together.
OTHERWISE = {("gpu_info", "link.max_width"), ("gpu_info", "link.max_generation")}


def value(gpu: Gpu, field: str) -> Any:
    """Return a field of ours; MIG devices as their memory alone."""
    found: Any = gpu
    for name in field.split("."):
        found = found[name]
    return [part["memory_mib"] for part in found] if field == "mig.devices" else found


def rows(source: str, ours: Sequence[Gpu], report: ElementTree.Element) -> Iterator[Row]:
    """Yield all fields of all GPUs of one of the collection's sources."""
    theirs = report.findall("gpu")
    yield Row(source, "number of GPUs", len(ours), len(theirs))
    for index, (gpu, element) in enumerate(zip(ours, theirs, strict=False)):
        yield Row(source, f"{index} index", gpu["index"], index)
        for field, read, lasts in FIELDS:
            judged = lasts and (source, field) not in OTHERWISE
            yield Row(source, f"{index} {field}", value(gpu, field), read(element), judged)


def compare(report: str, views: Mapping[str, Any], facts: Mapping[str, Any]) -> list[Row]:
    """Return every field of the two readers and of gpu_info beside nvidia-smi's."""
    start = report.find("<nvidia_smi_log")
    # The report was made on this machine a moment ago; its DTD is cut off with what stands before.
    root = ElementTree.fromstring(report[start : report.rfind(">") + 1])  # noqa: S314
    driver = text(root, "driver_version", "kmd_version")
    cuda = text(root, "cuda_version", "cuda_umd_version")
    found: list[Row] = []
    for name, view in views.items():
        found.append(Row(name, "driver version", view["driver_version"], driver))
        found.append(Row(name, "CUDA version", view["runtime_version"], cuda))
        found.append(Row(name, "error", view["error"], None))
        found.extend(rows(name, view["gpus"], root))
    nvidia = [gpu for gpu in facts["gpus"] if gpu["vendor"] == "nvidia"]
    stacks = [stack for stack in facts["stacks"] if stack["vendor"] == "nvidia"]
    found.append(Row("gpu_info", "stacks", len(stacks), 1))
    for stack in stacks:
        found.append(Row("gpu_info", "loaded driver", stack["loaded"], driver))
        found.append(Row("gpu_info", "source", stack["source"], "nvml"))
    found.extend(rows("gpu_info", nvidia, root))
    return found


def table(found: Sequence[Row]) -> str:
    """Return the rows as aligned text."""
    cells = [("SOURCE", "FIELD", "OURS", "NVIDIA-SMI", "EQUAL")]
    cells += [(row.source, row.field, str(row.ours), str(row.theirs), row.verdict) for row in found]
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def main(arguments: Sequence[str]) -> int:
    """Print the table; return 1 where a judged field differs."""
    folder = Path(arguments[0])
    found = compare(
        (folder / "nvidia-smi.txt").read_text(encoding="utf-8", errors="replace"),
        json.loads((folder / "views.json").read_text(encoding="utf-8")),
        json.loads((folder / "results.json").read_text(encoding="utf-8"))["gpu"],
    )
    differing = [row for row in found if row.verdict == "NO"]
    varying = sum(row.verdict == "varies" for row in found)
    sys.stdout.write(
        f"{table(found)}\n\n{len(found)} fields: {len(found) - len(differing) - varying} equal, "
        f"{varying} that vary by the moment, {len(differing)} different\n"
    )
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
