"""Variables and expressions that several dashboards share."""

from __future__ import annotations

from scripts.dashboards.build import Variable

NODE = Variable("node", "Node", 'label_values(up{job="node"}, node)')
GPU = Variable("gpu", "GPU", 'label_values(DCGM_FI_DEV_GPU_TEMP{node=~"$node"}, gpu)')

OF_NODE = 'node=~"$node"'
OF_GPU = 'node=~"$node",gpu=~"$gpu"'

# The window of rates: Grafana derives it from the scrape interval and the step, so does our page.
WINDOW = "[$__rate_interval]"

UP_OR_DOWN = {1: ("up", "green"), 0: ("down", "red")}
YES_OR_NO = {0: ("no", "green"), 1: ("yes", "orange")}

CPU_PERCENT = (
    f'100 * (1 - avg by (node) (rate(node_cpu_seconds_total{{mode="idle",{OF_NODE}}}{WINDOW})))'
)
MEMORY_PERCENT = (
    f"100 * (1 - max by (node) (node_memory_MemAvailable_bytes{{{OF_NODE}}})"
    f" / max by (node) (node_memory_MemTotal_bytes{{{OF_NODE}}}))"
)
_DISK = f'{{fstype!~"tmpfs|ramfs|squashfs|fuse.*",{OF_NODE}}}'
DISK_PERCENT = (
    f"100 * (1 - max by (node, mountpoint) (node_filesystem_avail_bytes{_DISK})"
    f" / max by (node, mountpoint) (node_filesystem_size_bytes{_DISK}))"
)


def per_gpu(metric: str, selector: str = OF_NODE) -> str:
    """Return one series for each GPU, whichever exporter it comes from."""
    return f"max by (node, gpu) ({metric}{{{selector}}})"


def gpu_memory_percent(selector: str = OF_NODE) -> str:
    """Return how full the memory of each GPU is."""
    used = per_gpu("DCGM_FI_DEV_FB_USED", selector)
    return f"100 * {used} / ({used} + {per_gpu('DCGM_FI_DEV_FB_FREE', selector)})"


def memory_bytes(metric: str, selector: str = OF_NODE) -> str:
    """Return the memory of each GPU in bytes; dcgm-exporter counts MiB."""
    return f"{per_gpu(metric, selector)} * 1048576"
