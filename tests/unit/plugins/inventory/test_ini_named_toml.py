"""Claims about the ConvectHub document's inventory: read under its own name, and as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.inventory.ini_named_toml import (
    is_ini_named_toml,
)

ROOT = Path(__file__).parents[4]
SAMPLE = ROOT / "inventories" / "convect" / "inv.toml"
MAPPING = ROOT / "inventories" / "convect" / "mapping.ini"
PLUGINS = "host_list,script,auto,yaml,ini,rackforge.gpu_cluster.ini_named_toml,toml"


def inventory(*sources: Path) -> dict[str, Any]:
    """Return what Ansible makes of inventories."""
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible-inventory"),
            *(f"--inventory={source}" for source in sources),
            "--list",
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_INVENTORY_ENABLED": PLUGINS},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        pytest.param("inv.toml", "[driver]\nmaster\n", True, id="ini"),
        pytest.param("inv.toml", "[driver.hosts]\nmaster = {}\n", False, id="toml"),
        pytest.param("inv.toml", "", False, id="empty"),
        pytest.param("inv.ini", "[driver]\nmaster\n", False, id="another-name"),
        pytest.param("inv.toml", "\xff\xfe", True, id="neither-is-told-by-the-ini-parser"),
    ],
)
def test_only_ini_under_the_name_of_toml_is_taken(
    tmp_path: Path, name: str, text: str, expected: bool
) -> None:
    (tmp_path / name).write_text(text, encoding="latin-1")
    assert is_ini_named_toml(str(tmp_path / name)) is expected


def test_a_file_that_is_not_there_is_left_alone(tmp_path: Path) -> None:
    assert is_ini_named_toml(str(tmp_path / "inv.toml")) is False


def test_the_sample_is_the_documents_text() -> None:
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    assert lines[0] == (
        "worker2 ansible_ssh_user=vagrant ansible_ssh_host=127.0.0.1 ansible_ssh_port=2201 "
        "ansible_ssh_private_key_file='~/.ssh/id_rsa' my_iface=eth1 has_gpu=true"
    )
    assert [line for line in lines if re.match(r"\[", line)] == [
        "[driver]",
        "[worker]",
        "[registry]",
        "[all:vars]",
    ]
    assert lines[-4:] == [
        "convect_workdir=/tmp/convecthub",
        "convect_token=k3s_hub_token",
        "has_gpu=false",
        "jhub_config_path=thu-vars/jupyterhub.yaml",
    ]


@pytest.mark.parametrize(
    "sources",
    [
        pytest.param((SAMPLE, MAPPING), id="mapping-behind"),
        pytest.param((MAPPING, SAMPLE), id="mapping-before"),
    ],
)
def test_the_sample_becomes_a_cluster_beside_the_mapping(sources: tuple[Path, ...]) -> None:
    found = inventory(*sources)
    assert found["k3s_server"]["children"] == ["driver"]
    assert found["driver"]["hosts"] == ["master"]
    assert found["k3s_agent"]["children"] == ["worker"]
    assert sorted(found["worker"]["hosts"]) == ["worker1", "worker2"]
    variables = found["_meta"]["hostvars"]
    assert {name: each["has_gpu"] for name, each in variables.items()} == {
        "master": "false",
        "worker1": "false",
        "worker2": "true",
    }
    assert {name: each["ansible_ssh_port"] for name, each in variables.items()} == {
        "master": 2222,
        "worker1": 2200,
        "worker2": 2201,
    }
