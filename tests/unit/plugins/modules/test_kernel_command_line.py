"""Claims about the kernel_command_line module, with a folder in place of /boot and /etc."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import kernel_command_line
from ansible_collections.rackforge.gpu_cluster.plugins.modules.kernel_command_line import main

from tests.unit.plugins.modules.conftest import Node

OLD_MENU = "menuentry 'Debian' {\n\tlinux /boot/vmlinuz root=/dev/sda1 ro quiet\n}\n"
NEW_MENU = OLD_MENU.replace("quiet", "quiet pci=realloc")
DROPIN = (
    "# Managed by rackforge.gpu_cluster\n"
    'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT pci=realloc"\n'
)
ENTRY = 'index=0\nkernel="/boot/vmlinuz"\nargs="{}"\nroot="/dev/mapper/rl-root"\n'


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A node's disk. Nothing is on it but the running kernel's command line."""
    made = SimpleNamespace(
        running=tmp_path / "cmdline",
        dropin=tmp_path / "grub.d" / "60-rackforge.cfg",
        menu=tmp_path / "boot" / "grub.cfg",
        record=tmp_path / "rackforge-kernel-arguments",
        later=tmp_path / "kernel" / "cmdline",
    )
    for name, path in vars(made).items():
        monkeypatch.setattr(kernel_command_line, name.upper(), str(path))
    monkeypatch.setattr(kernel_command_line, "OTHERS", {str(made.later): "systemd-boot"})
    made.running.write_text("root=/dev/sda1 ro quiet\n")
    return made


@pytest.fixture
def debian(node: Node, disk: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A node with grub, whose update-grub takes the drop-in over into the menu."""
    disk.menu.parent.mkdir()
    disk.menu.write_text(OLD_MENU)
    node.answers("update-grub", (0, "", "done\n"))
    run_command = node.run_command

    def make_menu(args: list[str], **more: object) -> tuple[int, str, str]:
        answer = run_command(args, **more)  # type: ignore[arg-type]
        if args == ["update-grub"] and answer[0] == 0:
            taken = disk.dropin.exists() and "pci=realloc" in disk.dropin.read_text()
            disk.menu.write_text(NEW_MENU if taken else OLD_MENU)
        return answer

    monkeypatch.setattr(node, "run_command", make_menu)
    return disk


def test_grub_gets_a_dropin_and_a_boot_is_asked_for(node: Node, debian: SimpleNamespace) -> None:
    result = node.run(main, arguments=["pci=realloc"])
    assert (result["changed"], result["reboot_required"]) == (True, True)
    assert result["missing"] == ["pci=realloc"]
    assert debian.dropin.read_text() == DROPIN
    assert debian.menu.read_text() == NEW_MENU
    again = node.run(main, arguments=["pci=realloc"])
    assert (again["changed"], again["reboot_required"]) == (False, True)
    assert node.calls == ["update-grub"]


def test_after_the_boot_none_is_asked_for(node: Node, debian: SimpleNamespace) -> None:
    debian.running.write_text("root=/dev/sda1 ro quiet pci=realloc\n")
    result = node.run(main, arguments=["pci=realloc"])
    assert (result["reboot_required"], result["missing"]) == (False, [])


def test_a_run_that_died_before_update_grub_is_made_good(
    node: Node, debian: SimpleNamespace
) -> None:
    debian.dropin.parent.mkdir()
    debian.dropin.write_text(DROPIN)
    assert node.run(main, arguments=["pci=realloc"])["changed"] is True
    assert debian.menu.read_text() == NEW_MENU


def test_a_menu_that_is_older_than_the_dropin_is_made_anew(
    node: Node, debian: SimpleNamespace
) -> None:
    node.run(main, arguments=["pci=realloc"])
    os.utime(debian.menu, (1, 1))
    assert node.run(main, arguments=["pci=realloc"])["changed"] is True


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(
            (1, "", "grub-probe: error: cannot find a device for /.\n"),
            "'update-grub' exited 1: grub-probe: error: cannot find a device for /.; the file was"
            " put back as it was",
            id="update-grub-fails",
        ),
        pytest.param(
            (0, "", ""),
            "after update-grub no entry of {menu} has iommu=pt, so the file was put back as it was;"
            " a file that is read later sets GRUB_CMDLINE_LINUX_DEFAULT anew. See 'grep -r"
            " GRUB_CMDLINE_LINUX /etc/default/grub.d' on the node",
            id="a-later-file-wins",
        ),
    ],
)
def test_what_grub_does_not_take_is_put_back(
    node: Node, debian: SimpleNamespace, answer: tuple[int, str, str], said: str
) -> None:
    node.answers("update-grub", answer)
    result = node.run(main, arguments=["iommu=pt"])
    assert result["failed"] is True
    assert result["msg"] == "Could not change the kernel's command line: " + said.format(
        menu=debian.menu
    )
    assert not debian.dropin.exists()


def test_what_was_added_to_grub_is_taken_out(node: Node, debian: SimpleNamespace) -> None:
    node.run(main, arguments=["pci=realloc"])
    result = node.run(main, arguments=[])
    assert (result["changed"], result["reboot_required"]) == (True, False)
    assert not debian.dropin.exists()
    assert debian.menu.read_text() == OLD_MENU
    assert node.run(main, arguments=[])["changed"] is False


class Killed(BaseException):
    """The end of a run that nothing in it sees."""


def test_a_removal_that_died_in_update_grub_is_made_good(
    node: Node, debian: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.run(main, arguments=["pci=realloc"])
    with monkeypatch.context() as patch:

        def die(_args: list[str], **_more: object) -> tuple[int, str, str]:
            raise Killed

        patch.setattr(node, "run_command", die)
        with pytest.raises(Killed):
            node.run(main, arguments=[])
    assert debian.menu.read_text() == NEW_MENU
    assert debian.dropin.read_text() == "# Managed by rackforge.gpu_cluster\n"
    assert node.run(main, arguments=[])["changed"] is True
    assert debian.menu.read_text() == OLD_MENU
    assert not debian.dropin.exists()


def test_a_removal_that_grub_does_not_take_is_put_back(node: Node, debian: SimpleNamespace) -> None:
    node.run(main, arguments=["pci=realloc"])
    node.answers("update-grub", (1, "", "no space left\n"), (0, "", ""))
    result = node.run(main, arguments=[])
    assert "no space left; the file was put back as it was" in result["msg"]
    assert (debian.dropin.read_text(), debian.menu.read_text()) == (DROPIN, NEW_MENU)


def test_check_mode_predicts_and_writes_nothing(node: Node, debian: SimpleNamespace) -> None:
    result = node.run(main, check=True, arguments=["pci=realloc"])
    assert (result["changed"], result["reboot_required"]) == (True, True)
    assert result["diff"]["after"] == DROPIN
    assert not debian.dropin.exists()
    assert node.calls == []


def grubby(node: Node, *lines: str) -> None:
    """Let grubby show one entry with these command lines, one after the other."""
    node.answers("grubby --info=ALL", *((0, ENTRY.format(line), "") for line in lines))
    node.answers("grubby --update-kernel=ALL", (0, "", ""))


def test_grubby_changes_all_entries_and_later_kernels(node: Node, disk: SimpleNamespace) -> None:
    disk.later.parent.mkdir()
    disk.later.write_text("root=/dev/mapper/rl-root ro quiet\n")
    grubby(node, "ro quiet", "ro quiet pci=realloc")
    result = node.run(main, arguments=["quiet", "pci=realloc"])
    assert result["changed"] is True
    assert "grubby --update-kernel=ALL --args=pci=realloc" in node.calls
    assert disk.later.read_text() == "root=/dev/mapper/rl-root ro quiet pci=realloc\n"
    assert disk.record.read_text().endswith("\npci=realloc\n")
    assert node.run(main, arguments=["quiet", "pci=realloc"])["changed"] is False


def test_reset_leaves_the_arguments_that_the_owner_had(node: Node, disk: SimpleNamespace) -> None:
    grubby(node, "ro quiet", "ro quiet pci=realloc", "ro quiet pci=realloc", "ro quiet")
    node.run(main, arguments=["quiet", "pci=realloc"])
    assert node.run(main, arguments=[])["changed"] is True
    assert node.calls[-2] == "grubby --update-kernel=ALL --remove-args=pci=realloc"
    assert not disk.record.exists()
    assert node.run(main, arguments=[])["changed"] is False


def test_what_grubby_will_add_is_remembered_before_it_does(
    node: Node, disk: SimpleNamespace
) -> None:
    grubby(node, "ro")
    node.answers("grubby --update-kernel=ALL", (1, "", "grubby: no space left\n"))
    assert "exited 1: grubby: no space left" in node.run(main, arguments=["a=1"])["msg"]
    assert disk.record.read_text().endswith("\na=1\n")


@pytest.mark.parametrize(
    ("systemd_boot", "seen"),
    [
        pytest.param(True, "systemd-boot", id="systemd-boot"),
        pytest.param(False, "no boot loader that is known here", id="container"),
    ],
)
def test_a_node_without_grub_is_told_what_was_seen(
    node: Node, disk: SimpleNamespace, systemd_boot: bool, seen: str
) -> None:
    if systemd_boot:
        disk.later.parent.mkdir()
        disk.later.write_text("ro\n")
    result = node.run(main, arguments=["pci=realloc"])
    assert result["msg"] == (
        "Could not change the kernel's command line: os_base_kernel_arguments is pci=realloc, but"
        f" this node does not boot with grub; seen: {seen}; expected update-grub and"
        f" {disk.menu.parent}, or grubby. Give the arguments to its boot loader yourself and empty"
        " os_base_kernel_arguments for this node; nothing was changed"
    )


def test_reset_minds_no_missing_boot_loader(node: Node, disk: SimpleNamespace) -> None:
    assert disk.running.exists()
    assert node.run(main, arguments=[])["changed"] is False
    assert node.calls == []
