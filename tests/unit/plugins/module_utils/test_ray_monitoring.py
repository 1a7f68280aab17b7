"""Claims about what Ray's dashboard is told of Prometheus and Grafana."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_command import (
    RayCommandError,
    unit,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_monitoring import (
    RayMonitoringError,
    monitoring_environment,
)

PROMETHEUS = "http://198.18.0.10:9090"
GRAFANA = "http://198.18.0.10:3000"


def told(kind: str = "head", **monitoring: Any) -> dict[str, str]:
    """Return the environment for these inputs."""
    return monitoring_environment({"kind": kind, "monitoring": monitoring})


@pytest.mark.parametrize(
    ("monitoring", "environment"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param(
            {"prometheus_url": None, "prometheus_name": "Prometheus", "grafana_url": None},
            {},
            id="defaults",
        ),
        pytest.param(
            {"prometheus_url": PROMETHEUS + "/", "prometheus_name": "Prometheus"},
            {
                "RAY_PROMETHEUS_HOST": PROMETHEUS,
                "RAY_PROMETHEUS_NAME": "Prometheus",
                "RAY_GRAFANA_HOST": "DISABLED",
            },
            id="prometheus-without-grafana",
        ),
        pytest.param(
            {
                "prometheus_url": "https://monitoring.example/prometheus",
                "prometheus_name": "rackforge",
                "grafana_url": GRAFANA,
                "grafana_iframe_url": "https://grafana.example",
            },
            {
                "RAY_PROMETHEUS_HOST": "https://monitoring.example/prometheus",
                "RAY_PROMETHEUS_NAME": "rackforge",
                "RAY_GRAFANA_HOST": GRAFANA,
                "RAY_GRAFANA_IFRAME_HOST": "https://grafana.example",
            },
            id="everything",
        ),
    ],
)
def test_a_head_is_told_what_is_set(
    monitoring: dict[str, Any], environment: dict[str, str]
) -> None:
    assert told(**monitoring) == environment


def test_a_worker_is_told_nothing() -> None:
    assert told("worker", prometheus_url=PROMETHEUS, grafana_url=GRAFANA) == {}


@pytest.mark.parametrize(
    ("monitoring", "words"),
    [
        pytest.param(
            {"prometheus_url": "http://ray:word@198.18.0.10:9090"},
            "ray_prometheus_url has a user or a password in it",
            id="password-in-the-address",
        ),
        pytest.param(
            {"prometheus_url": "198.18.0.10:9090"},
            "ray_prometheus_url: saw '198.18.0.10:9090', expected an address such as http://",
            id="no-scheme",
        ),
        pytest.param(
            {"prometheus_url": PROMETHEUS, "grafana_url": "http://a b"},
            "ray_grafana_url: saw 'http://a b'",
            id="space",
        ),
        pytest.param(
            {"prometheus_url": PROMETHEUS, "prometheus_user": "ray"},
            "ray_prometheus_password_file is not; set it to the file",
            id="user-without-password",
        ),
        pytest.param(
            {"prometheus_url": PROMETHEUS, "prometheus_password_file": "secrets/p"},
            "ray_prometheus_user: saw ''",
            id="password-without-user",
        ),
        pytest.param(
            {"prometheus_user": "ray", "prometheus_password_file": "secrets/p"},
            "ray_prometheus_url is not; set it to Prometheus' address",
            id="login-without-address",
        ),
        pytest.param(
            {
                "prometheus_url": PROMETHEUS,
                "prometheus_user": "a:b",
                "prometheus_password_file": "secrets/p",
            },
            "ray_prometheus_user: saw 'a:b'",
            id="colon-in-the-user",
        ),
        pytest.param(
            {"grafana_iframe_url": GRAFANA},
            "ray_grafana_iframe_url is set, but ray_grafana_url is not",
            id="browsers-only",
        ),
    ],
)
def test_what_would_find_nothing_is_refused(monitoring: dict[str, Any], words: str) -> None:
    with pytest.raises(RayMonitoringError) as caught:
        told(**monitoring)
    assert words in str(caught.value)
    assert "word@" not in str(caught.value)


HEAD: dict[str, Any] = {"kind": "head", "version": "2.60.0", "node_address": "198.18.1.10"}


def test_the_unit_carries_it_and_the_owners_environment_wins() -> None:
    monitoring = {"prometheus_url": PROMETHEUS, "grafana_url": GRAFANA}
    settings = {**HEAD, "monitoring": monitoring, "environment": {"RAY_GRAFANA_HOST": "http://own"}}
    assert unit(settings)["environment"] == [
        "AUTOSCALER_METRIC_PORT=44217",
        "DASHBOARD_METRIC_PORT=44227",
        "RAY_GRAFANA_HOST=http://own",
        f"RAY_PROMETHEUS_HOST={PROMETHEUS}",
    ]


def test_a_wrong_input_is_an_error_of_the_unit() -> None:
    with pytest.raises(RayCommandError, match="expected an address such as"):
        unit({**HEAD, "monitoring": {"prometheus_url": "nothing"}})
