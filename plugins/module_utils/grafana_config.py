# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Grafana's settings: closed, without calls to its maker, with our data source and dashboards.

Provisioning files are JSON, which is YAML too. Passwords are named as files, which Grafana reads
itself ($__file).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

#: The data source's identifier, which dashboards may name.
UID = "rackforge"
APT_KEY = "/etc/apt/keyrings/grafana.asc"
RPM_KEY = "/etc/pki/rpm-gpg/RPM-GPG-KEY-grafana"
APT_URL, RPM_URL = "https://apt.grafana.com", "https://rpm.grafana.com"
_HEADER = "# Managed by rackforge.gpu_cluster\n"


@dataclass(frozen=True)
class Settings:
    """What the owner decides, and where the role puts things."""

    address: str
    port: int
    config_dir: str
    data_dir: str
    share_dir: str
    user: str
    password_file: str
    secret_key_file: str
    server_url: str
    interval_seconds: int
    certificate_file: Optional[str] = None
    key_file: Optional[str] = None
    certificate_name: Optional[str] = None

    @property
    def url(self) -> str:
        """Return where a browser finds it."""
        scheme = "https" if self.certificate_file else "http"
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{scheme}://{host}:{self.port}"


def settings_from(given: Mapping[str, Any]) -> Settings:
    """Return the settings of a mapping; numbers may be text, as templates give them."""
    values: dict[str, Any] = {name: value or None for name, value in given.items()}
    for name in ("port", "interval_seconds"):
        values[name] = int(str(given[name]))
    return Settings(**values)


def grafana_files(settings: Settings) -> dict[str, str]:
    """Return the text of each file, by its path below the folder of settings."""
    return {
        "grafana.ini": grafana_ini(settings),
        "grafana/datasources/rackforge.yaml": _yaml(_data_source(settings)),
        "grafana/dashboards/rackforge.yaml": _yaml(_dashboards(settings)),
    }


def grafana_ini(settings: Settings) -> str:
    """Return grafana.ini."""
    sections = _sections(settings)
    lines = [
        "\n".join([f"[{name}]", *(f"{key} = {value}" for key, value in entries.items())])
        for name, entries in sections.items()
    ]
    return _HEADER + "\n\n".join(lines) + "\n"


def _sections(settings: Settings) -> dict[str, dict[str, str]]:
    certificate = {}
    if settings.certificate_file:
        certificate = {
            "cert_file": settings.certificate_file,
            "cert_key": settings.key_file or "",
        }
    return {
        "server": {
            "protocol": "https" if certificate else "http",
            "http_addr": settings.address,
            "http_port": str(settings.port),
            "root_url": settings.url + "/",
            **certificate,
        },
        "paths": {
            "data": settings.data_dir,
            "logs": f"{settings.data_dir}/log",
            "plugins": f"{settings.data_dir}/plugins",
            "provisioning": f"{settings.config_dir}/grafana",
        },
        "security": {
            "admin_user": settings.user,
            "admin_password": f"$__file{{{settings.password_file}}}",
            "secret_key": f"$__file{{{settings.secret_key_file}}}",
            "cookie_secure": "true" if certificate else "false",
            "disable_gravatar": "true",
        },
        "users": {"allow_sign_up": "false", "allow_org_create": "false"},
        "auth.anonymous": {"enabled": "false"},
        "auth.basic": {"enabled": "true"},
        "metrics": {
            "basic_auth_username": settings.user,
            "basic_auth_password": f"$__file{{{settings.password_file}}}",
        },
        **_SILENT,
        "dashboards": {
            "default_home_dashboard_path": f"{settings.share_dir}/dashboards/cluster.json"
        },
        "log": {"mode": "console"},
    }


#: It asks nobody on the internet for anything, and hands nothing out.
_SILENT: dict[str, dict[str, str]] = {
    "analytics": {
        "reporting_enabled": "false",
        "check_for_updates": "false",
        "check_for_plugin_updates": "false",
    },
    "news": {"news_feed_enabled": "false"},
    "plugins": {"preinstall_disabled": "true", "public_key_retrieval_disabled": "true"},
    "snapshots": {"external_enabled": "false"},
}


def _data_source(settings: Settings) -> dict[str, Any]:
    source: dict[str, Any] = {
        "name": "rackforge",
        "uid": UID,
        "type": "prometheus",
        "access": "proxy",
        "url": settings.server_url,
        "isDefault": True,
        "editable": False,
        "basicAuth": True,
        "basicAuthUser": settings.user,
        "jsonData": {"httpMethod": "POST", "timeInterval": f"{settings.interval_seconds}s"},
        "secureJsonData": {"basicAuthPassword": f"$__file{{{settings.password_file}}}"},
    }
    if settings.certificate_file and settings.server_url.startswith("https:"):
        source["jsonData"]["tlsAuthWithCACert"] = True
        source["secureJsonData"]["tlsCACert"] = f"$__file{{{settings.certificate_file}}}"
        if settings.certificate_name:
            source["jsonData"]["serverName"] = settings.certificate_name
    return {"apiVersion": 1, "datasources": [source]}


def _dashboards(settings: Settings) -> dict[str, Any]:
    provider = {
        "name": "rackforge",
        "folder": "GPU cluster",
        "folderUid": "rackforge",
        "type": "file",
        "disableDeletion": True,
        "allowUiUpdates": False,
        "updateIntervalSeconds": 30,
        "options": {"path": f"{settings.share_dir}/dashboards"},
    }
    return {"apiVersion": 1, "providers": [provider]}


def _yaml(value: Any) -> str:
    return _HEADER + json.dumps(value, indent=2) + "\n"


def grafana_repository(family: str, url: Optional[str]) -> dict[str, str]:
    """Return the key's address and file, and the path and text of the repository's file."""
    if family == "RedHat":
        base = (url or RPM_URL).rstrip("/")
        text = (
            f"{_HEADER}[grafana]\nname=Grafana\nbaseurl={base}\nenabled=1\ngpgcheck=1\n"
            f"gpgkey=file://{RPM_KEY}\n"
        )
        return _repository(base, RPM_KEY, "/etc/yum.repos.d/rackforge-grafana.repo", text)
    base = (url or APT_URL).rstrip("/")
    text = (
        f"{_HEADER}Types: deb\nURIs: {base}\nSuites: stable\nComponents: main\n"
        f"Signed-By: {APT_KEY}\n"
    )
    return _repository(base, APT_KEY, "/etc/apt/sources.list.d/rackforge-grafana.sources", text)


def _repository(base: str, key_file: str, path: str, text: str) -> dict[str, str]:
    return {"key_url": f"{base}/gpg.key", "key_file": key_file, "path": path, "text": text}
