"""Claims about the inputs of role monitoring."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.monitoring_inputs import (
    input_problems,
    paths_of,
)

FINE: dict[str, Any] = {
    "os_family": "Debian",
    "source": "distribution",
    "node_address": "192.0.2.1",
    "server_port": 9090,
    "alertmanager_port": 9093,
    "user": "admin",
    "retention_days": 15,
    "storage_dir": "/var/lib/rackforge-monitoring",
    "scrape_interval_seconds": 15,
    "verify_seconds": 120,
}


def problems(**more: Any) -> list[str]:
    """Return what is wrong where these inputs differ from fine ones."""
    return input_problems({**FINE, **more}, {}, None)


def test_fine_inputs_have_no_problem() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        pytest.param(
            {"retention_days": 0}, "monitoring_retention_days: saw 0, expected 1 or more", id="days"
        ),
        pytest.param(
            {"scrape_interval_seconds": 0},
            "monitoring_scrape_interval_seconds: saw 0, expected 1 or more",
            id="interval",
        ),
        pytest.param(
            {"server_port": 0}, "monitoring_server_port: saw 0, expected 1 to 65535", id="port"
        ),
        pytest.param(
            {"alertmanager_port": 9090},
            "monitoring_alertmanager_port: saw 9090, expected another than monitoring_server_port",
            id="same-port",
        ),
        pytest.param(
            {"retention_size": "50 gig"},
            "monitoring_retention_size: saw '50 gig', expected a number and MB, GB, TB or PB, such "
            "as 50GB",
            id="size",
        ),
        pytest.param(
            {"node_address": ""},
            "monitoring_node_address: saw nothing, expected the node's address on the cluster "
            "network",
            id="address",
        ),
        pytest.param(
            {"user": "a:b"},
            "monitoring_user: saw 'a:b', expected letters, digits and . _ - only",
            id="user",
        ),
        pytest.param(
            {"external_url": "http://u:p@x"},
            "monitoring_external_url: saw 'http://u:p@x', expected http:// or https:// and a host, "
            "without a user",
            id="external-url",
        ),
        pytest.param(
            {"external_labels": {"a-b": "x"}},
            "monitoring_external_labels has the name 'a-b', expected letters, digits and _, no "
            "digit first",
            id="label-name",
        ),
        pytest.param(
            {"external_labels": {"a": 1}},
            "monitoring_external_labels has a: 1, expected a text (write it in quotes)",
            id="label-value",
        ),
        pytest.param(
            {"certificate_file": "/c"},
            "monitoring_key_file: saw nothing beside monitoring_certificate_file, expected both or "
            "none",
            id="no-key",
        ),
        pytest.param(
            {"remote_write_url": "http://vm", "remote_write_password_file": "/p"},
            "monitoring_remote_write_user: saw nothing beside "
            "monitoring_remote_write_password_file, expected both or none",
            id="no-user",
        ),
        pytest.param(
            {"remote_write_url": "http://vm", "remote_write_ca_file": "/ca"},
            "monitoring_remote_write_ca_file: saw it with an address of http, which has no "
            "certificate; expected https:// in monitoring_remote_write_url",
            id="ca-of-http",
        ),
        pytest.param(
            {"os_family": "RedHat"},
            "monitoring_source: saw distribution, but a system like this (RedHat) has no such "
            "packages of its own; set monitoring_source=archive and monitoring_archives",
            id="no-packages",
        ),
        pytest.param(
            {"extra_rules_files": ["/a/x.yml", "/b/x.yml"]},
            "monitoring_extra_rules_files: saw several named x.yml, expected a name of its own for "
            "each",
            id="rules-of-one-name",
        ),
    ],
)
def test_a_wrong_input_is_named_with_what_was_seen_and_expected(
    inputs: dict[str, Any], expected: str
) -> None:
    assert problems(**inputs) == [expected]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("data/monitoring", id="relative"),
        pytest.param("/data", id="one-level"),
        pytest.param("/data/../etc", id="upwards"),
        pytest.param("/data/my samples", id="space"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_storage_directory_that_cannot_be_one_is_refused(path: str) -> None:
    assert problems(storage_dir=path)[0].startswith(
        f"monitoring_storage_dir: saw '{path}', expected an absolute path of at least two levels"
    )


def test_every_problem_is_told_at_once() -> None:
    assert len(problems(retention_days=0, storage_dir="x", remote_write_url="vm:1")) == 3


def test_an_archive_needs_a_source_and_a_digest() -> None:
    release = {"name": "prometheus", "programs": ["x"], "input": "monitoring_archives.prometheus"}
    assert problems(source="archive", os_family="RedHat", releases=[release]) == [
        "monitoring_archives.prometheus has no source, expected the path of a .tar.gz on the "
        "control node or a URL"
    ]


def test_a_file_that_cannot_be_read_is_named() -> None:
    inputs = {**FINE, "k3s_ca_file": "/none", "extra_rules_files": ["/no.yml"]}
    assert paths_of(inputs) == ["/none", "/no.yml"]
    reasons = {"/none": "No such file or directory", "/no.yml": "an empty file"}
    assert input_problems(inputs, reasons, None) == [
        "monitoring_k3s_ca_file: /none: saw 'No such file or directory', expected a file on the "
        "control node",
        "monitoring_extra_rules_files: /no.yml: saw 'an empty file', expected a file on the "
        "control node",
    ]


def test_a_certificate_that_cannot_be_used_is_told() -> None:
    assert input_problems(FINE, {}, "its key is another's") == [
        "monitoring_certificate_file: its key is another's"
    ]
