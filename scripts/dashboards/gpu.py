"""GPUs one by one: load, memory, heat, power, clocks, and what their health counters say."""

from __future__ import annotations

from scripts.dashboards.build import Column, Dashboard, Panel, Query, Row
from scripts.dashboards.common import (
    GPU,
    NODE,
    OF_GPU,
    OF_NODE,
    gpu_memory_percent,
    memory_bytes,
    per_gpu,
)
from scripts.dashboards.panels import graph, stat, table
from scripts.dashboards.thresholds import GPU_MEMORY, GPU_TEMPERATURE, NONE_WANTED, STATE_COLORS

EACH = "{{node}} GPU {{gpu}}"
NO_ECC = "no GPU has memory with ECC switched on"
NO_ROWS = "no GPU remaps rows of its memory"
NO_XID = "the driver wrote no Xid since the node booted"
NO_FLAGS = "no GPU tells why its clocks are low"
# Grafana shows a unit only by one of its own names.
HERTZ, WATT, CELSIUS, PERCENT = "hertz", "watt", "celsius", "percent"


# A power limit is no fault: a busy GPU runs into it all day.
_FAULTS = 'reason=~"thermal|hardware"'


def _now() -> list[Panel]:
    return [
        stat("GPUs", Query(f"count({_of('DCGM_FI_DEV_GPU_TEMP')})"), "GPUs that report."),
        stat(
            "Mean utilisation",
            Query(f"avg({_of('DCGM_FI_DEV_GPU_UTIL')})"),
            "Over the chosen GPUs.",
            unit=PERCENT,
            decimals=0,
        ),
        stat(
            "Memory in use",
            Query(f"sum({memory_bytes('DCGM_FI_DEV_FB_USED', OF_GPU)})"),
            "Sum over the chosen GPUs.",
            unit="bytes",
        ),
        stat(
            "Hottest",
            Query(f"max({_of('DCGM_FI_DEV_GPU_TEMP')})"),
            "The hottest of the chosen GPUs.",
            unit=CELSIUS,
            steps=GPU_TEMPERATURE,
        ),
        stat(
            "Power",
            Query(f"sum({_of('DCGM_FI_DEV_POWER_USAGE')})"),
            "Sum over the chosen GPUs.",
            unit=WATT,
            decimals=0,
        ),
        stat(
            "Throttled",
            Query(
                f"count(max by (node, gpu) (gpu_cluster_gpu_throttled{{{_FAULTS},{OF_GPU}}}) == 1)"
                " or vector(0)"
            ),
            "GPUs slowed down by heat or a signal of the hardware, not by their power limit.",
            steps=NONE_WANTED,
        ),
        stat(
            "GPUs with an Xid",
            Query(f"count({_of('DCGM_FI_DEV_XID_ERRORS')} > 0) or vector(0)"),
            "GPUs for which the driver wrote an error into the kernel log.",
            steps=NONE_WANTED,
        ),
        stat(
            "Uncorrected ECC",
            Query(f"sum({_of('DCGM_FI_DEV_ECC_DBE_VOL_TOTAL')})", empty_when=NO_ECC),
            "Errors since the driver was loaded.",
            steps=NONE_WANTED,
        ),
    ]


def _of(metric: str) -> str:
    return per_gpu(metric, OF_GPU)


def _each(metric: str) -> list[Query]:
    return [Query(_of(metric), EACH)]


def _clock(metric: str) -> list[Query]:
    # dcgm-exporter counts MHz.
    return [Query(f"{_of(metric)} * 1000000", EACH)]


def _load() -> list[Panel]:
    return [
        graph(
            "Utilisation",
            _each("DCGM_FI_DEV_GPU_UTIL"),
            "Percent of time in which the GPU was busy.",
            unit=PERCENT,
            top=100,
        ),
        graph(
            "Memory",
            [Query(gpu_memory_percent(OF_GPU), EACH)],
            "Percent of the GPU's memory in use.",
            unit=PERCENT,
            top=100,
            steps=GPU_MEMORY,
        ),
        graph(
            "Memory in use",
            [Query(memory_bytes("DCGM_FI_DEV_FB_USED", OF_GPU), EACH)],
            "Bytes of the GPU's memory in use.",
            unit="bytes",
        ),
    ]


def _heat() -> list[Panel]:
    limit = f"100 * {_of('DCGM_FI_DEV_POWER_USAGE')} / {_of('DCGM_FI_DEV_POWER_MGMT_LIMIT')}"
    return [
        graph(
            "Temperature",
            _each("DCGM_FI_DEV_GPU_TEMP"),
            "Of the chip.",
            unit=CELSIUS,
            steps=GPU_TEMPERATURE,
        ),
        graph("Power", _each("DCGM_FI_DEV_POWER_USAGE"), "What the card draws.", unit=WATT),
        graph(
            "Power against its limit",
            [Query(limit, EACH, empty_when="no GPU reports a power limit")],
            "At 100 percent the card lowers its clocks.",
            unit=PERCENT,
        ),
    ]


def _clocks() -> list[Panel]:
    reasons = f"sum by (reason) (gpu_cluster_gpu_throttled{{{OF_GPU}}})"
    return [
        graph(
            "Clock of the cores",
            _clock("DCGM_FI_DEV_SM_CLOCK"),
            "As it is now.",
            unit=HERTZ,
        ),
        graph(
            "Clock of the memory",
            _clock("DCGM_FI_DEV_MEM_CLOCK"),
            "As it is now.",
            unit=HERTZ,
        ),
        graph(
            "Throttled GPUs",
            [Query(reasons, "{{reason}}", empty_when=NO_FLAGS)],
            "How many are slowed down, and by what.",
        ),
    ]


def _state() -> Panel:
    return table(
        "GPUs",
        [
            Column(
                "",
                Query(
                    "max by (node, gpu, pci_bus_id, modelName, state)"
                    f" (gpu_cluster_gpu_state{{{OF_GPU}}} == 1)"
                ),
            ),
            Column("Utilisation", Query(_of("DCGM_FI_DEV_GPU_UTIL")), PERCENT),
            Column("Memory", Query(gpu_memory_percent(OF_GPU)), PERCENT, GPU_MEMORY),
            Column("Temperature", Query(_of("DCGM_FI_DEV_GPU_TEMP")), CELSIUS, GPU_TEMPERATURE),
            Column("Power", Query(_of("DCGM_FI_DEV_POWER_USAGE")), WATT),
        ],
        "One row for each GPU. A GPU that the driver does not list has an address and no number.",
        names={
            "node": "Node",
            "gpu": "GPU",
            "pci_bus_id": "Address",
            "modelName": "Model",
            "state": "State",
        },
        words={"State": STATE_COLORS},
    )


def _counter(title: str, metric: str, reason: str) -> Column:
    return Column(title, Query(_of(metric), empty_when=reason), steps=NONE_WANTED)


def _health() -> list[Panel]:
    return [
        table(
            "Errors of the memory",
            [
                Column(
                    "Corrected, this boot",
                    Query(_of("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL"), empty_when=NO_ECC),
                ),
                _counter("Uncorrected, this boot", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", NO_ECC),
                Column(
                    "Corrected, ever",
                    Query(_of("DCGM_FI_DEV_ECC_SBE_AGG_TOTAL"), empty_when=NO_ECC),
                ),
                _counter("Uncorrected, ever", "DCGM_FI_DEV_ECC_DBE_AGG_TOTAL", NO_ECC),
                Column(
                    "Rows remapped",
                    Query(_of("DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS"), empty_when=NO_ROWS),
                ),
                _counter(
                    "Rows remapped, uncorrectable",
                    "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS",
                    NO_ROWS,
                ),
                _counter("Remapping pending", "DCGM_FI_DEV_ROW_REMAP_PENDING", NO_ROWS),
                _counter("Remapping failed", "DCGM_FI_DEV_ROW_REMAP_FAILURE", NO_ROWS),
            ],
            "Counters of the GPU itself. An uncorrected error costs the job that hit it.",
            names={"node": "Node", "gpu": "GPU"},
        ),
        table(
            "Xid errors of this boot",
            [
                Column(
                    "Lines",
                    Query(
                        "sum by (node, gpu, pci_bus_id, xid)"
                        f" (gpu_cluster_gpu_xid_count{{{OF_GPU}}}) > 0",
                        empty_when=NO_XID,
                    ),
                    steps=NONE_WANTED,
                )
            ],
            "What the driver wrote into the kernel log.",
            names={"node": "Node", "gpu": "GPU", "pci_bus_id": "Address", "xid": "Xid"},
            width=8,
        ),
        table(
            "Drivers",
            [
                Column(
                    "",
                    Query(
                        "max by (node, vendor, loaded, installed, library)"
                        f" (gpu_cluster_driver_info{{{OF_NODE}}})"
                    ),
                ),
                Column(
                    "Versions differ",
                    Query(
                        f"max by (node, vendor) (gpu_cluster_driver_mismatch{{{OF_NODE}}})",
                        empty_when="no version of a driver is known",
                    ),
                    words={0: ("no", "green"), 1: ("yes, reboot", "red")},
                ),
            ],
            "The driver in the kernel, the installed one, and the library that programs use.",
            names={
                "node": "Node",
                "vendor": "Vendor",
                "loaded": "Loaded",
                "installed": "Installed",
                "library": "Library",
            },
            width=16,
        ),
    ]


GPUS = Dashboard(
    name="gpu",
    title="GPUs",
    description="Each GPU: load, memory, heat, power, clocks and health.",
    needs="gpu",
    variables=[NODE, GPU],
    panels=[
        *_now(),
        Row("Load"),
        *_load(),
        Row("Heat and power"),
        *_heat(),
        Row("Clocks"),
        *_clocks(),
        Row("Health"),
        _state(),
        *_health(),
    ],
)
