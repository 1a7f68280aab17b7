"""Claims about the rocm_node module, with a folder in place of sysfs and of /etc."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.modules import rocm_node
from ansible_collections.rackforge.gpu_cluster.plugins.modules.rocm_node import main

from tests.unit.plugins.modules.conftest import Answer, Node

OK: Answer = (0, "", "")
NONE: Answer = (1, "", "")
PACKAGE: Answer = (0, "installed 1:6.16.13.30300100-2303411.24.04", "")
TEXT = "# Managed by rackforge.gpu_cluster\n/opt/rocm/lib\n/opt/rocm/lib64\n"


class Place:
    """The node's files, in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.module = folder / "amdgpu"
        self.linker = folder / "ld.so.conf.d" / "60-rackforge-rocm.conf"
        self.cache = folder / "ld.so.cache"

    def runs(self, version: str | None, checksum: str = "AAAA") -> None:
        """Have the kernel run a build of amdgpu."""
        self.module.mkdir(exist_ok=True)
        (self.module / "srcversion").write_text(f"{checksum}\n")
        if version:
            (self.module / "version").write_text(f"{version}\n")

    def linked(self) -> None:
        """Have ROCm's libraries known to the linker."""
        self.linker.parent.mkdir(exist_ok=True)
        self.linker.write_text(TEXT)
        self.cache.write_text("cache")
        later = self.linker.stat().st_mtime + 1
        os.utime(self.cache, (later, later))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(tmp_path)
    monkeypatch.setattr(rocm_node, "LOADED", str(made.module))
    monkeypatch.setattr(rocm_node, "LINKER_FILE", str(made.linker))
    monkeypatch.setattr(rocm_node, "LINKER_CACHE", str(made.cache))
    return made


@pytest.fixture
def fresh(node: Node) -> Node:
    """A node with amdgpu-dkms 6.16.13 installed and built, and the users ada and bob."""
    node.answers("getent passwd", OK)
    node.answers("getent group render", (0, "render:x:992:bob\n", ""))
    node.answers("getent group video", (0, "video:x:44:\n", ""))
    node.answers("dpkg-query", PACKAGE)
    node.answers("modinfo --field version amdgpu", (0, "6.16.13\n", ""))
    node.answers("modinfo --field srcversion amdgpu", (0, "AAAA\n", ""))
    for program in ("usermod", "groupadd", "ldconfig", "modprobe"):
        node.answers(program, OK)
    return node


def changes(node: Node) -> list[str]:
    """Return the programs that change something."""
    names = ("usermod", "groupadd", "ldconfig", "modprobe amdgpu")
    return [call for call in node.calls if call.startswith(names)]


def loading(node: Node, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have 'modprobe amdgpu' load the module."""
    run = node.run_command

    def run_command(args: list[str], **more: object) -> Answer:
        if args == ["modprobe", "amdgpu"]:
            place.runs("6.16.13")
        return run(args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(node, "run_command", run_command)


def test_a_fresh_node_gets_everything_and_needs_no_boot(
    fresh: Node, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading(fresh, place, monkeypatch)
    result = fresh.run(main, driver="amdgpu-dkms", users=["ada", "bob"])
    assert result["done"] == [
        "add ada to group render",
        "add ada to group video",
        "add bob to group video",
        f"write {place.linker}",
        "tell the linker of ROCm's libraries",
        "load the module amdgpu",
    ]
    assert (result["changed"], result["reboot_required"]) == (True, False)
    assert changes(fresh) == [
        "usermod --append --groups render ada",
        "usermod --append --groups video ada",
        "usermod --append --groups video bob",
        "ldconfig",
        "modprobe amdgpu",
    ]
    assert place.linker.read_text() == TEXT


def test_a_second_run_changes_nothing(fresh: Node, place: Place) -> None:
    place.runs("6.16.13")
    place.linked()
    result = fresh.run(main, driver="amdgpu-dkms")
    assert (result["changed"], result["done"], result["reboot_reasons"]) == (False, [], [])
    assert changes(fresh) == []


def test_the_kernels_own_driver_that_runs_asks_for_a_boot_and_is_no_change(
    fresh: Node, place: Place
) -> None:
    place.runs(None, "BBBB")
    place.linked()
    result = fresh.run(main, driver="amdgpu-dkms")
    assert (result["changed"], result["reboot_required"]) == (False, True)
    assert result["reboot_reasons"] == [
        "the kernel runs the amdgpu of the kernel itself, installed is 6.16.13; it cannot be "
        "exchanged while it runs"
    ]


def test_what_a_killed_run_did_not_tell_the_linker_is_told(fresh: Node, place: Place) -> None:
    place.runs("6.16.13")
    place.linked()
    os.utime(place.cache, (1, 1))
    result = fresh.run(main, driver="amdgpu-dkms")
    assert result["done"] == ["tell the linker of ROCm's libraries"]
    assert changes(fresh) == ["ldconfig"]


def test_check_mode_predicts_before_anything_is_installed(node: Node, place: Place) -> None:
    node.answers("getent passwd", NONE)
    node.answers("getent group", (2, "", ""))
    node.answers("dpkg-query", (1, "", "dpkg-query: no packages found matching amdgpu-dkms\n"))
    node.answers("modinfo", (1, "", "modinfo: ERROR: Module amdgpu not found.\n"))
    node.answers("modprobe --showconfig", OK)
    result = node.run(main, check=True, driver="amdgpu-dkms", users=["ada"], users_may_come=True)
    assert result["done"] == [
        "add group render",
        "add group video",
        "add ada to group render",
        "add ada to group video",
        f"write {place.linker}",
        "tell the linker of ROCm's libraries",
        "load the module amdgpu",
    ]
    assert result["reboot_required"] is False
    assert result["diff"][0]["after"] == TEXT
    assert changes(node) == []
    assert not place.linker.exists()


@pytest.mark.usefixtures("place")
def test_a_user_that_is_missing_stops_before_the_first_change(fresh: Node) -> None:
    fresh.answers("getent passwd ada", NONE)
    result = fresh.run(main, users=["ada"])
    assert result["msg"] == (
        "Could not have AMD's GPUs within reach: rocm_users names ada, who is no user of this "
        "node; make them first (os_base_admin_users does), or correct the name"
    )
    assert changes(fresh) == []


@pytest.mark.usefixtures("place")
def test_a_module_that_was_not_built_is_named(fresh: Node) -> None:
    fresh.answers("modinfo --field version amdgpu", (0, "\n", ""))
    result = fresh.run(main, driver="amdgpu-dkms")
    assert "amdgpu-dkms 6.16.13 is installed, but kernel" in result["msg"]
    assert changes(fresh) == []


@pytest.mark.usefixtures("place")
def test_a_kernel_that_refuses_the_module_is_quoted(fresh: Node) -> None:
    fresh.answers("modprobe", OK)
    fresh.answers(
        "modprobe amdgpu",
        (1, "", "modprobe: ERROR: could not insert 'amdgpu': Key was rejected by service\n"),
    )
    result = fresh.run(main, driver="amdgpu-dkms")
    assert result["msg"] == (
        "Could not have AMD's GPUs within reach: the kernel does not load amdgpu: 'modprobe "
        "amdgpu' exited 1: modprobe: ERROR: could not insert 'amdgpu': Key was rejected by "
        "service; see 'journalctl -k -b' on the node for its reason (a key that Secure Boot does "
        "not know, firmware that is missing)"
    )


@pytest.mark.usefixtures("place")
def test_a_modprobe_that_loads_nothing_is_not_believed(fresh: Node) -> None:
    result = fresh.run(main, driver="amdgpu-dkms")
    assert "the kernel does not load amdgpu: 'modprobe amdgpu' loaded nothing" in result["msg"]


def test_a_blacklist_is_warned_of(
    fresh: Node, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: warnings.append(text))
    place.runs("6.16.13")
    place.linked()
    fresh.answers("modprobe --showconfig", (0, "blacklist amdgpu\n", ""))
    fresh.run(main, driver="amdgpu-dkms")
    assert warnings == [
        "amdgpu is on the blacklist of a file in /etc/modprobe.d, so that the next boot does not "
        "load it; 'grep -r amdgpu /etc/modprobe.d' shows where, take the line out"
    ]


def test_on_el_the_package_is_asked_of_rpm(node: Node, place: Place) -> None:
    place.runs("6.16.13")
    place.linked()
    node.answers("rpm --query", (0, "6.16.13.30300100-2303411.el9", ""))
    node.answers("modinfo --field version amdgpu", (0, "6.16.13\n", ""))
    node.answers("modinfo --field srcversion amdgpu", (0, "AAAA\n", ""))
    assert node.run(main, driver="amdgpu-dkms")["changed"] is False


def test_where_rocm_is_the_owners_the_linker_is_left_alone(fresh: Node, place: Place) -> None:
    place.runs(None)
    fresh.answers("dpkg-query", (1, "", "dpkg-query: no packages found matching amdgpu-dkms\n"))
    fresh.answers("modinfo --field version amdgpu", (0, "\n", ""))
    result = fresh.run(main, driver="any", libraries=False)
    assert (result["changed"], result["reboot_required"]) == (False, False)
    assert not place.linker.exists()
