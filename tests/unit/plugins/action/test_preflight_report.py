"""Claims about how the report reads Ansible's variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleUndefinedVariable
from ansible_collections.rackforge.gpu_cluster.plugins.action import preflight_report
from ansible_collections.rackforge.gpu_cluster.plugins.action.preflight_report import (
    ActionModule,
    find_all,
    gpu_facts,
    profile_problem,
    read_gpu_findings,
    read_host,
    read_outside,
    read_probe,
    read_silent,
    read_values,
    report_directory,
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
    Host,
    Inventory,
    Probe,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    Listener,
    ListenReport,
    PairResult,
    ProbeReport,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.preflight_mesh import Mesh

INPUTS = {
    "has_gpu": Input("has_gpu", Kind.BOOLEAN),
    "my_iface": Input("my_iface"),
    "ray_token": Input("ray_token"),
}


def test_what_hosts_outside_the_limit_answered_is_read_by_name() -> None:
    rows = [{"item": "h1", "reachable": True, "sudo": True}, {"item": "w2", "skipped": True}]
    found = read_outside({"__outside_probe": {"results": rows}})
    assert found == {"h1": Probe(reachable=True, sudo=True)}
    assert read_outside({}) == {}


def test_a_head_and_a_server_that_do_not_answer_are_named_with_the_reason() -> None:
    groups = {"ray_head": ["h1"], "k3s_server": ["s1", "s2"]}
    refused = {"reachable": False, "error": "Connection refused"}
    task_vars = {"groups": groups, "__outside_ray": refused, "__outside_k3s": {"skipped": True}}
    assert read_silent(task_vars) == {"h1": "its Ray does not answer: Connection refused"}
    assert read_silent({**task_vars, "__outside_k3s": refused})["s1"].startswith("its k3s")


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


@pytest.mark.parametrize(
    "chosen", [[], ["management"], ["lan", "k3s-ha"], [" management "], [""]], ids=repr
)
def test_a_profile_that_there_is_gives_no_finding(chosen: list[str]) -> None:
    assert profile_problem(chosen) == []


@pytest.mark.parametrize("chosen", [["managment"], ["lan", "managment", "nonsense"]], ids=repr)
def test_a_profile_that_there_is_not_is_named_with_those_that_there_are(chosen: list[str]) -> None:
    assert profile_problem(chosen) == [
        Finding(
            Severity.ERROR,
            "value-invalid",
            "inventory",
            "preflight_profiles names a profile that there is not.",
            seen="'managment'",
            expected="some of ray, k3s, k3s-ha, management, monitoring, lan",
            fix="preflight_profiles=management",
            variable="preflight_profiles",
        )
    ]


def a_node(number: int, group: str) -> Host:
    """Return a node that answered and is well."""
    address = f"198.19.1.{number}"
    facts = {
        "node_address": address,
        "node_interface": "eth1",
        "default_interface": "eth1",
        "interfaces": [{"name": "eth1", "addresses": [f"{address}/24"], "is_loopback": False}],
        "hostname": f"node{number}",
        "machine_id": f"id{number}",
        "python_version": "3.13.5",
        "clock_synchronised": True,
        "address_problem": None,
    }
    probe = Probe(reachable=True, sudo=True, facts=facts)
    return Host(f"n{number}", groups=frozenset({group}), probe=probe)


TWO = Inventory(
    hosts=(a_node(1, "ray_head"), a_node(2, "ray_worker")),
    inputs={},
    group_names=frozenset({"ray_head", "ray_worker"}),
)
ARGS = {"profiles": [], "gpu_register": "__preflight_gpus"}
NOBODY: dict[str, dict[str, Any]] = {"n1": {}, "n2": {}}
SKIPPED = {"changed": False, "skipped": True}
HEARD = {"n1": ListenReport("198.19.1.1"), "n2": ListenReport("198.19.1.2")}


def mesh(verdict: str) -> Mesh:
    """Return a mesh of one path, from n2 to the head."""
    listener = Listener(
        "n1", "198.19.1.1", "tcp", "6379", "6379", "ray-gcs", "ray", sources=("n2",)
    )
    pair = PairResult("n1", "198.19.1.1", tcp={verdict: "6379"}, seen_as="198.19.1.2")
    return Mesh((listener,), HEARD, {"n2": ProbeReport("n2", "198.19.1.2", (pair,))})


def codes(
    nodes: Mapping[str, Any], known: Mesh | None = None, profiles: list[str] | None = None
) -> list[tuple[str, str, str]]:
    """Return severity, host and code of everything that is found."""
    args = {**ARGS, "profiles": profiles or []}
    found = find_all(TWO, nodes, known or Mesh(), args)
    return [(each.severity.value, each.host, each.code) for each in found]


def test_a_sound_inventory_has_no_findings() -> None:
    assert codes(NOBODY) == []
    assert codes({"n1": {"__preflight_gpus": SKIPPED}, "n2": {}}, mesh("open")) == []


@pytest.mark.parametrize(
    ("nodes", "known", "profiles", "expected"),
    [
        pytest.param(
            {**NOBODY, "n2": {"__preflight_gpus": {"findings": [NO_GPU]}}},
            Mesh(),
            [],
            [("error", "n2", "no-gpu")],
            id="of-the-gpus",
        ),
        pytest.param(
            {**NOBODY, "n2": {"__nvidia_forecast": {"findings": [NO_GPU]}}},
            Mesh(),
            [],
            [("error", "n2", "no-gpu")],
            id="of-a-role's-plan",
        ),
        pytest.param(
            {
                **NOBODY,
                "n2": {
                    "__preflight_gpus": {"findings": [NO_GPU]},
                    "__nvidia_forecast": {"findings": [NO_GPU]},
                    "__rocm_forecast": SKIPPED,
                },
            },
            Mesh(),
            [],
            [("error", "n2", "no-gpu")],
            id="of-both-once",
        ),
        pytest.param(
            NOBODY, mesh("filtered"), [], [("error", "n1", "port-filtered")], id="of-the-paths"
        ),
        pytest.param(
            NOBODY, Mesh(), ["lna"], [("error", "inventory", "value-invalid")], id="of-the-profiles"
        ),
        pytest.param(
            {**NOBODY, "n2": {"__preflight_gpus": {"findings": [BAR1_ZERO]}}},
            mesh("refused"),
            ["lna"],
            [
                ("error", "inventory", "value-invalid"),
                ("error", "n1", "port-refused"),
                ("warning", "n2", "bar1-zero"),
            ],
            id="of-everything-errors-first",
        ),
    ],
)
def test_all_parts_are_in_one_list(
    nodes: dict[str, Any], known: Mesh, profiles: list[str], expected: list[tuple[str, str, str]]
) -> None:
    assert codes(nodes, known, profiles) == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param(
            {"ansible_facts": {"gpu": {"vendor": "nvidia"}}}, {"vendor": "nvidia"}, id="g"
        ),
        pytest.param({"ansible_facts": {"gpu": None}}, {}, id="nothing-told"),
        pytest.param({"ansible_facts": None}, {}, id="no-facts"),
        pytest.param({}, {}, id="not-asked"),
    ],
)
def test_facts_of_gpus_are_those_of_the_driver_check(
    variables: dict[str, Any], expected: dict[str, str]
) -> None:
    assert gpu_facts(variables) == expected


class Screen:
    """What the user would see."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.warnings: list[str] = []
        self.display = self.lines.append
        self.warning = self.warnings.append


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Return what is shown in place of Ansible's terminal."""
    made = Screen()
    monkeypatch.setattr(preflight_report, "display", made)
    return made


def written(directory: str) -> dict[str, str]:
    """Return where the report lies."""
    found: dict[str, str] = ActionModule.__new__(ActionModule)._write(directory, {})
    return found


@pytest.mark.parametrize(
    ("source", "wish", "expected"),
    [
        pytest.param("lab/inv.ini", None, "lab/preflight", id="beside-the-file"),
        pytest.param("lab", None, "preflight", id="beside-a-directory-that-is-an-inventory"),
        pytest.param("lab", "mine", "mine", id="as-wished"),
        pytest.param("lab", "", "", id="none-wished"),
    ],
)
def test_the_report_lies_beside_the_inventory(
    tmp_path: Path, source: str, wish: str | None, expected: str
) -> None:
    (tmp_path / "lab").mkdir()
    variables = {
        "inventory_dir": str(tmp_path / "lab"),
        "ansible_inventory_sources": (str(tmp_path / source),),
    }
    found = report_directory(variables, wish)
    assert found == (expected if wish is not None else str(tmp_path / expected))


def test_a_report_that_cannot_be_written_is_a_warning_and_no_failure(
    screen: Screen, tmp_path: Path
) -> None:
    place = tmp_path / "report"
    place.write_text("mine", encoding="utf-8")
    assert written(str(place)) == {}
    assert screen.lines == []
    assert screen.warnings == [
        f"The report could not be written: [Errno 17] File exists: '{place}'. Name a directory of"
        " yours in preflight_report_dir."
    ]


def test_where_no_report_is_wished_none_is_written(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_directory: str, _document: object) -> Path:
        raise AssertionError("nobody asked for it")

    monkeypatch.setattr(preflight_report, "write_report", fail)
    assert written("") == {}
    assert (screen.lines, screen.warnings) == ([], [])


def test_the_user_is_told_where_the_report_lies(
    screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(directory: str, _document: object) -> Path:
        return Path(directory) / "report.html"

    monkeypatch.setattr(preflight_report, "write_report", write)
    page = f"{tmp_path}/report.html"
    assert written(str(tmp_path)) == {"page": page, "document": f"{tmp_path}/preflight.json"}
    assert (screen.lines, screen.warnings) == ([f"Report: {page}"], [])
