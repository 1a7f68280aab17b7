# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Prometheus (and vmagent, which reads the same file) is told to scrape, judge and send on.

Nothing here reads or writes anything. Every job is always there and takes its targets from files,
so that a node that comes or goes changes a file of targets and never this configuration.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

CONFIG_DIR = "/etc/rackforge-monitoring"
#: User of the exporters; the role node_metrics gives it to them.
EXPORTER_USER = "prometheus"
#: Where vminsert of a VictoriaMetrics cluster takes samples for its first tenant, as the Neutree
#: document has it.
WRITE_PATH = "/insert/0/prometheus/api/v1/write"
#: Seconds after which targets are read anew should the notice of a change be lost.
REFRESH_SECONDS = 60

_JOBS_OF_NODES = ("node", "gpu", "ray", "ray-autoscaler", "ray-dashboard", "docker")
_JOBS_OF_K3S = ("k3s-api", "kubelet", "cadvisor", "etcd")
_OWN_JOBS = ("prometheus", "alertmanager", "victoriametrics", "vmagent", "vmalert", "grafana")
JOBS = (*_JOBS_OF_NODES, *_JOBS_OF_K3S, *_OWN_JOBS)
#: Jobs whose target asks for the password of people and API.
#: Keys of a scrape job whose value is a secret; each has a twin that ends with _file.
_SECRET_KEYS = ("password", "credentials", "bearer_token", "client_secret")
_WITH_SERVER_PASSWORD = (
    *("prometheus", "alertmanager", "grafana"),
    *("victoriametrics", "vmagent", "vmalert"),
)


class PrometheusConfigError(ValueError):
    """A setting that Prometheus would not take, and what is expected."""


@dataclass(frozen=True)
class Settings:
    """What the configuration depends on. Files are paths on the monitoring host, None for none."""

    cluster: str
    interval_seconds: int
    user: str
    external_labels: Mapping[str, str] = field(default_factory=dict)
    rule_files: tuple[str, ...] = ()
    alertmanager: str = ""
    server_ca_file: Optional[str] = None
    server_name: Optional[str] = None
    exporter_tls: bool = False
    exporter_ca_file: Optional[str] = None
    k3s_token_file: Optional[str] = None
    k3s_ca_file: Optional[str] = None
    extra_scrape_configs: tuple[Mapping[str, Any], ...] = ()
    remote_write: tuple[Mapping[str, Any], ...] = ()


def settings_of(values: Mapping[str, Any]) -> Settings:
    """Return the settings in a role's values."""
    given = {name: value for name, value in values.items() if value is not None}
    for name in ("rule_files", "extra_scrape_configs", "remote_write"):
        given[name] = tuple(given.get(name) or ())
    unknown = sorted(set(given) - set(Settings.__dataclass_fields__))
    if unknown:
        raise PrometheusConfigError(f"{', '.join(unknown)}: no such setting")
    return Settings(**given)


def prometheus_config(settings: Settings) -> dict[str, Any]:
    """Return the configuration of Prometheus as data."""
    labels = {"cluster": settings.cluster, **settings.external_labels}
    interval = f"{settings.interval_seconds}s"
    config: dict[str, Any] = {
        "global": {
            "scrape_interval": interval,
            "evaluation_interval": interval,
            "external_labels": labels,
        },
        "rule_files": list(settings.rule_files),
    }
    if settings.alertmanager:
        config["alerting"] = {"alertmanagers": [_alertmanager(settings)]}
    config["scrape_configs"] = scrape_configs(settings)
    if settings.remote_write:
        config["remote_write"] = [remote_write(each) for each in settings.remote_write]
    return config


def scrape_configs(settings: Settings) -> list[dict[str, Any]]:
    """Return the jobs, the owner's own last."""
    own = [str(each.get("job_name")) for each in settings.extra_scrape_configs]
    doubled = sorted({name for name in own if name in JOBS or own.count(name) > 1})
    if doubled:
        raise PrometheusConfigError(
            f"monitoring_extra_scrape_configs: job_name {', '.join(doubled)} is there twice, "
            f"expected names of its own, other than {', '.join(JOBS)}"
        )
    for each in settings.extra_scrape_configs:
        _refuse_secrets(str(each.get("job_name")), each)
    jobs = [{**_job(name), **_access(name, settings)} for name in JOBS]
    return [*jobs, *(dict(each) for each in settings.extra_scrape_configs)]


def _refuse_secrets(job: str, value: Any) -> None:
    """Refuse a secret that stands in a job of the owner's: every diff would show it."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in _SECRET_KEYS:
                raise PrometheusConfigError(
                    f"monitoring_extra_scrape_configs: job {job} holds {key} itself, which a diff "
                    f"would show; expected {key}_file with a file on the monitoring host"
                )
            _refuse_secrets(job, inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _refuse_secrets(job, inner)


def target_glob(job: str) -> str:
    """Return the files with a job's targets."""
    return f"{CONFIG_DIR}/targets/{job}/*.json"


def _job(name: str) -> dict[str, Any]:
    files = {"files": [target_glob(name)], "refresh_interval": f"{REFRESH_SECONDS}s"}
    return {"job_name": name, "file_sd_configs": [files]}


def _access(name: str, settings: Settings) -> dict[str, Any]:
    """Return how a job's targets are spoken to, beyond plain http."""
    if name in ("node", "gpu"):
        return _exporter(settings)
    if name in _WITH_SERVER_PASSWORD:
        return _server(settings)
    if name in ("k3s-api", "kubelet", "cadvisor"):
        path = {"metrics_path": "/metrics/cadvisor"} if name == "cadvisor" else {}
        return {**path, **_k3s(settings)}
    return {}


def _exporter(settings: Settings) -> dict[str, Any]:
    access: dict[str, Any] = {
        "basic_auth": _basic(EXPORTER_USER, f"{CONFIG_DIR}/secrets/exporter_password")
    }
    if settings.exporter_tls:
        access["scheme"] = "https"
        if settings.exporter_ca_file:
            access["tls_config"] = {"ca_file": settings.exporter_ca_file}
    return access


def _server(settings: Settings) -> dict[str, Any]:
    access: dict[str, Any] = {
        "basic_auth": _basic(settings.user, f"{CONFIG_DIR}/secrets/server_password")
    }
    if settings.server_ca_file:
        tls = {"ca_file": settings.server_ca_file}
        if settings.server_name:
            tls["server_name"] = settings.server_name
        access.update({"scheme": "https", "tls_config": tls})
    return access


def _k3s(settings: Settings) -> dict[str, Any]:
    access: dict[str, Any] = {"scheme": "https"}
    if settings.k3s_token_file:
        access["authorization"] = {"credentials_file": settings.k3s_token_file}
    if settings.k3s_ca_file:
        access["tls_config"] = {"ca_file": settings.k3s_ca_file}
    return access


def _alertmanager(settings: Settings) -> dict[str, Any]:
    return {**_server(settings), "static_configs": [{"targets": [settings.alertmanager]}]}


def _basic(user: str, password_file: str) -> dict[str, str]:
    return {"username": user, "password_file": password_file}


def remote_write(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return one receiver. What it misses while it is away is sent afterwards from the WAL.

    Prometheus keeps its write-ahead log for about two hours, so an absence that long loses nothing.
    """
    entry: dict[str, Any] = {"url": write_url(str(values["url"]), values.get("vminsert_port"))}
    if values.get("user"):
        entry["basic_auth"] = _basic(str(values["user"]), str(values["password_file"]))
    if values.get("ca_file"):
        entry["tls_config"] = {"ca_file": str(values["ca_file"])}
    # A receiver that asks for patience is as good as away: what it refuses so is sent again.
    entry["queue_config"] = {"retry_on_http_429": True, **(values.get("queue") or {})}
    return entry


def write_url(url: str, vminsert_port: Optional[int] = None) -> str:
    """Return where samples are sent; an address without a path gets vminsert's path and port."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise PrometheusConfigError(f"monitoring_remote_write_url is not a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise PrometheusConfigError(
            f"monitoring_remote_write_url is '{_without_password(parts)}', expected a URL such as "
            f"http://vminsert.example:PORT{WRITE_PATH}"
        )
    if parts.username or parts.password:
        raise PrometheusConfigError(
            "monitoring_remote_write_url holds a user or a password, which everybody who reads the "
            "configuration would see; use monitoring_remote_write_user and "
            "monitoring_remote_write_password_file"
        )
    if parts.path.strip("/"):
        return urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path, parts.query, ""))
    place = parts.netloc if port or vminsert_port is None else f"{parts.netloc}:{vminsert_port}"
    return urllib.parse.urlunsplit((parts.scheme, place, WRITE_PATH, parts.query, ""))


def _without_password(parts: urllib.parse.SplitResult) -> str:
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def label_problems(labels: Mapping[str, Any]) -> Iterable[str]:
    """Yield what is wrong with external labels."""
    for name, value in labels.items():
        if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", str(name)) or str(name).startswith("__"):
            yield f"has the name '{name}', expected letters, digits and _, no digit first"
        elif not isinstance(value, str):
            yield f"has {name}: {value!r}, expected a text (write it in quotes)"
