"""Claims about how the report reads Ansible's variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible.errors import AnsibleUndefinedVariable
from ansible_collections.rackforge.gpu_cluster.plugins.action.preflight_report import (
    read_gpu_findings,
    read_host,
    read_probe,
    read_values,
    terminal_width,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import (
    Input,
    Kind,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Probe,
)

INPUTS = {
    "has_gpu": Input("has_gpu", Kind.BOOLEAN),
    "my_iface": Input("my_iface"),
    "ray_token": Input("ray_token"),
}


class Variables(Mapping[str, Any]):
    """Host variables that are templated when they are looked at, as Ansible's are."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values_given = dict(values)
        self.looked_at: list[str] = []

    def __contains__(self, name: object) -> bool:
        """Tell without a look at the value."""
        return name in self.values_given

    def __getitem__(self, name: str) -> Any:
        """Look at the value."""
        value = self.values_given[name]
        self.looked_at.append(name)
        if isinstance(value, Exception):
            raise value
        return value

    def __iter__(self) -> Iterator[str]:
        """List the names."""
        return iter(self.values_given)

    def __len__(self) -> int:
        """Count the names."""
        return len(self.values_given)


def test_only_values_that_are_judged_are_looked_at() -> None:
    variables = Variables({"has_gpu": True, "my_iface": "eth1", "ray_token": "secret", "x": 1})
    assert read_values(variables, INPUTS) == ({"has_gpu": True, "my_iface": "eth1"}, {})
    assert variables.looked_at == ["has_gpu", "my_iface"]


def test_a_value_that_cannot_be_templated_is_a_reason_and_no_crash() -> None:
    variables = Variables({"has_gpu": AnsibleUndefinedVariable("'x' is\n undefined")})
    assert read_values(variables, INPUTS) == ({}, {"has_gpu": "'x' is undefined"})


def test_an_expression_left_as_it_is_counts_as_unresolved() -> None:
    variables = Variables({"has_gpu": "{{ x }}"})
    assert read_values(variables, INPUTS)[1] == {
        "has_gpu": "{{ x }} (it names something that is not defined)"
    }


def test_a_registered_probe_is_read_back() -> None:
    finding = Finding(Severity.ERROR, "no-sudo", "n1", "M.")
    registered = {
        "reachable": True,
        "sudo": False,
        "findings": [finding.to_dict()],
        "ansible_facts": {"gpu_cluster": {"hostname": "node1"}},
    }
    assert read_probe(registered) == Probe(
        reachable=True, sudo=False, findings=(finding,), facts={"hostname": "node1"}
    )


@pytest.mark.parametrize("registered", [None, {"skipped": True}, {"failed": True, "msg": "x"}])
def test_a_probe_that_did_not_run_is_no_probe(registered: object) -> None:
    assert read_probe(registered) is None


def test_a_host_is_read_with_its_groups() -> None:
    host = read_host(
        "n1",
        {
            "hostvars": {"n1": {"has_gpu": "ja"}},
            "groups": {"all": ["n1"], "ungrouped": [], "ray_head": ["n1"], "ray_worker": ["n2"]},
            "ansible_play_hosts_all": ["n2"],
        },
        INPUTS,
        "__preflight_probe",
    )
    assert host.groups == frozenset({"ray_head"})
    assert host.values == {"has_gpu": "ja"}
    assert host.in_play is False
    assert host.probe is None


@pytest.mark.parametrize(
    ("columns", "expected"),
    [("", 100), ("80", 80), ("20", 60), ("400", 120), ("wide", 100)],
)
def test_the_report_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: str, expected: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert terminal_width() == expected


NO_GPU = {"severity": "error", "code": "no-gpu", "host": "n2", "message": "No GPU on the PCI bus."}
BAR1_ZERO = {"severity": "error", "code": "bar1-zero", "host": "n2", "message": "No room for BAR1."}


@pytest.mark.parametrize(
    ("registered", "expected"),
    [
        pytest.param(None, [], id="not-a-host-with-gpus"),
        pytest.param({"skipped": True, "changed": False}, [], id="skipped"),
        pytest.param({"findings": []}, [], id="all-is-well"),
        pytest.param(
            {"findings": [NO_GPU]},
            [Finding(Severity.ERROR, "no-gpu", "n2", "No GPU on the PCI bus.")],
            id="stops-the-run",
        ),
        pytest.param(
            {"findings": [BAR1_ZERO]},
            [Finding(Severity.WARNING, "bar1-zero", "n2", "No room for BAR1.")],
            id="provision-mends-it",
        ),
    ],
)
def test_findings_about_gpus_join_the_report(registered: Any, expected: list[Finding]) -> None:
    assert read_gpu_findings(registered) == expected


def test_facts_that_became_variables_are_nobodys_inputs() -> None:
    variables = {"ansible_facts": {"gpu": {"gpus": []}}, "gpu": {"gpus": []}, "has_gpu": True}
    host = read_host("n1", {"hostvars": {"n1": variables}, "groups": {"all": ["n1"]}}, INPUTS, "x")
    assert host.variable_names == frozenset({"ansible_facts", "has_gpu"})


def test_an_element_that_cannot_be_templated_is_a_reason_and_no_crash() -> None:
    class Late(list[object]):
        """A list whose elements are worked out when they are looked at."""

        def __iter__(self) -> Iterator[object]:
            """Fail as a template does that names nothing."""
            raise AnsibleUndefinedVariable("'x' is undefined")

    inputs = {"docker_users": Input("docker_users", Kind.LIST)}
    assert read_values(Variables({"docker_users": Late()}), inputs) == (
        {},
        {"docker_users": "'x' is undefined"},
    )


def test_braces_within_a_map_may_be_meant() -> None:
    inputs = {"docker_daemon_options": Input("docker_daemon_options", Kind.DICT)}
    options = {"log-opts": {"tag": "{{.Name}}"}}
    assert read_values(Variables({"docker_daemon_options": options}), inputs) == (
        {"docker_daemon_options": options},
        {},
    )
