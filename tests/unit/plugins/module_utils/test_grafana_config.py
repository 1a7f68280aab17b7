# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about Grafana's settings and its repository."""

from __future__ import annotations

import configparser
import json
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.grafana_config import (
    grafana_files,
    grafana_repository,
    settings_from,
)

GIVEN = {
    "address": "198.18.0.11",
    "port": "3000",
    "config_dir": "/etc/m",
    "data_dir": "/var/lib/m/grafana",
    "share_dir": "/usr/share/m",
    "user": "admin",
    "password_file": "/etc/m/secrets/server_password",
    "secret_key_file": "/etc/m/secrets/grafana_secret_key",
    "server_url": "http://198.18.0.11:9090",
    "interval_seconds": 15,
    "certificate_file": "",
    "key_file": None,
    "certificate_name": None,
}
TLS = {
    **GIVEN,
    "server_url": "https://198.18.0.11:9090",
    "certificate_file": "/etc/m/secrets/server.crt",
    "key_file": "/etc/m/secrets/server.key",
    "certificate_name": "gpu.example.com",
}


def ini(given: dict[str, Any]) -> configparser.RawConfigParser:
    """Return grafana.ini as a program reads it."""
    parser = configparser.RawConfigParser()
    parser.read_string(grafana_files(settings_from(given))["grafana.ini"])
    return parser


def provisioned(given: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the only entry of a provisioning file."""
    text = grafana_files(settings_from(given))[f"grafana/{kind}/rackforge.yaml"]
    assert text.startswith("# Managed by rackforge.gpu_cluster\n")
    document = json.loads(text.partition("\n")[2])
    (entry,) = document["datasources" if kind == "datasources" else "providers"]
    assert isinstance(entry, dict)
    return entry


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("server", "protocol", "http"),
        ("server", "http_addr", "198.18.0.11"),
        ("server", "http_port", "3000"),
        ("security", "admin_user", "admin"),
        ("security", "admin_password", "$__file{/etc/m/secrets/server_password}"),
        ("security", "secret_key", "$__file{/etc/m/secrets/grafana_secret_key}"),
        ("security", "cookie_secure", "false"),
        ("auth.anonymous", "enabled", "false"),
        ("users", "allow_sign_up", "false"),
        ("analytics", "reporting_enabled", "false"),
        ("analytics", "check_for_updates", "false"),
        ("plugins", "preinstall_disabled", "true"),
        ("snapshots", "external_enabled", "false"),
        ("paths", "provisioning", "/etc/m/grafana"),
        ("paths", "data", "/var/lib/m/grafana"),
    ],
    ids=lambda value: value,
)
def test_it_is_closed_and_silent(section: str, key: str, value: str) -> None:
    assert ini(GIVEN)[section][key] == value


def test_with_a_certificate_it_speaks_tls_and_keeps_its_cookies_to_it() -> None:
    found = ini(TLS)
    assert found["server"]["protocol"] == "https"
    assert found["server"]["cert_file"] == "/etc/m/secrets/server.crt"
    assert found["server"]["cert_key"] == "/etc/m/secrets/server.key"
    assert found["server"]["root_url"] == "https://198.18.0.11:3000/"
    assert found["security"]["cookie_secure"] == "true"


def test_an_ipv6_address_is_bracketed_where_a_browser_reads_it() -> None:
    found = ini({**GIVEN, "address": "fd00::1"})["server"]
    assert (found["http_addr"], found["root_url"]) == ("fd00::1", "http://[fd00::1]:3000/")


def test_the_data_source_knows_its_password_from_a_file() -> None:
    source = provisioned(GIVEN, "datasources")
    assert (source["uid"], source["type"], source["url"]) == (
        "rackforge",
        "prometheus",
        "http://198.18.0.11:9090",
    )
    assert source["secureJsonData"] == {
        "basicAuthPassword": "$__file{/etc/m/secrets/server_password}"
    }
    assert source["jsonData"] == {"httpMethod": "POST", "timeInterval": "15s"}
    assert (source["isDefault"], source["editable"], source["basicAuthUser"]) == (
        True,
        False,
        "admin",
    )


def test_the_data_source_trusts_the_servers_own_certificate() -> None:
    source = provisioned(TLS, "datasources")
    assert source["jsonData"]["tlsAuthWithCACert"] is True
    assert source["jsonData"]["serverName"] == "gpu.example.com"
    assert source["secureJsonData"]["tlsCACert"] == "$__file{/etc/m/secrets/server.crt}"


def test_dashboards_come_from_the_shared_folder_and_are_not_changed_in_the_browser() -> None:
    provider = provisioned(GIVEN, "dashboards")
    assert provider["options"] == {"path": "/usr/share/m/dashboards"}
    assert (provider["allowUiUpdates"], provider["disableDeletion"]) == (False, True)


def test_a_setting_that_is_unknown_is_refused() -> None:
    with pytest.raises(TypeError, match="colour"):
        settings_from({**GIVEN, "colour": "blue"})


def test_apt_is_told_of_the_repository_and_its_key() -> None:
    assert grafana_repository("Debian", None) == {
        "key_url": "https://apt.grafana.com/gpg.key",
        "key_file": "/etc/apt/keyrings/grafana.asc",
        "path": "/etc/apt/sources.list.d/rackforge-grafana.sources",
        "text": "# Managed by rackforge.gpu_cluster\nTypes: deb\nURIs: https://apt.grafana.com\n"
        "Suites: stable\nComponents: main\nSigned-By: /etc/apt/keyrings/grafana.asc\n",
    }


def test_dnf_is_told_of_a_mirror() -> None:
    found = grafana_repository("RedHat", "https://mirror.example/grafana/")
    assert found["key_url"] == "https://mirror.example/grafana/gpg.key"
    assert found["path"] == "/etc/yum.repos.d/rackforge-grafana.repo"
    assert "baseurl=https://mirror.example/grafana\n" in found["text"]
    assert "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-grafana\n" in found["text"]
