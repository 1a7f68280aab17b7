"""Claims about the filter that says where a service listens."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.filter.catalogue_port import catalogue_port


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param({}, 80, id="catalogue"),
        pytest.param({"http_port": "9000"}, 9000, id="convecthubs-name"),
        pytest.param({"http_port": 9000, "k3s_http_port": 8000}, 8000, id="own-name-counts-more"),
    ],
)
def test_a_port_is_where_the_host_has_it(variables: dict[str, Any], expected: int) -> None:
    assert catalogue_port(variables, "k3s-http") == expected


@pytest.mark.parametrize(
    ("variables", "service", "told"),
    [
        pytest.param({"http_port": "web"}, "k3s-http", "http_port: saw 'web'", id="no-port"),
        pytest.param({}, "k3s-web", "saw the service 'k3s-web'", id="no-such-row"),
    ],
)
def test_what_is_no_port_is_named(variables: dict[str, Any], service: str, told: str) -> None:
    with pytest.raises(AnsibleFilterError, match=told):
        catalogue_port(variables, service)
