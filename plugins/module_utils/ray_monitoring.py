# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where Ray's dashboard finds Prometheus and Grafana, as environment of the head.

The variables are those of Ray 2.60 (``dashboard/modules/metrics/metrics_head.py`` in its wheel).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: With this word in place of Grafana's address the dashboard leaves out its page of charts.
NO_GRAFANA = "DISABLED"


class RayMonitoringError(ValueError):
    """Inputs with which the dashboard would find nothing, or a secret would be seen."""


def monitoring_environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment that tells a head's dashboard; nothing for what is not set.

    The header with the password is no part of it: that lies in a file of its own.
    """
    if settings.get("kind") != "head":
        return {}
    given = settings.get("monitoring") or {}
    prometheus = _address("ray_prometheus_url", given.get("prometheus_url"))
    grafana = _address("ray_grafana_url", given.get("grafana_url"))
    browsers = _address("ray_grafana_iframe_url", given.get("grafana_iframe_url"))
    _check_login(given, prometheus)
    if browsers and not grafana:
        raise RayMonitoringError(
            "ray_grafana_iframe_url is set, but ray_grafana_url is not; the head asks there "
            "whether Grafana runs before it shows a chart, so set both"
        )
    found = {
        "RAY_PROMETHEUS_HOST": prometheus,
        "RAY_PROMETHEUS_NAME": str(given.get("prometheus_name") or "") if prometheus else "",
        "RAY_GRAFANA_HOST": grafana or (NO_GRAFANA if prometheus else ""),
        "RAY_GRAFANA_IFRAME_HOST": browsers,
    }
    return {name: value for name, value in found.items() if value}


def _address(name: str, value: Any) -> str:
    """Return an address as Ray takes it: it appends a path with a slash of its own."""
    text = str(value or "").strip()
    if not text:
        return ""
    if re.match(r"https?://[^/]*@", text):
        raise RayMonitoringError(
            f"{name} has a user or a password in it, and the unit file that it would stand in is "
            "for everybody to read; use ray_prometheus_user and ray_prometheus_password_file"
        )
    if not re.fullmatch(r"https?://[^\s/?#\"'\\]+(/[^\s?#\"'\\]*)?", text):
        raise RayMonitoringError(
            f"{name}: saw '{text}', expected an address such as http://198.18.0.10 with a port"
        )
    return text.rstrip("/")


def _check_login(given: Mapping[str, Any], prometheus: str) -> None:
    user = str(given.get("prometheus_user") or "")
    has_password = bool(given.get("prometheus_password_file"))
    if not user and not has_password:
        return
    if not prometheus:
        raise RayMonitoringError(
            "ray_prometheus_user or ray_prometheus_password_file is set, but ray_prometheus_url is "
            "not; set it to Prometheus' address, such as http://198.18.0.10 with a port"
        )
    if not has_password:
        raise RayMonitoringError(
            "ray_prometheus_user is set, but ray_prometheus_password_file is not; set it to the "
            "file on the control node that holds the user's password"
        )
    if not user or not re.fullmatch(r"[^:\s\"\\]+", user):
        raise RayMonitoringError(
            f"ray_prometheus_user: saw '{user}', expected a name without spaces, colons, quotes "
            "and backslashes"
        )
