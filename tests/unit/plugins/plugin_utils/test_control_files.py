"""Claims about files of the control node that inputs name."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_files import places
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import Input, Kind
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_manifests import (
    ManifestError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.control_files import (
    check_files,
    folders_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.k3s_manifests import find_below
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.known_variables import (
    load_inputs,
)

INPUTS = {"jhub": Input("jhub", Kind.FILE), "my_iface": Input("my_iface")}


def codes(value: object, folder: Path) -> list[tuple[str, str]]:
    """Return what is said of two hosts of an inventory in ``folder`` that share an input."""
    hosts = tuple(
        Host(name, frozenset({"k3s_server"}), values={"jhub": value, "my_iface": "eth1"})
        for name in ("n1", "n2")
    )
    nodes = {host.name: {"inventory_dir": str(folder)} for host in hosts}
    return [(each.code, each.seen) for each in check_files(Inventory(hosts, INPUTS), nodes)]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of an inventory; the command is run in another one."""
    for name in ("inventory", "work"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "inventory"


def test_a_file_beside_the_inventory_is_found(desk: Path) -> None:
    (desk / "hub.yaml").touch()
    assert codes("hub.yaml", desk) == []


def test_a_file_where_the_command_is_run_is_found(desk: Path) -> None:
    (desk.parent / "work" / "hub.yaml").touch()
    assert codes("hub.yaml", desk) == []


@pytest.mark.parametrize("value", [pytest.param(None, id="null"), pytest.param("", id="empty")])
def test_an_input_that_is_not_set_names_no_file(desk: Path, value: object) -> None:
    assert codes(value, desk) == []


def test_a_missing_file_is_one_error_that_names_the_places(desk: Path) -> None:
    work = desk.parent / "work"
    assert codes("vars/hub.yaml", desk) == [
        (
            "file-missing",
            f"jhub=vars/hub.yaml; no file at {desk}/vars/hub.yaml, {work}/vars/hub.yaml",
        )
    ]


def test_a_folder_is_no_file(desk: Path) -> None:
    assert codes(str(desk), desk) == [("file-missing", f"jhub={desk}; no file at {desk}")]


def test_a_path_from_home_is_no_path_of_the_inventory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ops")
    assert places("~/hub.yaml", ["/srv"]) == ["/home/ops/hub.yaml"]


@pytest.mark.parametrize(
    "name", ["jhub_config_path", "k3s_jupyterhub_config_path", "k3s_jupyterhub_chart_file"]
)
def test_the_inputs_of_jupyterhub_name_files(name: str) -> None:
    assert load_inputs()[name].kind is Kind.FILE


@pytest.mark.parametrize(
    "places_with_file",
    [
        pytest.param(["inventory", "playbook", "work"], id="inventory-first"),
        pytest.param(["playbook", "work"], id="then-the-playbook"),
        pytest.param(["work"], id="then-where-the-command-is-run"),
        pytest.param([], id="nowhere"),
    ],
)
def test_preflight_and_the_deployment_find_the_same_file(
    desk: Path, places_with_file: list[str]
) -> None:
    variables = {"inventory_dir": str(desk), "playbook_dir": str(desk.parent / "playbook")}
    (desk.parent / "playbook").mkdir()
    for name in places_with_file:
        (desk.parent / name / "hub.yaml").write_text(f"from: {name}\n")
    host = Host("n1", frozenset({"k3s_server"}), values={"jhub": "hub.yaml"})
    missing = check_files(Inventory((host,), INPUTS), {"n1": variables})
    if not places_with_file:
        assert [each.code for each in missing] == ["file-missing"]
        with pytest.raises(ManifestError, match=r"hub\.yaml is not on the control node"):
            find_below("hub.yaml", folders_of(variables))
        return
    assert missing == []
    found = find_below("hub.yaml", folders_of(variables))
    assert Path(found).read_text() == f"from: {places_with_file[0]}\n"


def test_what_lies_first_is_judged_even_when_a_file_lies_further_on(desk: Path) -> None:
    (desk / "hub.yaml").mkdir()
    (desk.parent / "work" / "hub.yaml").touch()
    assert codes("hub.yaml", desk) == [
        ("file-missing", f"jhub=hub.yaml; no file at {desk}/hub.yaml")
    ]
