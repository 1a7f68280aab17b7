"""Claims about what Prometheus is told."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.prometheus_config import (
    PrometheusConfigError,
    prometheus_config,
    settings_of,
    write_url,
)

PLAIN = {"cluster": "lab", "interval_seconds": 15, "user": "admin"}
SECRETS = "/etc/rackforge-monitoring/secrets"
SERVER = {"username": "admin", "password_file": f"{SECRETS}/server_password"}


def config(**more: Any) -> dict[str, Any]:
    """Return the configuration for some settings."""
    return prometheus_config(settings_of({**PLAIN, **more}))


def job(name: str, **more: Any) -> dict[str, Any]:
    """Return one job of it, without its targets."""
    found = next(each for each in config(**more)["scrape_configs"] if each["job_name"] == name)
    return {
        key: value for key, value in found.items() if key not in ("job_name", "file_sd_configs")
    }


def test_every_job_takes_its_targets_from_files() -> None:
    jobs = {each["job_name"]: each["file_sd_configs"] for each in config()["scrape_configs"]}
    assert list(jobs) == [
        *("node", "gpu", "ray", "ray-autoscaler", "ray-dashboard", "docker"),
        *("k3s-api", "kubelet", "cadvisor", "etcd"),
        *("prometheus", "alertmanager", "victoriametrics", "vmagent", "vmalert", "grafana"),
    ]
    files = ["/etc/rackforge-monitoring/targets/ray/*.json"]
    assert jobs["ray"] == [{"files": files, "refresh_interval": "60s"}]


def test_samples_that_leave_carry_the_cluster() -> None:
    assert config(external_labels={"site": "north"})["global"] == {
        "scrape_interval": "15s",
        "evaluation_interval": "15s",
        "external_labels": {"cluster": "lab", "site": "north"},
    }


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        pytest.param("ray", {}, {}, id="ray"),
        pytest.param(
            "node",
            {},
            {
                "basic_auth": {
                    "username": "prometheus",
                    "password_file": f"{SECRETS}/exporter_password",
                }
            },
            id="node",
        ),
        pytest.param(
            "node",
            {"exporter_tls": True, "exporter_ca_file": "/ca"},
            {
                "basic_auth": {
                    "username": "prometheus",
                    "password_file": f"{SECRETS}/exporter_password",
                },
                "scheme": "https",
                "tls_config": {"ca_file": "/ca"},
            },
            id="node-tls",
        ),
        pytest.param("alertmanager", {}, {"basic_auth": SERVER}, id="alertmanager"),
        pytest.param(
            "prometheus",
            {"server_ca_file": "/crt", "server_name": "mon.lab"},
            {
                "basic_auth": SERVER,
                "scheme": "https",
                "tls_config": {"ca_file": "/crt", "server_name": "mon.lab"},
            },
            id="server-tls",
        ),
        pytest.param("kubelet", {}, {"scheme": "https"}, id="kubelet-without-token"),
        pytest.param(
            "cadvisor",
            {"k3s_token_file": "/token", "k3s_ca_file": "/ca"},
            {
                "metrics_path": "/metrics/cadvisor",
                "scheme": "https",
                "authorization": {"credentials_file": "/token"},
                "tls_config": {"ca_file": "/ca"},
            },
            id="cadvisor",
        ),
    ],
)
def test_each_job_speaks_as_its_targets_want(
    name: str, settings: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert job(name, **settings) == expected


def test_alertmanager_is_told_with_the_password() -> None:
    assert config(alertmanager="192.0.2.1:9093")["alerting"] == {
        "alertmanagers": [
            {"basic_auth": SERVER, "static_configs": [{"targets": ["192.0.2.1:9093"]}]}
        ]
    }


def test_samples_are_sent_on_where_that_is_asked_for() -> None:
    entry = {"url": "https://vm", "user": "u", "password_file": "/p", "ca_file": "/ca"}
    assert config(remote_write=[entry])["remote_write"] == [
        {
            "url": "https://vm/insert/0/prometheus/api/v1/write",
            "basic_auth": {"username": "u", "password_file": "/p"},
            "tls_config": {"ca_file": "/ca"},
            "queue_config": {"retry_on_http_429": True},
        }
    ]
    assert "remote_write" not in config()


def test_the_owners_jobs_come_last() -> None:
    own = {"job_name": "own", "static_configs": [{"targets": ["192.0.2.9:1"]}]}
    assert config(extra_scrape_configs=[own])["scrape_configs"][-1] == own


def test_a_job_of_the_owner_with_a_taken_name_is_refused() -> None:
    with pytest.raises(PrometheusConfigError, match="job_name node is there twice"):
        config(extra_scrape_configs=[{"job_name": "node"}])


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(PrometheusConfigError, match="colour: no such setting"):
        config(colour="red")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(
            "http://vm:8480", "http://vm:8480/insert/0/prometheus/api/v1/write", id="bare"
        ),
        pytest.param(
            "https://vm/", "https://vm/insert/0/prometheus/api/v1/write", id="with-a-slash"
        ),
        pytest.param(
            "http://vm:8480/insert/7/prometheus/api/v1/write",
            "http://vm:8480/insert/7/prometheus/api/v1/write",
            id="own-tenant",
        ),
        pytest.param("http://p/api/v1/write?x=1", "http://p/api/v1/write?x=1", id="prometheus"),
    ],
)
def test_an_address_without_a_path_gets_that_of_vminsert(url: str, expected: str) -> None:
    assert write_url(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("http://vm", "http://vm:8480/insert/0/prometheus/api/v1/write", id="bare"),
        pytest.param(
            "http://vm:1", "http://vm:1/insert/0/prometheus/api/v1/write", id="with-a-port"
        ),
        pytest.param("https://vm/api/v1/write", "https://vm/api/v1/write", id="with-a-path"),
    ],
)
def test_a_bare_address_gets_the_port_of_vminsert(url: str, expected: str) -> None:
    assert write_url(url, 8480) == expected


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("vm:8480", "expected a URL such as", id="no-scheme"),
        pytest.param("ftp://vm", "expected a URL such as", id="other-scheme"),
        pytest.param("http://vm:99999", "is not a URL", id="port"),
        pytest.param("http://u:secret@vm", "monitoring_remote_write_password_file", id="password"),
    ],
)
def test_what_is_no_address_is_refused_without_its_password(url: str, message: str) -> None:
    with pytest.raises(PrometheusConfigError, match=message) as caught:
        write_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param({"basic_auth": {"username": "u", "password": "word"}}, id="password"),
        pytest.param({"authorization": {"credentials": "word"}}, id="token"),
        pytest.param({"http_sd_configs": [{"bearer_token": "word"}]}, id="within-a-list"),
    ],
)
def test_a_secret_in_a_job_of_the_owners_is_refused_and_not_repeated(extra: dict[str, Any]) -> None:
    with pytest.raises(PrometheusConfigError, match="_file with a file") as refused:
        config(extra_scrape_configs=[{"job_name": "own", **extra}])
    assert "word'" not in str(refused.value)
