# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command lines of VictoriaMetrics, vmagent and vmalert."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.victoriametrics import (
    Settings,
    VictoriaError,
    agent_flags,
    alerter_flags,
    server_flags,
    unit_word,
)

PLAIN = Settings(
    address="10.0.0.5",
    port=9090,
    agent_port=8429,
    alerter_port=8880,
    user="admin",
    password_file="/s/server_password",
    storage_dir="/d",
    retention_days=15,
    interval_seconds=15,
    external_url="http://10.0.0.5:9090",
    agent_config="/c/vmagent.yml",
    buffer_size="10GB",
    rule_files=("/c/rules/alerts.yml", "/c/rules/own-a.yml"),
    alertmanager="10.0.0.5:9093",
    labels={"cluster": "a"},
)
SECURE = replace(PLAIN, certificate_file="/c/server.crt", key_file="/s/server.key", server_name="m")
OUTSIDE = {
    "url": "http://10.0.0.9:8480/insert/0/prometheus/api/v1/write",
    "basic_auth": {"username": "writer", "password_file": "/s/remote_write_password"},
}


def values(flags: list[str], name: str) -> list[str]:
    """Return the values of a flag in their order."""
    return [flag.split("=", 1)[1] for flag in flags if flag.startswith(f"-{name}=")]


def test_the_server_is_bound_to_the_node_address_and_closed() -> None:
    assert server_flags(PLAIN)[:3] == [
        "-httpListenAddr=10.0.0.5:9090",
        "-httpAuth.username=admin",
        "-httpAuth.password=file:///s/server_password",
    ]


def test_the_server_keeps_samples_for_the_days_asked() -> None:
    assert values(server_flags(PLAIN), "retentionPeriod") == ["15d"]


def test_the_server_speaks_https_with_a_certificate() -> None:
    assert server_flags(SECURE)[-3:] == [
        "-tls",
        "-tlsCertFile=/c/server.crt",
        "-tlsKeyFile=/s/server.key",
    ]


@pytest.mark.parametrize(
    ("flags", "address"),
    [
        pytest.param(agent_flags(SECURE), "127.0.0.1:8429", id="vmagent"),
        pytest.param(alerter_flags(SECURE), "127.0.0.1:8880", id="vmalert"),
    ],
)
def test_the_helpers_listen_on_loopback_and_ask_for_the_password(
    flags: list[str], address: str
) -> None:
    assert values(flags, "httpListenAddr") == [address]
    assert values(flags, "httpAuth.password") == ["file:///s/server_password"]


def test_samples_go_to_the_server_only_without_an_outside_receiver() -> None:
    assert values(agent_flags(PLAIN), "remoteWrite.url") == ["http://10.0.0.5:9090/api/v1/write"]


def test_an_outside_receiver_gets_its_own_user_and_password() -> None:
    flags = agent_flags(replace(PLAIN, remote_write=OUTSIDE))
    assert values(flags, "remoteWrite.url")[1] == OUTSIDE["url"]
    assert values(flags, "remoteWrite.basicAuth.username") == ["admin", "writer"]
    assert values(flags, "remoteWrite.basicAuth.passwordFile") == [
        "/s/server_password",
        "/s/remote_write_password",
    ]


def test_an_outside_receiver_without_a_password_is_not_shown_ours() -> None:
    flags = agent_flags(replace(SECURE, remote_write={"url": "http://10.0.0.9:8480/x"}))
    assert values(flags, "remoteWrite.basicAuth.passwordFile") == ["/s/server_password", ""]
    assert values(flags, "remoteWrite.tlsServerName") == ["m", ""]


def test_an_outside_receiver_is_checked_with_its_own_certificates() -> None:
    entry = {"url": "https://m.example/x", "tls_config": {"ca_file": "/s/remote_write_ca.crt"}}
    flags = agent_flags(replace(SECURE, remote_write=entry))
    assert values(flags, "remoteWrite.tlsCAFile") == ["/c/server.crt", "/s/remote_write_ca.crt"]


def test_what_a_receiver_does_not_take_waits_on_disk_within_bounds() -> None:
    flags = agent_flags(PLAIN)
    assert values(flags, "remoteWrite.tmpDataPath") == ["/d/vmagent"]
    assert values(flags, "remoteWrite.maxDiskUsagePerURL") == ["10GB"]


@pytest.mark.parametrize("size", ["10 GB", "much", "10G", ""])
def test_a_size_that_vmagent_would_not_take_is_refused(size: str) -> None:
    with pytest.raises(VictoriaError, match="monitoring_remote_write_buffer_size"):
        agent_flags(replace(PLAIN, buffer_size=size))


def test_alerts_go_to_alertmanager_and_through_vmagent_to_every_receiver() -> None:
    flags = alerter_flags(SECURE)
    assert values(flags, "notifier.url") == ["https://10.0.0.5:9093"]
    assert values(flags, "remoteWrite.url") == ["http://127.0.0.1:8429"]
    assert values(flags, "remoteWrite.tlsCAFile") == []
    assert values(flags, "datasource.tlsCAFile") == ["/c/server.crt"]


def test_alerts_carry_the_labels_of_the_cluster() -> None:
    assert values(alerter_flags(PLAIN), "external.label") == ["cluster=a"]


def test_every_file_of_rules_is_read() -> None:
    assert values(alerter_flags(PLAIN), "rule") == ["/c/rules/alerts.yml", "/c/rules/own-a.yml"]


def test_without_alertmanager_nobody_is_told() -> None:
    assert alerter_flags(replace(PLAIN, alertmanager=""))[-1] == "-notifier.blackhole"


@pytest.mark.parametrize("flags", [server_flags, agent_flags, alerter_flags])
def test_no_command_line_holds_a_password(flags: object) -> None:
    assert callable(flags)
    words = flags(replace(SECURE, remote_write=OUTSIDE))
    named = [word.split("=", 1)[1] for word in words if "assword" in word]
    assert all(text.removeprefix("file://").startswith("/s/") for text in named)
    assert named


def test_a_word_of_a_unit_keeps_its_percent_and_dollar_signs() -> None:
    assert unit_word("-url=http://h/a%20b$c") == "-url=http://h/a%%20b$$c"


@pytest.mark.parametrize("word", ["a b", 'a"b', "a'b", "a\\b", "a;b", "a\nb"])
def test_a_word_that_systemd_would_take_apart_is_refused(word: str) -> None:
    with pytest.raises(VictoriaError, match="has a blank"):
        unit_word(word)
