# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node tells of its GPUs, its driver and itself, as families of samples.

Values that NVIDIA's dcgm-exporter has too bear its names (DCGM_FI_*) and its labels, whoever made
the GPU, so that one dashboard serves both. What is not known is left out. Nothing here reads
anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.driver_range import (
    same_version,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.exposition import (
    Family,
    Kind,
    Number,
    Sample,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    Gpu,
    GpuNode,
    Stack,
    Vendor,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_xid import XidEvent
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_metrics_log import (
    last_numbers,
)

Value = Callable[[Gpu], Optional[Number]]

#: Bits of NVML's mask (nvmlClocksEventReasons) that mean less than full speed, and why. A GPU at
#: its power limit is at work; heat and slowdowns by the hardware are nothing to expect.
_REASONS: Mapping[str, int] = {"thermal": 0x20 | 0x40, "power": 0x4 | 0x80, "hardware": 0x8}

#: Name, meaning and value of what dcgm-exporter has too.
_FIELDS: Sequence[tuple[str, str, Kind, Value]] = (
    ("GPU_TEMP", "Temperature in degrees Celsius.", Kind.GAUGE, lambda g: g.temperature_c),
    ("POWER_USAGE", "Power that is drawn, in watts.", Kind.GAUGE, lambda g: g.power_w),
    ("POWER_MGMT_LIMIT", "Power limit in watts.", Kind.GAUGE, lambda g: g.power_limit_w),
    ("GPU_UTIL", "Use of the GPU in per cent.", Kind.GAUGE, lambda g: g.utilization_percent),
    ("FB_USED", "Memory that is used, in MiB.", Kind.GAUGE, lambda g: g.memory_used_mib),
    ("FB_FREE", "Memory that is free, in MiB.", Kind.GAUGE, lambda g: g.memory_free_mib),
    ("SM_CLOCK", "Clock of the processors in MHz.", Kind.GAUGE, lambda g: g.sm_clock_mhz),
    ("MEM_CLOCK", "Clock of the memory in MHz.", Kind.GAUGE, lambda g: g.memory_clock_mhz),
    (
        "CLOCK_THROTTLE_REASONS",
        "Why the clocks are low, as NVML's bit mask.",
        Kind.GAUGE,
        lambda g: g.throttle_reasons,
    ),
    (
        "ECC_SBE_VOL_TOTAL",
        "Corrected memory errors since the driver was loaded.",
        Kind.COUNTER,
        lambda g: g.ecc.volatile_corrected,
    ),
    (
        "ECC_DBE_VOL_TOTAL",
        "Uncorrected memory errors since the driver was loaded.",
        Kind.COUNTER,
        lambda g: g.ecc.volatile_uncorrected,
    ),
    (
        "ECC_SBE_AGG_TOTAL",
        "Corrected memory errors in the GPU's life.",
        Kind.COUNTER,
        lambda g: g.ecc.aggregate_corrected,
    ),
    (
        "ECC_DBE_AGG_TOTAL",
        "Uncorrected memory errors in the GPU's life.",
        Kind.COUNTER,
        lambda g: g.ecc.aggregate_uncorrected,
    ),
    (
        "CORRECTABLE_REMAPPED_ROWS",
        "Memory rows replaced for corrected errors.",
        Kind.COUNTER,
        lambda g: g.remapping.corrected,
    ),
    (
        "UNCORRECTABLE_REMAPPED_ROWS",
        "Memory rows replaced for uncorrected errors.",
        Kind.COUNTER,
        lambda g: g.remapping.uncorrected,
    ),
    (
        "ROW_REMAP_FAILURE",
        "Whether a memory row could not be replaced.",
        Kind.GAUGE,
        lambda g: g.remapping.failed,
    ),
    (
        "ROW_REMAP_PENDING",
        "Whether a memory row is replaced at the next reset.",
        Kind.GAUGE,
        lambda g: g.remapping.pending,
    ),
)


@dataclass(frozen=True)
class GpuReading:
    """What was read of the GPUs.

    ``present`` counts them on the bus. ``events`` is None where the kernel's log was not readable.
    ``dcgm`` says whether the names of dcgm-exporter are wanted: not beside that exporter itself.
    """

    node: GpuNode = field(default_factory=GpuNode)
    present: Optional[int] = None
    hostname: str = ""
    events: Optional[Sequence[XidEvent]] = None
    expected: Optional[int] = None
    dcgm: bool = True


@dataclass(frozen=True)
class NodeReading:
    """What was read of the node itself. ``certificates`` are ends in seconds since 1970 by path.

    ``errors`` says of each part whether it failed.
    """

    stacks: Sequence[Stack] = ()
    reboot_required: Optional[bool] = None
    certificates: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, bool] = field(default_factory=dict)
    finished: float = 0.0
    duration: float = 0.0


def gpu_families(reading: GpuReading) -> list[Family]:
    """Return what is known of the GPUs."""
    gpus = reading.node.gpus
    families = [*_counts(reading), _states(gpus), _throttled(gpus)]
    if reading.events is not None:
        families.append(_xid_counts(gpus, reading.events))
    if reading.dcgm:
        families += _dcgm(reading)
    return families


def _counts(reading: GpuReading) -> list[Family]:
    gpus = reading.node.gpus
    usable = sum(gpu.index is not None and gpu.error is None for gpu in gpus)
    return [
        Family(
            "gpu_cluster_gpus_expected",
            "GPUs that the node had when it was set up.",
            _known(reading.expected),
        ),
        Family("gpu_cluster_gpus_present", "GPUs on the PCI bus.", _known(reading.present)),
        Family(
            "gpu_cluster_gpus_usable",
            "GPUs that their driver lists without an error.",
            # What was not looked at is not known to be 0.
            _known(usable if reading.present is not None else None),
        ),
    ]


def _known(value: Optional[Number]) -> tuple[Sample, ...]:
    return () if value is None else (Sample(value),)


def _states(gpus: Sequence[Gpu]) -> Family:
    samples = [
        Sample(1, {**_short(gpu), "state": gpu.health.value if gpu.health else "unknown"})
        for gpu in gpus
    ]
    told = "How a GPU is, in the label state: ok, degraded, failed or unknown."
    return Family("gpu_cluster_gpu_state", told, tuple(samples))


def _throttled(gpus: Sequence[Gpu]) -> Family:
    samples = [
        Sample(int(bool(gpu.throttle_reasons & mask)), {**_short(gpu), "reason": reason})
        for gpu in gpus
        if gpu.throttle_reasons is not None
        for reason, mask in _REASONS.items()
    ]
    told = "Whether a GPU is slowed down by heat, by its power limit or by its hardware."
    return Family("gpu_cluster_gpu_throttled", told, tuple(samples))


def _xid_counts(gpus: Sequence[Gpu], events: Iterable[XidEvent]) -> Family:
    known = {gpu.pci_address: gpu for gpu in gpus}
    samples = [
        Sample(
            event.count,
            {
                "gpu": _index(known.get(event.address)),
                "pci_bus_id": _bus_id(event.address),
                "xid": str(event.number),
            },
        )
        for event in sorted(events, key=lambda each: (each.address, each.number))
    ]
    told = "Lines of the kernel's log in this boot with an Xid number of NVIDIA's driver."
    return Family("gpu_cluster_gpu_xid_count", told, tuple(samples), Kind.COUNTER)


def _dcgm(reading: GpuReading) -> list[Family]:
    rows = [(gpu, _long(gpu, reading)) for gpu in reading.node.gpus if gpu.index is not None]
    families = [
        Family(
            f"DCGM_FI_DEV_{name}",
            told,
            tuple(
                Sample(number, labels)
                for gpu, labels in rows
                for number in [value(gpu)]
                if number is not None
            ),
            kind,
        )
        for name, told, kind, value in _FIELDS
    ]
    if reading.events is not None:
        last = last_numbers(reading.events)
        samples = [
            Sample(last.get(gpu.pci_address, 0), labels)
            for gpu, labels in rows
            if gpu.vendor is Vendor.NVIDIA
        ]
        told = "The last Xid number of this boot, 0 without one."
        families.append(Family("DCGM_FI_DEV_XID_ERRORS", told, tuple(samples)))
    return families


def node_families(reading: NodeReading) -> list[Family]:
    """Return what is known of the node and of the collector itself."""
    ends = reading.certificates
    return [
        _driver_info(reading.stacks),
        _driver_mismatch(reading.stacks),
        Family(
            "gpu_cluster_reboot_required",
            "Whether installed software waits for a boot.",
            _known(reading.reboot_required),
        ),
        Family(
            "gpu_cluster_certificate_not_after_seconds",
            "When a certificate ends, in seconds since 1970.",
            tuple(Sample(end, {"path": path}) for path, end in sorted(ends.items())),
        ),
        Family(
            "gpu_cluster_collector_last_run_timestamp_seconds",
            "When the collector ended last, in seconds since 1970.",
            (Sample(round(reading.finished, 3)),),
        ),
        Family(
            "gpu_cluster_collector_duration_seconds",
            "How long its last run took.",
            (Sample(round(reading.duration, 6)),),
        ),
        Family(
            "gpu_cluster_collector_error",
            "Whether a part of the last run failed; 'journalctl --unit rackforge-node-metrics'"
            " tells why.",
            tuple(Sample(int(bad), {"part": part}) for part, bad in reading.errors.items()),
        ),
    ]


def _driver_info(stacks: Sequence[Stack]) -> Family:
    samples = [
        Sample(
            1,
            {
                "vendor": stack.vendor.value,
                "loaded": stack.loaded or "",
                "installed": stack.package or "",
                "library": stack.library or "",
            },
        )
        for stack in stacks
    ]
    told = "Versions of a vendor's driver: loaded, installed as a package, and of its library."
    return Family("gpu_cluster_driver_info", told, tuple(samples))


def _driver_mismatch(stacks: Sequence[Stack]) -> Family:
    judged = [(stack, has_mismatch(stack)) for stack in stacks]
    samples = [
        Sample(int(mismatch), {"vendor": stack.vendor.value})
        for stack, mismatch in judged
        if mismatch is not None
    ]
    told = "Whether the loaded driver is of another version than the installed one."
    return Family("gpu_cluster_driver_mismatch", told, tuple(samples))


def has_mismatch(stack: Stack) -> Optional[bool]:
    """Return whether the loaded driver differs from what is installed; None where not known."""
    answers = [same_version(stack.loaded, other) for other in (stack.library, stack.package)]
    if False in answers:
        return True
    return False if True in answers else None


def _short(gpu: Gpu) -> dict[str, str]:
    return {
        "gpu": _index(gpu),
        "UUID": gpu.uuid or "",
        "pci_bus_id": _bus_id(gpu.pci_address),
        "modelName": gpu.model or "",
    }


def _long(gpu: Gpu, reading: GpuReading) -> dict[str, str]:
    """Return the labels of dcgm-exporter, in its order."""
    stack = reading.node.stack(gpu.vendor)
    return {
        "gpu": _index(gpu),
        "UUID": gpu.uuid or "",
        "pci_bus_id": _bus_id(gpu.pci_address),
        "device": f"{gpu.vendor.value}{_index(gpu)}",
        "modelName": gpu.model or "",
        "Hostname": reading.hostname,
        "DCGM_FI_DRIVER_VERSION": (stack.loaded if stack else None) or "",
    }


def _index(gpu: Optional[Gpu]) -> str:
    return "" if gpu is None or gpu.index is None else str(gpu.index)


def _bus_id(address: str) -> str:
    """Return 00000000:1B:00.0 for 0000:1b:00.0, as NVIDIA writes it."""
    domain, colon, rest = address.partition(":")
    return f"{domain.zfill(8)}:{rest}".upper() if colon else ""
