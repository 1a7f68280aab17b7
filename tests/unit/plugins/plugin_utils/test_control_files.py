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
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.control_files import check_files
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


def test_the_documents_input_names_a_file() -> None:
    assert load_inputs()["jhub_config_path"].kind is Kind.FILE
