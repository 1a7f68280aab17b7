"""Claims about arguments of the kernel, on recorded files of boot loaders."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.kernel_arguments import (
    GrubbyPlan,
    KernelArgumentError,
    check_arguments,
    menu_lacks,
    missing_from,
    parse_grubby,
    parse_record,
    plan_grubby,
    render_dropin,
    render_record,
    with_arguments,
)

# grub.cfg of Debian 13, shortened: one kernel, its rescue entry, and another system on the disk.
MENU = """\
menuentry 'Debian GNU/Linux' --class debian {
\tlinux\t/boot/vmlinuz-6.12.0-1-amd64 root=UUID=1111-2222 ro  quiet pci=realloc
\tinitrd\t/boot/initrd.img-6.12.0-1-amd64
}
\tmenuentry 'Debian GNU/Linux, with Linux 6.12.0-1-amd64 (recovery mode)' {
\t\tlinux\t/boot/vmlinuz-6.12.0-1-amd64 root=UUID=1111-2222 ro single
\t}
menuentry 'Other' {
\tlinux /boot/vmlinuz root=/dev/sdb1
}
"""
# grubby --info=ALL of Rocky Linux 9.4 and, with one kernel, of EL 8.
ROCKY_9 = """\
index=0
kernel="/boot/vmlinuz-5.14.0-427.42.1.el9_4.x86_64"
args="ro crashkernel=1G-4G:192M,4G-64G:256M,64G-:512M rd.lvm.lv=rl/root $tuned_params"
root="/dev/mapper/rl-root"
initrd="/boot/initramfs-5.14.0-427.42.1.el9_4.x86_64.img $tuned_initrd"
title="Rocky Linux (5.14.0-427.42.1.el9_4.x86_64) 9.4 (Blue Onyx)"
id="63d587c2144840dcbb5dff9795a00d50-5.14.0-427.42.1.el9_4.x86_64"
index=1
kernel="/boot/vmlinuz-0-rescue-63d587c2144840dcbb5dff9795a00d50"
args="ro crashkernel=1G-4G:192M rd.lvm.lv=rl/root"
root="/dev/mapper/rl-root"
"""


@pytest.mark.parametrize(
    "argument",
    [
        "pci=realloc",
        "iommu=pt",
        "nvme_core.io_timeout=4294967295",
        "console=ttyS0,115200n8",
        "nopti",
        "crashkernel=1G-4G:192M,4G-:512M",
        "rd.driver.blacklist=nouveau",
        "isolcpus=1-3,5",
    ],
)
def test_plain_arguments_pass(argument: str) -> None:
    check_arguments([argument])


@pytest.mark.parametrize(
    "argument", ["", "a b", "a=$(reboot)", 'x="y"', "a'b", "a\\b", "-x", "a\nb"]
)
def test_what_a_shell_would_read_otherwise_is_refused(argument: str) -> None:
    with pytest.raises(KernelArgumentError, match="os_base_kernel_arguments has '"):
        check_arguments(["quiet", argument])


def test_running_kernel_is_compared_word_by_word() -> None:
    running = "BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 ro pci=realloc,noacs quiet\n"
    assert missing_from(running, ["pci=realloc", "quiet"]) == ["pci=realloc"]


def test_dropin_appends_to_what_the_owner_has() -> None:
    assert render_dropin(["pci=realloc", "iommu=pt"]) == (
        "# Managed by rackforge.gpu_cluster\n"
        'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT pci=realloc iommu=pt"\n'
    )
    assert render_dropin([]) is None


@pytest.mark.parametrize(
    ("menu", "arguments", "expected"),
    [
        pytest.param(MENU, ["pci=realloc"], [], id="there"),
        pytest.param(MENU, ["pci=realloc", "iommu=pt"], ["iommu=pt"], id="one-lacks"),
        pytest.param(MENU, ["single"], ["single"], id="rescue-entries-do-not-count"),
        pytest.param("set timeout=5\n", ["pci=realloc"], [], id="no-kernel"),
    ],
)
def test_menu_is_searched_for_arguments(
    menu: str, arguments: list[str], expected: list[str]
) -> None:
    assert menu_lacks(menu, arguments) == expected


def test_command_lines_are_read_from_grubby() -> None:
    assert parse_grubby(ROCKY_9) == [
        "ro crashkernel=1G-4G:192M,4G-64G:256M,64G-:512M rd.lvm.lv=rl/root $tuned_params",
        "ro crashkernel=1G-4G:192M rd.lvm.lv=rl/root",
    ]


@pytest.mark.parametrize(
    ("entries", "later", "recorded", "wanted", "expected", "argv"),
    [
        pytest.param(
            ["ro quiet", "ro"],
            None,
            [],
            ["pci=realloc"],
            GrubbyPlan(("pci=realloc",), (), ("pci=realloc",), ("pci=realloc",)),
            ["grubby", "--update-kernel=ALL", "--args=pci=realloc"],
            id="first",
        ),
        pytest.param(
            ["ro pci=realloc"],
            "ro pci=realloc\n",
            ["pci=realloc"],
            ["pci=realloc"],
            GrubbyPlan((), (), ("pci=realloc",), ("pci=realloc",)),
            ["grubby", "--update-kernel=ALL"],
            id="second-run",
        ),
        pytest.param(
            ["ro pci=realloc"],
            None,
            [],
            ["pci=realloc"],
            GrubbyPlan((), (), (), ()),
            ["grubby", "--update-kernel=ALL"],
            id="the-owner-had-it",
        ),
        pytest.param(
            ["ro a=1 b=2"],
            None,
            ["a=1", "b=2"],
            ["b=2", "c=3"],
            GrubbyPlan(("c=3",), ("a=1",), ("a=1", "b=2", "c=3"), ("b=2", "c=3")),
            ["grubby", "--update-kernel=ALL", "--args=c=3", "--remove-args=a=1"],
            id="changed",
        ),
        pytest.param(
            ["ro a=1 quiet"],
            None,
            ["a=1"],
            [],
            GrubbyPlan((), ("a=1",), ("a=1",), ()),
            ["grubby", "--update-kernel=ALL", "--remove-args=a=1"],
            id="taken-out",
        ),
        pytest.param(
            ["ro a=1"],
            "ro quiet\n",
            ["a=1"],
            ["a=1"],
            GrubbyPlan(("a=1",), (), ("a=1",), ("a=1",)),
            ["grubby", "--update-kernel=ALL", "--args=a=1"],
            id="later-kernels-lack-it",
        ),
        pytest.param(
            ["ro"],
            None,
            ["a=1"],
            ["a=1"],
            GrubbyPlan(("a=1",), (), ("a=1",), ("a=1",)),
            ["grubby", "--update-kernel=ALL", "--args=a=1"],
            id="killed-before-grubby",
        ),
    ],
)
def test_grubby_is_told_what_lacks(
    entries: list[str],
    later: str | None,
    recorded: list[str],
    wanted: list[str],
    expected: GrubbyPlan,
    argv: list[str],
) -> None:
    plan = plan_grubby(entries, later, recorded, wanted)
    assert plan == expected
    assert plan.argv() == argv


def test_record_is_read_as_it_was_written() -> None:
    text = render_record(["pci=realloc", "iommu=pt", "iommu=pt"])
    assert text == (
        "# Managed by rackforge.gpu_cluster\n"
        "# What was added to the kernel's command line; remove takes it out again.\n"
        "iommu=pt\npci=realloc\n"
    )
    assert parse_record(text) == ["iommu=pt", "pci=realloc"]
    assert render_record([]) is None
    assert parse_record(None) == []


@pytest.mark.parametrize(
    ("line", "add", "remove", "expected"),
    [
        pytest.param("ro  quiet\n", ["a=1"], [], "ro quiet a=1\n", id="added"),
        pytest.param("ro  quiet\n", ["quiet"], [], "ro  quiet\n", id="there-byte-for-byte"),
        pytest.param("ro quiet a=1\n", [], ["a=1"], "ro quiet\n", id="removed"),
    ],
)
def test_line_of_later_kernels(line: str, add: list[str], remove: list[str], expected: str) -> None:
    assert with_arguments(line, add, remove) == expected
