"""Claims about the filters of role monitoring."""

from __future__ import annotations

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.filter.monitoring_files import (
    FilterModule as Files,
)
from ansible_collections.rackforge.gpu_cluster.plugins.filter.monitoring_input_problems import (
    FilterModule as Problems,
)
from ansible_collections.rackforge.gpu_cluster.plugins.filter.monitoring_prometheus_config import (
    FilterModule as Config,
)
from ansible_collections.rackforge.gpu_cluster.plugins.filter.monitoring_releases import (
    FilterModule as Releases,
)

config = Config().filters()["monitoring_prometheus_config"]


def test_the_configuration_is_yaml_that_says_who_manages_it() -> None:
    text = config({"cluster": "lab", "interval_seconds": 15, "user": "admin"})
    assert text.startswith("# Managed by rackforge.gpu_cluster\n")
    assert yaml.safe_load(text)["global"]["external_labels"] == {"cluster": "lab"}


def test_a_wrong_setting_is_an_error_of_the_template() -> None:
    with pytest.raises(AnsibleFilterError, match="colour: no such setting"):
        config({"colour": "red"})


def test_files_become_entries_in_the_order_of_their_names() -> None:
    entries = Files().filters()["monitoring_files"]
    pairs = [["/b/two.yml", "2\n"], ["/a/zero.yml", "0\n"]]
    assert entries(pairs, "/etc/x", "own-", {"mode": "0640"}) == [
        {"path": "/etc/x/own-two.yml", "content": "2\n", "mode": "0640"},
        {"path": "/etc/x/own-zero.yml", "content": "0\n", "mode": "0640"},
    ]


def test_archives_become_entries_and_missing_ones_are_named_by_their_input() -> None:
    releases = Releases().filters()["monitoring_releases"]
    given = {"prometheus": {"file": "/p.tar.gz", "checksum": "ab"}}
    programs = {"prometheus": ["promtool"], "alertmanager": ["amtool"]}
    found = releases(given, programs)
    assert [each["source"] for each in found] == ["/p.tar.gz", ""]
    assert found[1]["input"] == "monitoring_archives.alertmanager"


def test_wrong_inputs_are_sentences() -> None:
    problems = Problems().filters()["monitoring_input_problems"]
    assert len(problems({"retention_days": 0, "storage_dir": "data"})) == 4
