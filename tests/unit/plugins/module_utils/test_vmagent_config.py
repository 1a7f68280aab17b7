# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What vmagent reads of a Prometheus configuration."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.vmagent_config import (
    vmagent_config,
)

JOB = {"job_name": "node", "file_sd_configs": [{"files": ["/t/*.json"]}]}


@pytest.mark.parametrize(
    "section",
    [
        pytest.param({"rule_files": ["rules/*.yml"]}, id="rules"),
        pytest.param({"alerting": {"alertmanagers": []}}, id="receivers"),
        pytest.param({"remote_write": [{"url": "http://x/"}]}, id="remote-write"),
        pytest.param({"storage": {"tsdb": {}}}, id="storage"),
    ],
)
def test_what_vmagent_does_not_do_is_left_out(section: dict[str, Any]) -> None:
    assert vmagent_config({"scrape_configs": [JOB], **section}) == {"scrape_configs": [JOB]}


def test_scraping_keeps_its_times_and_labels() -> None:
    given = {"scrape_interval": "15s", "external_labels": {"cluster": "a"}}
    whole = {"global": {**given, "evaluation_interval": "15s"}}
    assert vmagent_config(whole) == {"global": given}


def test_target_files_keep_their_places_only() -> None:
    job = {"job_name": "node", "file_sd_configs": [{"files": ["/t"], "refresh_interval": "10s"}]}
    assert vmagent_config({"scrape_configs": [job]}) == {
        "scrape_configs": [{"job_name": "node", "file_sd_configs": [{"files": ["/t"]}]}]
    }


def test_what_listens_on_loopback_is_asked_without_tls() -> None:
    access = {"scheme": "https", "tls_config": {"ca_file": "/c"}, "basic_auth": {"username": "a"}}
    jobs = [{"job_name": name, **access} for name in ("vmagent", "victoriametrics")]
    assert vmagent_config({"scrape_configs": jobs})["scrape_configs"] == [
        {"job_name": "vmagent", "basic_auth": {"username": "a"}},
        {"job_name": "victoriametrics", **access},
    ]


def test_a_limit_that_vmagent_does_not_know_stays_so_that_vmagent_refuses_it() -> None:
    job = {"job_name": "own", "static_configs": [], "label_limit": 3}
    assert vmagent_config({"scrape_configs": [job]}) == {"scrape_configs": [job]}


def test_the_configuration_given_is_not_changed() -> None:
    job = {"job_name": "node", "file_sd_configs": [{"files": ["/t"], "refresh_interval": "10s"}]}
    vmagent_config({"scrape_configs": [job]})
    assert job["file_sd_configs"] == [{"files": ["/t"], "refresh_interval": "10s"}]
