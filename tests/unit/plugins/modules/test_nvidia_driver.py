"""Claims about bringing an installed NVIDIA driver to run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_driver import (
    Module,
    Move,
    missing_module,
    move_for,
    persistence_drop_in,
    refused_load,
)
from ansible_collections.rackforge.gpu_cluster.plugins.modules import nvidia_driver
from ansible_collections.rackforge.gpu_cluster.plugins.modules.nvidia_driver import main

from tests.unit.plugins.modules.conftest import Node

OK = (0, "", "")
ACTIVE = (0, "ActiveState=active\nSubState=running\nUnitFileState=enabled\n", "")
STOPPED = (0, "ActiveState=inactive\nSubState=dead\nUnitFileState=disabled\n", "")
MISSING = (0, "ActiveState=inactive\nSubState=dead\nUnitFileState=\n", "")
NO_MODULE = (1, "", "modinfo: ERROR: Module nvidia not found.\n")


@pytest.mark.parametrize(
    ("module", "move", "why"),
    [
        pytest.param(Module("6.12", "580.95.05", "580.95.05"), Move.NOTHING, "", id="runs"),
        pytest.param(
            Module("6.12", None, "580.95.05", nouveau=True),
            Move.BOOT,
            "nouveau holds the GPUs until the next boot",
            id="nouveau",
        ),
        pytest.param(
            Module("6.12", None, "580.95.05"),
            Move.LOAD,
            "driver 580.95.05 is installed and not loaded",
            id="not-loaded",
        ),
        pytest.param(
            Module("6.12", "575.57.08", "580.95.05"),
            Move.RELOAD,
            "driver 575.57.08 is loaded and 580.95.05 is installed",
            id="older-one-loaded",
        ),
        pytest.param(
            Module("6.12", None, None, other_kernels=("6.14",)),
            Move.BOOT,
            "the driver is built for kernel 6.14, and 6.12 runs",
            id="newer-kernel-waits",
        ),
        pytest.param(Module("6.12", "580.95.05", None), Move.NOTHING, "", id="file-is-gone"),
        pytest.param(
            Module("6.12", "580.95.05", "580.95.05", loaded_source="AA", on_disk_source="BB"),
            Move.RELOAD,
            "another build of driver 580.95.05 is loaded than is installed (there is an open and a "
            "proprietary one)",
            id="proprietary-loaded-and-open-installed",
        ),
        pytest.param(
            Module("6.12", "580.95.05", "580.95.05", loaded_source="AA", on_disk_source="AA"),
            Move.NOTHING,
            "",
            id="same-build",
        ),
        pytest.param(
            Module("6.12", "580.95.05", "580.95.05", loaded_source="AA"),
            Move.NOTHING,
            "",
            id="unknown-build-on-disk",
        ),
        pytest.param(
            Module("6.12", "580.95.05", "580.95.05", on_disk_source="BB"),
            Move.NOTHING,
            "",
            id="unknown-build-loaded",
        ),
    ],
)
def test_a_boot_is_asked_for_only_where_nothing_else_helps(
    module: Module, move: Move, why: str
) -> None:
    assert move_for(module) == (move, why)


def test_a_module_that_was_not_built_is_told() -> None:
    assert missing_module(Module("6.12")) == (
        "the driver's packages are here, but no kernel module was built for 6.12; 'dkms status' "
        "and 'cat /var/lib/dkms/nvidia/*/build/make.log' on this node tell why (mostly the headers "
        "of 6.12 are missing), and 'dkms autoinstall' tries again"
    )
    assert missing_module(Module("6.12", on_disk="580.95.05")) == ""


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param(
            "modprobe: ERROR: could not insert 'nvidia': Key was rejected by service",
            "Secure Boot is on",
            id="secure-boot",
        ),
        pytest.param(
            "could not insert 'nvidia': No such device", "finds no GPU that it drives", id="no-gpu"
        ),
        pytest.param("Exec format error", "not built for kernel 6.12", id="other-kernel"),
        pytest.param("?", "'dmesg | grep -i -e nvrm -e nvidia'", id="anything-else"),
    ],
)
def test_a_module_that_is_not_taken_is_explained(said: str, words: str) -> None:
    assert words in refused_load(said, "6.12")


@pytest.fixture
def gpu_node(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A node with the driver 580.95.05 on its disk and nothing loaded."""
    monkeypatch.setattr(nvidia_driver, "LOADED", str(tmp_path / "version"))
    monkeypatch.setattr(nvidia_driver, "LOADED_SOURCE", str(tmp_path / "srcversion"))
    monkeypatch.setattr(nvidia_driver, "PROC", str(tmp_path / "proc"))
    monkeypatch.setattr(nvidia_driver, "DROP_IN", str(tmp_path / "units" / "60-rackforge.conf"))
    monkeypatch.setattr(nvidia_driver, "NOUVEAU", str(tmp_path / "nouveau"))
    monkeypatch.setattr(nvidia_driver, "KERNELS", str(tmp_path / "modules"))
    node.answers("modinfo", (0, "580.95.05\n", ""))
    node.answers("modprobe", OK)
    node.answers("systemctl", OK)
    node.answers("systemctl show nvidia-persistenced", STOPPED)
    return node


def load(folder: Path, version: Optional[str]) -> None:
    """Have a version of the module loaded."""
    (folder / "version").write_text(f"{version}\n")


def process(proc: Path, pid: int, name: str, command: str, *devices: str) -> None:
    """Have a process that has files open."""
    folder = proc / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "comm").write_text(f"{name}\n")
    (folder / "cmdline").write_text(f"{command}\0")
    for number, device in enumerate(devices):
        (folder / "fd" / str(number)).symlink_to(device)


def test_the_driver_is_loaded_and_kept_initialised(gpu_node: Node) -> None:
    result = gpu_node.run(main)
    assert (result["changed"], result["reboot_required"]) == (True, False)
    assert result["done"] == [
        "load nvidia",
        "enable nvidia-persistenced.service",
        "start nvidia-persistenced.service",
    ]
    assert "modprobe nvidia_uvm" in gpu_node.calls


def test_a_driver_that_runs_is_left_alone(gpu_node: Node, tmp_path: Path) -> None:
    load(tmp_path, "580.95.05")
    gpu_node.answers("systemctl show nvidia-persistenced", ACTIVE)
    result = gpu_node.run(main)
    assert (result["changed"], result["version"]) == (False, "580.95.05")
    assert not [call for call in gpu_node.calls if call.startswith("modprobe")]


def test_nouveau_is_left_to_a_boot_and_the_daemon_to_it_too(gpu_node: Node, tmp_path: Path) -> None:
    os.mkdir(tmp_path / "nouveau")
    result = gpu_node.run(main)
    assert (result["reboot_required"], result["reboot_reasons"]) == (
        True,
        ["nouveau holds the GPUs until the next boot"],
    )
    assert result["done"] == ["enable nvidia-persistenced.service"]


def test_an_older_module_in_use_is_left_to_a_boot(gpu_node: Node, tmp_path: Path) -> None:
    load(tmp_path, "575.57.08")
    busy = (1, "", "modprobe: FATAL: Module nvidia is in use.\n")
    gpu_node.answers("modprobe --remove", busy)
    result = gpu_node.run(main)
    assert result["reboot_reasons"] == [
        "driver 575.57.08 is loaded and 580.95.05 is installed, and the loaded one is in use"
    ]


def test_services_that_ran_start_again_when_the_module_stays(
    gpu_node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvidia_driver, "MODULES", ())
    load(tmp_path, "575.57.08")
    gpu_node.answers("systemctl show nvidia-persistenced", ACTIVE)
    gpu_node.answers("systemctl show nvidia-fabricmanager", ACTIVE)
    gpu_node.answers("modprobe --remove", (1, "", "modprobe: FATAL: Module nvidia is in use.\n"))
    assert gpu_node.run(main)["changed"] is False
    moves = [call for call in gpu_node.calls if call.startswith(("systemctl st", "modprobe"))]
    assert moves == [
        "systemctl stop nvidia-fabricmanager.service nvidia-persistenced.service",
        "modprobe --remove",
        "systemctl start nvidia-persistenced.service",
        "systemctl start nvidia-fabricmanager.service",
    ]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        pytest.param("python", "python\0train.py", id="program"),
        pytest.param("ray::Train", "ray::Train", id="ray"),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_a_module_that_programs_use_is_left_to_a_boot_and_nothing_stops(
    gpu_node: Node, tmp_path: Path, name: str, command: str, check: bool
) -> None:
    load(tmp_path, "575.57.08")
    process(tmp_path / "proc", 4711, name, command, "/dev/nvidia0")
    process(tmp_path / "proc", 7, "nvidia-persiste", "nvidia-persistenced", "/dev/nvidia0")
    result = gpu_node.run(main, check=check)
    assert result["reboot_reasons"] == [
        "driver 575.57.08 is loaded and 580.95.05 is installed, and the loaded one is in use by "
        f"4711 {command}".replace("\0", " ")
    ]
    assert not [c for c in gpu_node.calls if c.startswith(("systemctl st", "modprobe"))]


def test_a_module_that_only_the_drivers_services_hold_is_exchanged(
    gpu_node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(tmp_path, "575.57.08")
    process(tmp_path / "proc", 7, "nvidia-persiste", "nvidia-persistenced", "/dev/nvidia0")
    versions = iter(["575.57.08", None, "580.95.05"])
    monkeypatch.setattr(nvidia_driver, "loaded_version", lambda: next(versions))
    gpu_node.answers("systemctl show nvidia-fabricmanager", ACTIVE)
    result = gpu_node.run(main)
    assert (result["done"][0], result["reboot_required"]) == ("load nvidia anew", False)
    # Nobody asked for the fabric manager here; it ran, so it runs again.
    assert "systemctl start nvidia-fabricmanager.service" in gpu_node.calls


def test_our_exporter_in_a_container_does_not_hold_up_the_exchange(
    gpu_node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvidia_driver, "MODULES", ())
    load(tmp_path, "575.57.08")
    process(tmp_path / "proc", 9, "dcgm-exporter", "dcgm-exporter", "/dev/nvidia0")
    identifier = "3c0d" * 16
    (tmp_path / "proc" / "9" / "cgroup").write_text(f"0::/docker/{identifier}\n")
    versions = iter(["575.57.08", None, "580.95.05"])
    monkeypatch.setattr(nvidia_driver, "loaded_version", lambda: next(versions))
    gpu_node.answers("docker", (1, "", "unexpected"))
    gpu_node.answers("timeout 20 docker ps", (0, f"{identifier[:12]} rackforge-gpu-exporter\n", ""))
    gpu_node.answers("systemctl show rackforge-gpu-exporter", ACTIVE)
    assert gpu_node.run(main)["reboot_required"] is False
    moves = [call for call in gpu_node.calls if "rackforge" in call or call.startswith("modprobe")]
    assert [move for move in moves if " show " not in move] == [
        "systemctl stop rackforge-gpu-exporter.service",
        "modprobe --remove",
        "modprobe nvidia",
        "modprobe nvidia_uvm",
        "systemctl start rackforge-gpu-exporter.service",
    ]


def test_an_exporter_of_the_owners_holds_up_the_exchange(gpu_node: Node, tmp_path: Path) -> None:
    load(tmp_path, "575.57.08")
    process(tmp_path / "proc", 9, "dcgm-exporter", "dcgm-exporter", "/dev/nvidia0")
    (tmp_path / "proc" / "9" / "cgroup").write_text(f"0::/docker/{'2b0d' * 16}\n")
    assert gpu_node.run(main)["reboot_reasons"] == [
        "driver 575.57.08 is loaded and 580.95.05 is installed, and the loaded one is in use by "
        "9 dcgm-exporter (in container 2b0d2b0d2b0d)"
    ]


def test_the_open_module_in_place_of_the_proprietary_one_is_exchanged(
    gpu_node: Node, tmp_path: Path
) -> None:
    load(tmp_path, "580.95.05")
    (tmp_path / "srcversion").write_text("AAAA\n")
    gpu_node.answers("modinfo --field srcversion nvidia", (0, "BBBB\n", ""))
    assert gpu_node.run(main, check=True)["done"][0] == "load nvidia anew"
    gpu_node.answers("modinfo --field srcversion nvidia", (0, "AAAA\n", ""))
    assert "load nvidia anew" not in gpu_node.run(main, check=True)["done"]
    gpu_node.answers("modinfo --field srcversion nvidia", (1, "", "modinfo: ERROR: no field\n"))
    assert "load nvidia anew" not in gpu_node.run(main, check=True)["done"]


def test_the_fabric_manager_runs_where_it_is_asked_for(gpu_node: Node) -> None:
    gpu_node.answers("systemctl show nvidia-fabricmanager", STOPPED)
    result = gpu_node.run(main, fabric_manager=True)
    assert "start nvidia-fabricmanager.service" in result["done"]


def test_a_driver_without_the_daemon_is_told_by_nvidia_smi(gpu_node: Node, tmp_path: Path) -> None:
    load(tmp_path, "580.95.05")
    gpu_node.answers("systemctl show nvidia-persistenced", MISSING)
    gpu_node.answers("nvidia-smi --query-gpu=persistence_mode", (0, "Disabled\nEnabled\n", ""))
    gpu_node.answers("nvidia-smi -pm 1", OK)
    assert gpu_node.run(main)["done"] == ["nvidia-smi -pm 1"]


UBUNTU = (
    "ExecStart={ path=/usr/bin/nvidia-persistenced ; argv[]=/usr/bin/nvidia-persistenced --user "
    "nvidia-persistenced --no-persistence-mode --verbose ; ignore_errors=no ; "
    "start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }\n"
)
DROP_IN = (
    "# Managed by rackforge.gpu_cluster\n[Unit]\nStopWhenUnneeded=no\n\n[Service]\nExecStart=\n"
    "ExecStart=/usr/bin/nvidia-persistenced --user nvidia-persistenced --verbose "
    "--persistence-mode\n"
)
COMMAND_LINE = "systemctl show nvidia-persistenced.service --property ExecStart"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        pytest.param(UBUNTU, DROP_IN, id="ubuntu"),
        pytest.param(UBUNTU.replace(" --no-persistence-mode", ""), None, id="default"),
        pytest.param(UBUNTU.replace("--no-p", "--p"), None, id="switched-on"),
        pytest.param("ExecStart=\n", None, id="no-command"),
        pytest.param("ExecStart={ argv[]=/x $(y) --no-persistence-mode ; }", None, id="garbage"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_a_unit_that_switches_persistence_off_gets_a_file_that_does_not(
    shown: str, expected: Optional[str]
) -> None:
    assert persistence_drop_in(shown) == expected


def ubuntu(node: Node, folder: Path, *, since: float) -> None:
    """Have the daemon run as Ubuntu starts it, seconds after the machine."""
    load(folder, "580.95.05")
    started = f"{ACTIVE[1]}InactiveExitTimestampMonotonic={since * 1e6:.0f}\n"
    node.answers("systemctl show nvidia-persistenced", (0, started, ""))
    node.answers(COMMAND_LINE, (0, UBUNTU, ""))
    node.answers("nvidia-smi --query-gpu=persistence_mode", (0, "Disabled\n", ""))
    node.answers("nvidia-smi -pm 1", OK)


def test_ubuntus_daemon_is_made_to_keep_gpus_initialised(gpu_node: Node, tmp_path: Path) -> None:
    ubuntu(gpu_node, tmp_path, since=10**12)
    file = tmp_path / "units" / "60-rackforge.conf"
    steps = [f"write {file}", "restart nvidia-persistenced.service", "nvidia-smi -pm 1"]
    assert gpu_node.run(main, check=True)["done"] == steps
    assert not file.exists()
    assert gpu_node.run(main)["done"] == steps
    assert file.read_text() == DROP_IN
    assert [call for call in gpu_node.calls if call.startswith(("systemctl d", "systemctl r"))] == [
        "systemctl daemon-reload",
        "systemctl restart nvidia-persistenced.service",
    ]
    gpu_node.answers(COMMAND_LINE, (0, "ExecStart={ argv[]=/x --persistence-mode ; }\n", ""))
    gpu_node.answers("nvidia-smi --query-gpu=persistence_mode", (0, "Enabled\n", ""))
    assert gpu_node.run(main)["done"] == []
    gpu_node.answers("nvidia-smi --query-gpu=persistence_mode", (0, "Disabled\n", ""))
    assert gpu_node.run(main)["done"] == ["nvidia-smi -pm 1"]


def test_a_run_that_was_killed_after_writing_is_made_good(gpu_node: Node, tmp_path: Path) -> None:
    ubuntu(gpu_node, tmp_path, since=10**12)
    gpu_node.answers("nvidia-smi --query-gpu=persistence_mode", (0, "Enabled\n", ""))
    file = tmp_path / "units" / "60-rackforge.conf"
    file.parent.mkdir()
    file.write_text(DROP_IN)
    seen = gpu_node.programs["systemctl show nvidia-persistenced"][0][1]
    gpu_node.answers("systemctl show nvidia-persistenced", (0, f"{seen}NeedDaemonReload=yes\n", ""))
    assert gpu_node.run(main)["done"] == ["restart nvidia-persistenced.service"]
    assert "systemctl daemon-reload" in gpu_node.calls


def test_a_daemon_that_is_older_than_its_file_is_restarted(gpu_node: Node, tmp_path: Path) -> None:
    ubuntu(gpu_node, tmp_path, since=1)
    gpu_node.answers("nvidia-smi --query-gpu=persistence_mode", (0, "Enabled\n", ""))
    gpu_node.answers(COMMAND_LINE, (0, "ExecStart={ argv[]=/x --persistence-mode ; }\n", ""))
    file = tmp_path / "units" / "60-rackforge.conf"
    file.parent.mkdir()
    file.write_text(DROP_IN)
    assert gpu_node.run(main)["done"] == ["restart nvidia-persistenced.service"]


def test_the_file_is_there_for_the_boot_that_is_waited_for(gpu_node: Node, tmp_path: Path) -> None:
    ubuntu(gpu_node, tmp_path, since=10**12)
    load(tmp_path, "575.57.08")
    process(tmp_path / "proc", 4711, "python", "python", "/dev/nvidia-uvm")
    result = gpu_node.run(main)
    assert result["reboot_required"] is True
    assert result["done"] == [f"write {tmp_path / 'units' / '60-rackforge.conf'}"]


def test_check_mode_on_a_fresh_node_predicts(gpu_node: Node) -> None:
    gpu_node.answers("modinfo", NO_MODULE)
    gpu_node.answers("systemctl show nvidia-persistenced", MISSING)
    result = gpu_node.run(main, check=True, driver_may_come=True)
    assert (result["changed"], result["reboot_required"]) == (True, False)
    assert result["done"][0] == "load nvidia"
    assert not [call for call in gpu_node.calls if call.startswith(("modprobe", "systemctl st"))]


def test_check_mode_foresees_the_boot_that_nouveau_makes_needed(
    gpu_node: Node, tmp_path: Path
) -> None:
    os.mkdir(tmp_path / "nouveau")
    gpu_node.answers("modinfo", NO_MODULE)
    result = gpu_node.run(main, check=True, driver_may_come=True)
    assert result["reboot_reasons"] == ["nouveau holds the GPUs until the next boot"]


def test_a_missing_module_is_an_error_and_no_boot(gpu_node: Node) -> None:
    gpu_node.answers("modinfo", NO_MODULE)
    assert "no kernel module was built for" in gpu_node.run(main)["msg"]


def test_a_module_for_a_kernel_that_waits_asks_for_the_boot(gpu_node: Node, tmp_path: Path) -> None:
    gpu_node.answers("modinfo", NO_MODULE)
    folder = tmp_path / "modules" / "9.9.9-later" / "updates" / "dkms"
    folder.mkdir(parents=True)
    (folder / "nvidia.ko.xz").write_text("")
    reasons = gpu_node.run(main)["reboot_reasons"]
    assert reasons == [f"the driver is built for kernel 9.9.9-later, and {os.uname().release} runs"]


def test_a_refused_module_is_an_error_in_words(gpu_node: Node) -> None:
    said = "modprobe: ERROR: could not insert 'nvidia': Key was rejected by service\n"
    gpu_node.answers("modprobe nvidia", (1, "", said))
    result = gpu_node.run(main)
    assert result["failed"] is True
    assert "Secure Boot is on and the module's key is not enrolled" in result["msg"]
