# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HelmCharts: k3s' helm controller makes a Job for each; no chart is rendered here."""

from __future__ import annotations

import base64
import io
import tarfile
from typing import Any

import yaml

from .controllers_base import Cluster, digest, owner
from .objects import Kind
from .objects_packaged import HELM_IMAGE, TRAEFIK_IMAGE
from .store import Obj

GROUP = "helm.cattle.io"
JOB_LABEL = "helmcharts.helm.cattle.io/chart"
HASH_NOTE = "helmcharts.helm.cattle.io/configHash"


def broken(spec: dict[str, Any]) -> str:
    """Return what is wrong with a chart that is given by its content; '' when nothing is."""
    content = spec.get("chartContent")
    if not content:
        return "" if spec.get("chart") else "neither chart nor chartContent"
    try:
        data = base64.b64decode(content, validate=True)
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            names = archive.getnames()
    except (ValueError, tarfile.TarError, EOFError, OSError):
        return "chartContent is no chart archive"
    found = any(name.count("/") == 1 and name.endswith("/Chart.yaml") for name in names)
    return "" if found else "Chart.yaml file is missing"


def charts(cluster: Cluster) -> None:
    """Have a Job for every chart, anew when its settings change."""
    for chart in cluster.store.every(GROUP, "helmcharts"):
        config = next(
            (
                obj
                for obj in cluster.store.every(GROUP, "helmchartconfigs")
                if obj["metadata"]["name"] == chart["metadata"]["name"]
                and obj["metadata"]["namespace"] == chart["metadata"]["namespace"]
            ),
            None,
        )
        _chart(cluster, chart, config)


def _chart(cluster: Cluster, chart: Obj, config: Obj | None) -> None:
    space, name = chart["metadata"]["namespace"], chart["metadata"]["name"]
    mark = digest([chart["spec"], (config or {}).get("spec")])
    job_name = f"helm-install-{name}"
    job = cluster.find("jobs", space, job_name)
    if job is not None and job["metadata"]["annotations"].get(HASH_NOTE) != mark:
        cluster.remove(job)
        return
    if job is None:
        cluster.make("jobs", space, _job(chart, job_name, mark))
        _job_name(cluster, chart, job_name)
    elif name == "traefik" and job.get("status", {}).get("succeeded"):
        _traefik(cluster, chart, config)


def _job_name(cluster: Cluster, chart: Obj, job_name: str) -> None:
    key = Kind(GROUP, "v1", "helmcharts", "HelmChart").key(
        chart["metadata"]["namespace"], chart["metadata"]["name"]
    )
    cluster.store.update(key, {**chart, "status": {"jobName": job_name}})


def _job(chart: Obj, name: str, mark: str) -> Obj:
    spec, chart_name = chart["spec"], chart["metadata"]["name"]
    wrong = broken(spec)
    container: Obj = {"name": "helm", "image": spec.get("jobImage") or HELM_IMAGE}
    container["args"] = ["install"]
    if wrong:
        container["command"] = ["sh", "-c", f"echo 'Error: {wrong}' >&2; exit 1"]
    return {
        "metadata": {
            "name": name,
            "labels": {JOB_LABEL: chart_name},
            "annotations": {HASH_NOTE: mark},
            "ownerReferences": [owner(chart)],
        },
        "spec": {
            "backoffLimit": int(spec.get("backOffLimit") or (0 if wrong else 1000)),
            "template": {
                "metadata": {"labels": {JOB_LABEL: chart_name}},
                "spec": {
                    "restartPolicy": "OnFailure",
                    "containers": [container],
                    "hostNetwork": bool(spec.get("bootstrap")),
                },
            },
        },
    }


def values_of(obj: Obj | None) -> dict[str, Any]:
    """Return the values that a chart or its config has as text."""
    text = ((obj or {}).get("spec") or {}).get("valuesContent") or ""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def _exposed(config: Obj | None, port: str, default: int) -> int:
    ports = values_of(config).get("ports") or {}
    row = ports.get(port) or {}
    return int(row.get("exposedPort") or default)


def _traefik(cluster: Cluster, chart: Obj, config: Obj | None) -> None:
    """Have what the packaged ingress consists of, with the ports that its values say."""
    space = chart["metadata"]["namespace"]
    labels = {"app.kubernetes.io/name": "traefik"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "traefik", "image": TRAEFIK_IMAGE}]},
    }
    meta = {"name": "traefik", "ownerReferences": [owner(chart)]}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    cluster.ensure("deployments", space, {"metadata": dict(meta), "spec": spec})
    rows = [
        {"name": name, "port": _exposed(config, name, default), "targetPort": name}
        for name, default in (("web", 80), ("websecure", 443))
    ]
    made = {"selector": labels, "type": "LoadBalancer", "ports": rows}
    old = cluster.find("services", space, "traefik")
    if old is None:
        cluster.make("services", space, {"metadata": dict(meta), "spec": made})
    elif [p["port"] for p in old["spec"]["ports"]] != [p["port"] for p in rows]:
        kept = {port["name"]: port.get("nodePort") for port in old["spec"]["ports"]}
        new = [{**row, "nodePort": kept.get(row["name"])} for row in rows]
        cluster.change(old, {**old, "spec": {**old["spec"], "ports": new}})
