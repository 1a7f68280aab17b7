"""Where the servers of the monitoring host are."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.filter.monitoring_urls import FilterModule

FILTER = FilterModule().filters()["monitoring_urls"]
FACTS = {"gpu_cluster": {"node_address": "198.18.1.13"}}
NONE = dict.fromkeys(("server", "prometheus", "panels", "alertmanager", "grafana"))


def urls(**own: Any) -> dict[str, str | None]:
    found: dict[str, str | None] = FILTER(
        {"m": {"ansible_facts": FACTS, **own}}, {"monitoring": ["m"]}
    )
    return found


def test_prometheus_serves_the_panels() -> None:
    assert urls() == {
        "server": "http://198.18.1.13:9090",
        "prometheus": "http://198.18.1.13:9090",
        "panels": "http://198.18.1.13:9090/user/",
        "alertmanager": "http://198.18.1.13:9093",
        "grafana": None,
    }


def test_a_certificate_and_another_port_count() -> None:
    moved = urls(monitoring_certificate_file="mon.crt", monitoring_server_port=9999)
    assert moved["panels"] == "https://198.18.1.13:9999/user/"


def test_grafana_counts_where_it_is_chosen() -> None:
    assert urls(monitoring_grafana="archive")["grafana"] == "http://198.18.1.13:3000"


def test_victoriametrics_is_no_prometheus() -> None:
    found = urls(monitoring_server="victoriametrics")
    assert (found["prometheus"], found["panels"]) == (None, "http://198.18.1.13:9090")


def test_the_panels_of_victoriametrics_are_grafanas() -> None:
    found = urls(monitoring_server="victoriametrics", monitoring_grafana="archive")
    assert found["panels"] == "http://198.18.1.13:3000"


def test_a_server_of_the_owners_is_where_the_owner_says() -> None:
    found = urls(monitoring_source="existing", monitoring_external_url="https://prom.example/")
    assert (found["server"], found["prometheus"]) == ("https://prom.example", None)


def test_without_a_monitoring_host_there_is_nothing() -> None:
    assert FILTER({}, {}) == NONE


def test_a_host_that_was_not_asked_has_no_address_yet() -> None:
    assert FILTER({"m": {"ansible_facts": {}}}, {"monitoring": ["m"]}) == NONE


def test_a_wrong_port_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match="monitoring_server_port: saw 'x'"):
        urls(monitoring_server_port="x")
