"""The programs that tests.bench.monitoring_servers measures: their files and command lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

EXPORTER, NODES, ALERTMANAGER = 29100, 29101, 29093
PROMETHEUS, BEHIND, AGENT, ALERTER, ALONE, ALONE_ALERTER = 29090, 29428, 29429, 29880, 29430, 29881
RULES = (
    ("NodeDown", 'up{job="node"} == 0'),
    ("GpuHot", "DCGM_FI_DEV_GPU_TEMP > 90"),
    ("GpuXidError", "DCGM_FI_DEV_XID_ERRORS > 0"),
    ("GpuMemoryFull", "DCGM_FI_DEV_FB_USED / (DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE) > 0.99"),
    ("NodeMemoryFull", "node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < 0.05"),
    ("DiskWillFill", "predict_linear(node_filesystem_avail_bytes[1m], 86400) < 0"),
    ("ClockSkew", "abs(node_timex_offset_seconds) > 0.05"),
    ("TooFewGpus", "count by (node) (DCGM_FI_DEV_GPU_TEMP) < 8"),
)


def scrape_config(nodes: int, interval: float) -> dict[str, Any]:
    """Return a configuration that scrapes every synthetic node; JSON is YAML."""
    jobs = [
        {
            "job_name": f"node-{number}",
            "metrics_path": f"/node/{number}",
            "static_configs": [
                {"targets": [f"127.0.0.1:{NODES}"], "labels": {"node": f"synthetic{number}"}}
            ],
            "relabel_configs": [{"target_label": "job", "replacement": "node"}],
        }
        for number in range(nodes)
    ]
    seconds = f"{interval:g}s"
    timing = {"scrape_interval": seconds, "scrape_timeout": seconds}
    return {"global": timing, "scrape_configs": jobs}


def rules() -> dict[str, Any]:
    """Return a file of alert rules that each server evaluates every 15 s."""
    rows = [{"alert": name, "expr": text, "for": "1m"} for name, text in RULES]
    return {"groups": [{"name": "bench", "interval": "15s", "rules": rows}]}


def commands(folder: Path) -> dict[str, list[str]]:
    """Return the command line of each program by its name here."""
    victoria = ["victoria-metrics", "-retentionPeriod=30d", "-loggerLevel=WARN"]
    alerts = ["vmalert", f"-rule={folder}/rules.yml", "-loggerLevel=WARN"]
    notifier = f"-notifier.url=http://127.0.0.1:{ALERTMANAGER}"
    scrape = f"-promscrape.config={folder}/scrape.yml"
    found = {
        "prometheus": [
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/prometheus",
            "--storage.tsdb.retention.time=30d",
            "--web.enable-admin-api",
            f"--web.listen-address=127.0.0.1:{PROMETHEUS}",
        ],
        "vmagent": [
            "vmagent",
            scrape,
            f"-httpListenAddr=127.0.0.1:{AGENT}",
            f"-remoteWrite.tmpDataPath={folder}/vmagent",
            f"-remoteWrite.url=http://127.0.0.1:{BEHIND}/api/v1/write",
        ],
        "alertmanager": [
            "prometheus-alertmanager",
            f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/alertmanager",
            f"--web.listen-address=127.0.0.1:{ALERTMANAGER}",
            "--cluster.listen-address=",
        ],
    }
    for name, port, alerter, own in (
        ("behind", BEHIND, ALERTER, []),
        ("alone", ALONE, ALONE_ALERTER, [scrape]),
    ):
        listen = f"-httpListenAddr=127.0.0.1:{port}"
        found[name] = [*victoria, listen, f"-storageDataPath={folder}/{name}", *own]
        url = f"http://127.0.0.1:{port}"
        found["vmalert" if name == "behind" else "alone-vmalert"] = [
            *alerts,
            notifier,
            f"-httpListenAddr=127.0.0.1:{alerter}",
            f"-datasource.url={url}",
            f"-remoteWrite.url={url}",
        ]
    return found


def write_files(folder: Path, nodes: int, interval: float) -> None:
    """Write the programs' configurations."""
    scrape = scrape_config(nodes, interval)
    managers = [{"static_configs": [{"targets": [f"127.0.0.1:{ALERTMANAGER}"]}]}]
    own = {"rule_files": ["rules.yml"], "alerting": {"alertmanagers": managers}}
    for name, value in (
        ("scrape.yml", scrape),
        ("prometheus.yml", {**scrape, **own}),
        ("rules.yml", rules()),
        ("alertmanager.yml", {"route": {"receiver": "none"}, "receivers": [{"name": "none"}]}),
    ):
        (folder / name).write_text(json.dumps(value), encoding="utf-8")
