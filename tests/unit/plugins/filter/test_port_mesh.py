"""Claims about the filters of the port mesh as a template calls them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError, AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.filter.port_mesh_listen import (
    FilterModule as PortMeshListen,
)
from ansible_collections.rackforge.gpu_cluster.plugins.filter.port_mesh_plan import (
    FilterModule as PortMeshPlan,
)
from ansible_collections.rackforge.gpu_cluster.plugins.filter.port_mesh_targets import (
    FilterModule as PortMeshTargets,
)

plan = PortMeshPlan().filters()["port_mesh_plan"]
listen = PortMeshListen().filters()["port_mesh_listen"]
targets = PortMeshTargets().filters()["port_mesh_targets"]


def host(address: str | None, **variables: Any) -> dict[str, Any]:
    """Return the variables of a host that was probed."""
    return {"ansible_facts": {"gpu_cluster": {"node_address": address}}, **variables}


HOSTVARS = {
    "head": host("198.19.1.11", ray_gcs_port=6390, secret="x"),
    "w1": host("198.19.1.12"),
    "w2": {},
}
GROUPS = {"all": ["head", "w1", "w2"], "ray_head": ["head"], "ray_worker": ["w1", "w2"]}
TCP = {
    "head": "6390,8000,8076-8077,8079,8265,10002-20000,44217,44227,54311,56999",
    "w1": "8076-8078,10002-20000,44217,44227,52365,54311,56999",
}


def report(address: str, **tcp: str) -> dict[str, Any]:
    return {"address": address, "tcp": {"ours": "", "served": "", "missing": {}, **tcp}}


def test_plain_values_come_from_facts_and_variables() -> None:
    made = plan(HOSTVARS, GROUPS["all"], GROUPS)
    assert [each for each in made if each["service"] == "ray-gcs"] == [
        {
            "host": "head",
            "address": "198.19.1.11",
            "protocol": "tcp",
            "ports": "6390",
            "tested": "6390",
            "service": "ray-gcs",
            "profile": "ray",
            "sources": ["w1"],
        }
    ]


def test_a_node_that_did_not_answer_takes_no_part() -> None:
    made = plan(HOSTVARS, GROUPS["all"], GROUPS)
    assert {each["host"] for each in made} == {"head", "w1"}
    assert all("w2" not in each["sources"] for each in made)


def test_chosen_profiles_mode_and_seed_count() -> None:
    made = plan(HOSTVARS, GROUPS["all"], GROUPS, "lan", "sample", 1)
    other = plan(HOSTVARS, GROUPS["all"], GROUPS, ["lan"], "sample", 2)
    tested = [each["tested"] for each in made if each["service"] == "lan-tcp"]
    assert [len(ports.split(",")) for ports in tested] == [64, 64]
    assert tested != [each["tested"] for each in other if each["service"] == "lan-tcp"]


@pytest.mark.parametrize("mode", [pytest.param("off", id="word"), pytest.param(False, id="yaml")])
def test_off_plans_nothing(mode: Any) -> None:
    assert plan(HOSTVARS, GROUPS["all"], GROUPS, [], mode) == []
    assert listen([]) == {}
    assert targets([], ["head"], {}) == {"head": []}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param((["wan"],), "preflight_profiles: saw 'wan'", id="profile"),
        pytest.param(([], "all"), "preflight_ports: saw 'all'", id="mode"),
    ],
)
def test_what_there_is_not_fails_by_its_name(given: tuple[Any, ...], expected: str) -> None:
    with pytest.raises(AnsibleFilterError, match=expected):
        plan(HOSTVARS, GROUPS["all"], GROUPS, *given)


class Untemplatable(dict[str, Any]):
    """Variables of a host, one of which names something that is not defined."""

    def __getitem__(self, name: str) -> Any:
        """Return a variable, and fail as Ansible does at the one."""
        if name == "ray_node_manager_port":
            raise AnsibleError("'base_port' is undefined")
        return super().__getitem__(name)


def test_a_variable_that_cannot_be_worked_out_leaves_out_its_service_only() -> None:
    wrong = host("198.19.1.12", ray_node_manager_port="{{ base_port + 1 }}")
    made = plan({**HOSTVARS, "w1": Untemplatable(wrong)}, GROUPS["all"], GROUPS)
    services = {each["service"] for each in made if each["host"] == "w1"}
    assert "ray-node-manager" not in services
    assert "ray-object-manager" in services


def test_each_node_is_told_its_ports_once() -> None:
    made = listen(plan(HOSTVARS, GROUPS["all"], GROUPS))
    assert {name: (each["tcp"], each["udp"]) for name, each in made.items()} == {
        name: (ports, "") for name, ports in TCP.items()
    }


def test_the_ports_that_a_unit_needs_at_its_start_are_told() -> None:
    made = listen(plan(HOSTVARS, GROUPS["all"], GROUPS))
    assert made["head"]["units"] == {"ray.service": "6390,8076-8078,8265,10001,52365,54311,56999"}
    assert made["w1"]["units"] == {"ray.service": "8076-8078,52365,54311,56999"}


def test_targets_are_what_the_nodes_report() -> None:
    made = plan(HOSTVARS, GROUPS["all"], GROUPS)
    reports = {"head": report("198.19.1.11", ours="8076", served="6390"), "w1": {"problem": "x"}}
    assert targets(made, ["head", "w1", "control node"], reports) == {
        "head": [],
        "w1": [
            {
                "host": "head",
                "address": "198.19.1.11",
                "tcp": "8076",
                "tcp_served": "6390",
                "udp": "",
                "udp_served": "",
            }
        ],
        "control node": [],
    }


def test_reports_are_found_in_the_variables_of_the_hosts() -> None:
    made = plan(HOSTVARS, GROUPS["all"], GROUPS)
    hostvars = {
        "head": {"said": {"report": report("198.19.1.11", ours="8000-9000")}},
        "w1": {"said": {"skipped": True}},
    }
    found = targets(made, "control node", hostvars, "said")
    assert [(each["host"], each["tcp"]) for each in found] == [("head", "8000,8079,8265")]
