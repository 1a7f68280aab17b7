# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models and settings of simulated machines, and the command line that asks for them."""

from __future__ import annotations

import argparse

import pytest

from tests.lab.cli import counts, parser
from tests.lab.gpu.build import recipe_files
from tests.lab.gpu.hardware import HERE, Repository
from tests.lab.gpu.machine import (
    MODELS,
    cards_of,
    changed,
    gpus_of,
    machine_settings,
    model_called,
    parse,
    parse_assignments,
    parse_counts,
    render,
)
from tests.lab.inventory import Inventory
from tests.lab.shell import LabError
from tests.lab.topology import plan_nodes


def test_machine_has_each_card_at_an_address_of_its_own() -> None:
    settings = machine_settings("lab-n1", [MODELS["h100"]] * 3)
    assert [settings[f"gpu.{number}.pci"] for number in range(3)] == [
        "0000:3b:00.0",
        "0000:43:00.0",
        "0000:4b:00.0",
    ]
    assert settings["gpu.2.model"] == "NVIDIA H100 80GB HBM3"
    assert settings["gpu.2.device_id"] == "0x2330"
    assert cards_of(settings) == [0, 1, 2]


def test_sixteen_cards_fit_on_the_bus_and_seventeen_are_refused() -> None:
    settings = machine_settings("lab-n1", [MODELS["t4"]] * 16)
    assert len({settings[f"gpu.{number}.pci"] for number in range(16)}) == 16
    assert settings["gpu.15.pci"] == "0000:b3:00.0"
    with pytest.raises(LabError, match="at most 16 GPUs, not 17"):
        machine_settings("lab-n1", [MODELS["t4"]] * 17)


def test_names_of_cards_stay_from_run_to_run_and_differ_between_nodes() -> None:
    once = machine_settings("lab-n1", [MODELS["a100"]])
    assert once == machine_settings("lab-n1", [MODELS["a100"]])
    assert once["gpu.0.uuid"] != machine_settings("lab-n2", [MODELS["a100"]])["gpu.0.uuid"]


def test_amd_cards_have_a_unique_id_and_no_uuid() -> None:
    settings = machine_settings("lab-n1", [MODELS["mi300x"]])
    assert settings["gpu.0.vendor"] == "amd"
    assert settings["gpu.0.class"] == "0x120000"
    assert settings["gpu.0.unique_id"].startswith("0x")
    assert "gpu.0.uuid" not in settings


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_what_the_stand_ins_read(name: str) -> None:
    settings = MODELS[name].settings()
    needed = {"model", "device_id", "memory_mib", "bar1_mib", "max_link_width", "power_limit_w"}
    needed |= {"compute_capability"} if settings["vendor"] == "nvidia" else {"gfx_target_version"}
    assert needed <= settings.keys()
    assert all(settings[key] for key in needed)


def test_unknown_model_is_refused_with_the_list() -> None:
    with pytest.raises(LabError, match="no GPU model is called 'h1000'; choose one of h100, h200"):
        model_called("h1000")


def test_settings_come_back_as_they_were_written() -> None:
    settings = {"gpu.0.model": "NVIDIA A = B", "kernel_log.1": "NVRM: Xid (PCI:0000:3b:00): 79"}
    assert parse(render(settings)) == settings
    assert render({"b": "2", "a": "1"}) == "a=1\nb=2\n"


def test_empty_value_takes_a_setting_away() -> None:
    assert changed({"gpu.0.fault": "lost", "smi": "hang"}, {"gpu.0.fault": ""}) == {"smi": "hang"}


def test_assignments_keep_what_follows_the_first_equals_sign() -> None:
    assert parse_assignments(["kernel_log.1=a=b", "gpu.0.fault="]) == {
        "kernel_log.1": "a=b",
        "gpu.0.fault": "",
    }


@pytest.mark.parametrize(
    "word",
    [
        pytest.param("gpu.0.fault", id="no-value"),
        pytest.param("=lost", id="no-key"),
        pytest.param("gpu 0=lost", id="space-in-key"),
        pytest.param("gpu.0.model=a\nb=c", id="second-line"),
    ],
)
def test_assignment_that_would_break_the_file_is_refused(word: str) -> None:
    with pytest.raises(LabError, match=r"is no setting|more than one line"):
        parse_assignments([word])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2", (2,), id="one"),
        pytest.param("2,0", (2, 0), id="by-turn"),
        pytest.param("16", (16,), id="most"),
    ],
)
def test_counts_are_read(text: str, expected: tuple[int, ...]) -> None:
    assert parse_counts(text) == expected


@pytest.mark.parametrize("text", ["", "x", "2,", "-1", "17"])
def test_counts_that_no_machine_has_are_refused(text: str) -> None:
    with pytest.raises(LabError, match="is no list of GPU counts"):
        parse_counts(text)
    with pytest.raises(argparse.ArgumentTypeError, match="is no list of GPU counts"):
        counts(text)


def test_nodes_take_the_counts_in_turn() -> None:
    assert [gpus_of(number, (0, 2)) for number in (1, 2, 3, 4)] == [0, 2, 0, 2]
    assert gpus_of(1, ()) == 0


def test_inventory_says_which_nodes_have_gpus() -> None:
    nodes = plan_nodes("lab", 2, 1)
    text = Inventory("lab", nodes, HERE, HERE, with_gpus=nodes[1:]).render()
    assert "node1 ansible_host=198.18.1.11 my_iface=eth1 has_gpu=false\n" in text
    assert "node2 ansible_host=198.18.1.12 my_iface=eth1 has_gpu=true\n" in text


def test_command_line_says_which_gpus_nodes_have() -> None:
    args = parser().parse_args(["up", "--gpus", "2,0", "--gpu-model", "rtx4090"])
    assert (args.gpus, args.gpu_model) == ((2, 0), "rtx4090")
    assert parser().parse_args(["up"]).gpus == ()


def test_command_line_changes_a_node() -> None:
    args = parser().parse_args(["gpu", "node1", "--reset", "--set", "gpu.1.fault=lost", "smi=hang"])
    assert args.reset
    assert parse_assignments(args.set) == {"gpu.1.fault": "lost", "smi": "hang"}


def test_repository_names_every_vendors_place_and_one_key() -> None:
    found = Repository("198.18.1.11", HERE, "ABCD").inputs()
    assert found == {
        "nvidia_repository_url": "http://198.18.1.11:8090/compute/cuda/repos",
        "nvidia_repository_key_fingerprint": "ABCD",
        "nvidia_toolkit_repository_url": "http://198.18.1.11:8090/libnvidia-container",
        "nvidia_toolkit_repository_key_fingerprint": "ABCD",
        "rocm_repository_url": "http://198.18.1.11:8090",
        "rocm_repository_key_fingerprint": "ABCD",
    }


def test_packages_are_built_anew_when_any_of_their_sources_changes() -> None:
    names = set(recipe_files())
    assert {"src/nvml.c", "src/machine.h", "debs/nvidia.py", "debs/files/dkms"} <= names
    assert not [name for name in names if "__pycache__" in name]


def test_every_program_calls_itself_a_stand_in() -> None:
    programs = [path for path in (HERE / "debs/files").iterdir() if path.name != "__init__.py"]
    programs = [path for path in programs if path.is_file()]
    assert len(programs) >= 9
    silent = [path.name for path in programs if "stand-in" not in path.read_text()]
    assert silent == []
