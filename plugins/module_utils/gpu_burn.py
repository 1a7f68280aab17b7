# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stress test of GPUs is made of and what its readings mean. Nothing here runs anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverGpu,
    Gpu,
    Vendor,
)

#: Seconds beyond the asked-for time after which a GPU that gave no answer is given up: taking and
#: filling the memory, and one pass over it that is under way when the time ends.
GRACE_SECONDS = 30.0
#: ECC C/U: corrected and uncorrectable errors that came meanwhile.
_HEADING = ("GPU", "MODEL", "RESULT", "TFLOP/S", "ERRORS", "TEMPERATURE", "POWER", "ECC C/U", "XID")


@dataclass(frozen=True)
class Target:
    """One thing to load: a GPU, or a part of one that is partitioned.

    ``visible`` is what the vendor's library is told to see: a UUID, or an index for AMD.
    """

    name: str
    vendor: Vendor
    index: int
    visible: str
    model: str
    pci_address: str


@dataclass(frozen=True)
class Load:
    """What the process that loads a GPU told: its passes, operations and wrong numbers."""

    passes: int = 0
    operations: int = 0
    seconds: float = 0.0
    memory_mib: int = 0
    wrong: int = 0
    error: Optional[str] = None

    @property
    def teraflops(self) -> Optional[float]:
        """Return 10^12 floating-point operations a second, None when nothing was timed."""
        return round(self.operations / self.seconds / 1e12, 2) if self.seconds > 0 else None


@dataclass(frozen=True)
class Report:
    """How one GPU did. ``problems`` is empty for one that passed."""

    gpu: str
    model: str
    pci_address: str
    passed: bool
    problems: tuple[str, ...]
    seconds: float
    passes: int
    memory_mib: int
    teraflops: Optional[float]
    wrong_numbers: int
    temperature_c_start: Optional[int]
    temperature_c_max: Optional[int]
    power_w_max: Optional[float]
    power_w_limit: Optional[float]
    ecc_corrected: Optional[int]
    ecc_uncorrected: Optional[int]
    xids: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "problems": list(self.problems), "xids": list(self.xids)}


def choose_targets(gpus: Sequence[Gpu]) -> tuple[list[Target], list[str]]:
    """Return what can be loaded, and a sentence for each GPU that cannot."""
    targets: list[Target] = []
    left_out: list[str] = []
    for gpu in gpus:
        if gpu.index is None or gpu.error:
            reason = gpu.error or "its driver does not list it"
            left_out.append(f"{gpu.pci_address}: {reason}")
        elif gpu.mig.enabled:
            parts = _parts(gpu)
            targets += parts
            if not parts:
                left_out.append(
                    f"GPU {gpu.index}: MIG is on and it has no MIG device to compute on"
                )
        else:
            visible = gpu.uuid if gpu.vendor is Vendor.NVIDIA and gpu.uuid else str(gpu.index)
            targets.append(_target(gpu, str(gpu.index), visible))
    return targets, left_out


def _parts(gpu: Gpu) -> list[Target]:
    return [
        _target(gpu, f"{gpu.index}.{number}", part.uuid)
        for number, part in enumerate(gpu.mig.devices)
        if part.uuid
    ]


def _target(gpu: Gpu, name: str, visible: str) -> Target:
    return Target(name, gpu.vendor, gpu.index or 0, visible, gpu.model or "GPU", gpu.pci_address)


@dataclass(frozen=True)
class Readings:
    """What the driver told about one GPU before, while and after it was loaded."""

    before: DriverGpu
    samples: tuple[DriverGpu, ...] = ()

    def with_sample(self, sample: DriverGpu) -> Readings:
        """Return the readings with one more."""
        return replace(self, samples=(*self.samples, sample))

    @property
    def last(self) -> DriverGpu:
        """Return the newest reading."""
        return self.samples[-1] if self.samples else self.before


def judge(
    target: Target,
    load: Load,
    readings: Readings,
    xids: Sequence[int],
    temperature_limit_c: int,
) -> Report:
    """Return how one GPU did: a problem is a sentence of what was seen and what was expected."""
    hottest = _most(each.temperature_c for each in readings.samples)
    corrected = _grown(readings, "volatile_corrected")
    uncorrected = _grown(readings, "volatile_uncorrected")
    problems = [
        load.error or "",
        _wrong(load),
        "" if load.passes or load.error else "no pass over its memory was finished",
        _too_hot(hottest, temperature_limit_c),
        f"{uncorrected} uncorrectable ECC errors came, expected none" if uncorrected else "",
        f"Xid {', '.join(map(str, sorted(set(xids))))} in the kernel's log" if xids else "",
        readings.last.error or "",
    ]
    found = tuple(dict.fromkeys(problem for problem in problems if problem))
    return Report(
        gpu=target.name,
        model=target.model,
        pci_address=target.pci_address,
        passed=not found,
        problems=found,
        seconds=round(load.seconds, 1),
        passes=load.passes,
        memory_mib=load.memory_mib,
        teraflops=load.teraflops,
        wrong_numbers=load.wrong,
        temperature_c_start=readings.before.temperature_c,
        temperature_c_max=hottest,
        power_w_max=_most(each.power_w for each in readings.samples),
        power_w_limit=readings.before.power_limit_w,
        ecc_corrected=corrected,
        ecc_uncorrected=uncorrected,
        xids=tuple(xids),
    )


def _wrong(load: Load) -> str:
    if not load.wrong:
        return ""
    return f"{load.wrong} numbers changed, expected none: its memory or its arithmetic fails"


def _too_hot(hottest: Optional[int], limit: int) -> str:
    if hottest is None or hottest <= limit:
        return ""
    return f"{hottest} degrees C, expected at most {limit} (gpu_burn_temperature_limit_c)"


def _most(values: Any) -> Any:
    return max((value for value in values if value is not None), default=None)


def _grown(readings: Readings, name: str) -> Optional[int]:
    """Return by how much an error counter grew, None where the GPU does not count."""
    before, after = getattr(readings.before.ecc, name), getattr(readings.last.ecc, name)
    return None if before is None or after is None else max(after - before, 0)


def render(host: str, reports: Sequence[Report], left_out: Sequence[str]) -> str:
    """Return the reports as a table for a terminal, with the problems below it."""
    passed = sum(report.passed for report in reports)
    rows = [_HEADING, *(_row(report) for report in reports)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADING))]
    lines = [f"{host}: {passed} of {len(reports) + len(left_out)} GPUs passed"]
    lines += [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    ]
    lines += [f"  GPU {each.gpu}: {problem}" for each in reports for problem in each.problems]
    return "\n".join([*lines, *(f"  not loaded: {each}" for each in left_out)])


def _row(report: Report) -> tuple[str, ...]:
    temperatures = (report.temperature_c_start, report.temperature_c_max)
    power = (report.power_w_max, report.power_w_limit)
    ecc = (report.ecc_corrected, report.ecc_uncorrected)
    return (
        report.gpu,
        report.model,
        "passed" if report.passed else "FAILED",
        "-" if report.teraflops is None else f"{report.teraflops:g}",
        str(report.wrong_numbers),
        "-" if None in temperatures else f"{temperatures[0]} to {temperatures[1]} C",
        "-" if None in power else f"{power[0]:.0f} of {power[1]:.0f} W",
        "-" if None in ecc else f"{ecc[0]}/{ecc[1]}",
        ", ".join(map(str, report.xids)) or "none",
    )


def new_lines(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Return the lines of the kernel's log that came since ``before`` was read."""
    seen: dict[str, int] = {}
    for line in before:
        seen[line] = seen.get(line, 0) + 1
    fresh = []
    for line in after:
        if seen.get(line, 0):
            seen[line] -= 1
        else:
            fresh.append(line)
    return fresh
