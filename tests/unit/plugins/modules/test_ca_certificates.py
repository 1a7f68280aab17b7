"""Claims about the ca_certificates module on a store made for the purpose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.modules import ca_certificates
from ansible_collections.rackforge.gpu_cluster.plugins.modules.ca_certificates import main

from tests.unit.plugins.module_utils.test_x509 import HOUSE, LATE, SELF
from tests.unit.plugins.modules.conftest import Answer, Node


class Machine:
    """A node whose tool joins the files of our place, and those of others, to a bundle."""

    def __init__(self, node: Node, folder: Path, tool: str) -> None:
        self.node = node
        self.place = folder / "place"
        self.bundle = folder / "bundle.pem"
        self.bundle.write_text(LATE)
        self.refuses = ""
        node.answers(tool, (0, "", ""))
        self._inner = node.run_command
        vars(node)["run_command"] = self.run_command

    def run_command(self, args: list[str], **rest: Any) -> Answer:
        """Stand in for the tool."""
        texts = [p.read_text() for p in sorted(self.place.glob("*"))] if self.place.exists() else []
        self.bundle.write_text("".join([LATE, *(t for t in texts if t != self.refuses)]))
        return self._inner(args, **rest)

    def files(self) -> dict[str, str]:
        """Return our place's files."""
        return {path.name: path.read_text() for path in self.place.glob("*")}


@pytest.fixture
def debian(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A Debian node."""
    machine = Machine(node, tmp_path, "update-ca-certificates")
    node.answers("apt-get", (0, "", ""))
    store = replace(ca_certificates.DEBIAN, place=str(machine.place), bundle=str(machine.bundle))
    monkeypatch.setattr(ca_certificates, "DEBIAN", store)
    return machine


def trust(machine: Machine, *, check: bool = False, **certificates: str) -> Any:
    """Return what the module answers."""
    return machine.node.run(main, check=check, files=["x.pem"], certificates=certificates)


def test_a_certificate_is_trusted_once(debian: Machine) -> None:
    assert trust(debian, house=HOUSE)["changed"] is True
    assert (debian.files(), HOUSE in debian.bundle.read_text()) == ({"house.crt": HOUSE}, True)
    assert trust(debian, house=HOUSE)["changed"] is False
    assert debian.node.calls == ["update-ca-certificates --fresh"]


def test_a_bundle_that_lost_it_is_built_anew(debian: Machine) -> None:
    trust(debian, house=HOUSE)
    debian.bundle.write_text(LATE)
    assert trust(debian, house=HOUSE)["changed"] is True
    assert HOUSE in debian.bundle.read_text()


def test_one_that_is_asked_for_no_more_is_trusted_no_more(debian: Machine) -> None:
    trust(debian, house=HOUSE, other=SELF)
    assert trust(debian, house=HOUSE)["changed"] is True
    assert (debian.files(), SELF in debian.bundle.read_text()) == ({"house.crt": HOUSE}, False)


def test_check_mode_predicts_and_writes_nothing(debian: Machine) -> None:
    result = trust(debian, check=True, house=HOUSE)
    assert (result["changed"], result["names"]) == (True, ["house"])
    assert result["diff"] == {"before": "", "after": f"{debian.place}/house.crt\n"}
    assert (debian.place.exists(), debian.node.calls) == (False, [])


def test_a_store_that_refuses_is_put_back(debian: Machine) -> None:
    trust(debian, house=HOUSE)
    debian.refuses = SELF
    result = trust(debian, house=HOUSE, server=SELF)
    assert result["failed"] is True
    assert "ran, and " in result["msg"]
    assert result["msg"].endswith("; the node trusts what it did before")
    assert debian.files() == {"house.crt": HOUSE}
    assert debian.bundle.read_text() == LATE + HOUSE


def test_a_tool_that_fails_leaves_nothing(debian: Machine) -> None:
    debian.node.answers("update-ca-certificates", (1, "", "mv: No space left on device\n"))
    result = trust(debian, house=HOUSE)
    assert result["msg"] == (
        "os_base_ca_files: 'update-ca-certificates --fresh' exited 1: mv: No space left on device;"
        " the node trusts what it did before"
    )
    assert not debian.place.exists()


def test_a_node_without_the_tool_keeps_the_files_for_it(
    debian: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: said.append(text))
    del debian.node.programs["update-ca-certificates"]
    assert trust(debian, house=HOUSE)["changed"] is True
    assert said == ["update-ca-certificates is missing: install ca-certificates (os_base_packages)"]
    assert debian.files() == {"house.crt": HOUSE}
    assert trust(debian, house=HOUSE)["changed"] is False


def test_red_hats_family_has_one_file_beside_the_owners(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(node, tmp_path, "update-ca-trust")
    machine.place.mkdir()
    (machine.place / "owners.pem").write_text(SELF)
    store = replace(ca_certificates.RED_HAT, place=str(machine.place), bundle=str(machine.bundle))
    monkeypatch.setattr(ca_certificates, "RED_HAT", store)
    assert trust(machine, house=HOUSE, late=LATE)["changed"] is True
    assert machine.files() == {"owners.pem": SELF, "rackforge.pem": HOUSE + LATE}
    assert trust(machine, house=HOUSE, late=LATE)["changed"] is False
    assert node.calls == ["update-ca-trust extract"]
