"""Claims about filter monitoring_victoriametrics as a template calls it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.filter.monitoring_victoriametrics import (
    monitoring_victoriametrics,
)

VICTORIA: dict[str, Any] = {
    "address": "10.0.0.5",
    "port": 9090,
    "agent_port": 8429,
    "alerter_port": 8880,
    "user": "admin",
    "password_file": "/s/server_password",
    "storage_dir": "/d",
    "retention_days": 15,
    "interval_seconds": 15,
    "external_url": "http://10.0.0.5:9090",
    "agent_config": "/c/vmagent.yml",
    "buffer_size": "10GB",
}
PROMETHEUS: dict[str, Any] = {"cluster": "a", "interval_seconds": 15, "user": "admin"}


def test_vmagent_scrapes_the_jobs_of_prometheus() -> None:
    config = yaml.safe_load(monitoring_victoriametrics(VICTORIA, PROMETHEUS)["config"])
    assert sorted(config) == ["global", "scrape_configs"]
    assert config["scrape_configs"][0]["job_name"] == "node"


def test_a_receiver_without_a_path_gets_that_of_vminsert() -> None:
    receiver = {"url": "http://10.0.0.9:8480", "user": None, "password_file": "/s/x"}
    words = monitoring_victoriametrics(VICTORIA, {**PROMETHEUS, "remote_write": [receiver]})
    assert (
        "-remoteWrite.url=http://10.0.0.9:8480/insert/0/prometheus/api/v1/write"
        in (words["vmagent"])
    )


def test_rules_and_labels_are_those_of_prometheus() -> None:
    given = {**PROMETHEUS, "rule_files": ["/r/alerts.yml"]}
    words = monitoring_victoriametrics(VICTORIA, given)["vmalert"]
    assert "-rule=/r/alerts.yml" in words
    assert "-external.label=cluster=a" in words


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        pytest.param({"buffer_size": "much"}, "monitoring_remote_write_buffer_size", id="size"),
        pytest.param({"storage_dir": "/my data"}, "has a blank", id="blank-in-a-path"),
    ],
)
def test_a_setting_that_the_programs_would_not_take_is_refused(
    setting: dict[str, Any], message: str
) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        monitoring_victoriametrics({**VICTORIA, **setting}, PROMETHEUS)
