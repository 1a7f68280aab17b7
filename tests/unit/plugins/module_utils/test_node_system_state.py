"""Claims about what files of a node mean."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_system_state import (
    addresses_in_answer,
    addresses_in_hosts,
    apt_upgrades,
    cgroup_mode,
    data_root,
    dnf_applies,
    kernels_in,
    newer_kernel,
    strict_modes,
    too_open,
)

UBUNTU = """\
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
"""


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        pytest.param({"/sys/fs/cgroup": "cgroup2"}, "v2", id="debian-13"),
        pytest.param({"/sys/fs/cgroup": "tmpfs", "/sys/fs/cgroup/cpu": "cgroup"}, "v1", id="el-8"),
        pytest.param(
            {
                "/sys/fs/cgroup": "tmpfs",
                "/sys/fs/cgroup/cpu": "cgroup",
                "/sys/fs/cgroup/unified": "cgroup2",
            },
            "hybrid",
            id="lab",
        ),
        pytest.param({"/sys/fs/cgroup": "tmpfs"}, None, id="hidden"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_mode_of_control_groups(kinds: dict[str, str], expected: str | None) -> None:
    assert cgroup_mode(kinds) == expected


@pytest.mark.parametrize(
    ("running", "installed", "expected"),
    [
        pytest.param("6.12.48+deb13-amd64", ["6.12.48+deb13-amd64"], None, id="newest-runs"),
        pytest.param(
            "6.12.48+deb13-amd64",
            ["6.12.48+deb13-amd64", "6.12.57+deb13-amd64"],
            "6.12.57+deb13-amd64",
            id="debian",
        ),
        pytest.param(
            "6.8.0-9-generic",
            ["6.8.0-9-generic", "6.8.0-60-generic"],
            "6.8.0-60-generic",
            id="ubuntu",
        ),
        pytest.param(
            "5.14.0-570.el9_6.x86_64",
            ["5.14.0-570.el9_6.x86_64", "5.14.0-570.12.1.el9_6.x86_64"],
            "5.14.0-570.12.1.el9_6.x86_64",
            id="el-9",
        ),
        pytest.param(
            "5.14.0-570.el9_6.x86_64",
            ["5.14.0-570.el9_6.x86_64", "5.14.0-570.8.1.el9_6.x86_64"],
            "5.14.0-570.8.1.el9_6.x86_64",
            id="el-9-first-update",
        ),
        pytest.param(
            "6.8.0-60-generic",
            ["6.8.0-60-generic", "6.11.0-8-lowlatency"],
            None,
            id="other-flavour",
        ),
        pytest.param("6.18.44-fc", ["6.8.0-60-generic"], None, id="started-from-elsewhere"),
        pytest.param("", [""], None, id="nothing-known"),
    ],
)
def test_newer_kernel_of_the_same_flavour(
    running: str, installed: list[str], expected: str | None
) -> None:
    assert newer_kernel(running, installed) == expected


def test_kernels_in_boot_are_those_that_start() -> None:
    names = ["vmlinuz-6.8.0-60-generic", "initrd.img-6.8.0-60-generic", "vmlinuz-0-rescue-4c6f"]
    assert kernels_in(names) == ["6.8.0-60-generic"]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([UBUNTU], True, id="ubuntu"),
        pytest.param([UBUNTU, 'APT::Periodic::Unattended-Upgrade "0";'], False, id="last-counts"),
        pytest.param(['// APT::Periodic::Unattended-Upgrade "1";\n'], None, id="comment"),
        pytest.param(['# APT::Periodic::Unattended-Upgrade "1";\n'], None, id="hash"),
        pytest.param(
            ['APT::Periodic {\n  Update-Package-Lists "1";\n  Unattended-Upgrade "1";\n};'],
            True,
            id="block",
        ),
        pytest.param(['apt::periodic::unattended-upgrade "always";'], True, id="case-and-word"),
        pytest.param(['APT::Periodic::Unattended-Upgrade ""'], False, id="empty"),
        pytest.param(["\0\ufffd{{{;;"], None, id="garbage"),
    ],
)
def test_apt_says_whether_it_upgrades_by_itself(texts: list[str], expected: bool | None) -> None:
    assert apt_upgrades(texts) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", False, id="empty"),
        pytest.param("[commands]\napply_updates = yes\n", True, id="applies"),
        pytest.param("[commands]\napply_updates = no\n", False, id="reports"),
        pytest.param("[base]\napply_updates = yes\n", False, id="other-section"),
        pytest.param("[commands]\n# apply_updates = yes\n", False, id="comment"),
    ],
)
def test_dnf_automatic_says_whether_it_installs(text: str, expected: bool) -> None:
    assert dnf_applies(text) is expected


def test_addresses_of_a_name_in_a_hosts_file() -> None:
    text = "127.0.0.1 localhost\n127.0.1.1\tNode1.lab node1 # node1\n#198.18.0.1 node1\n\n::1 x\n"
    assert addresses_in_hosts(text, "node1") == ["127.0.1.1"]
    assert addresses_in_hosts(text, "absent") == []


def test_an_answer_names_each_address_once() -> None:
    text = "127.0.1.1 STREAM node1\n127.0.1.1 DGRAM\n127.0.1.1 RAW\n::1 STREAM\n\n"
    assert addresses_in_answer(text) == ["127.0.1.1", "::1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('{"data-root": "/data/docker"}', "/data/docker", id="given"),
        pytest.param('{"data-root": 7}', "", id="no-text"),
        pytest.param('{"data-root": "relative"}', "", id="relative"),
        pytest.param("[]", "", id="list"),
        pytest.param('{"data-root": ', "", id="truncated"),
        pytest.param("", "", id="no-file"),
    ],
)
def test_data_root_of_docker(text: str, expected: str) -> None:
    assert data_root(text) == expected


def test_paths_that_sshd_refuses() -> None:
    entries = [
        {"path": "/home/ops", "mode": "0775", "owner": 1000, "private_group": True},
        {"path": "/home/ops/.ssh", "mode": "0770", "owner": 1000, "private_group": False},
        {"path": "/home/ops/.ssh/authorized_keys", "mode": "0644", "owner": 0},
    ]
    assert [each["path"] for each in too_open(entries, 1000)] == ["/home/ops/.ssh"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("port 22\nstrictmodes yes\n", True, id="yes"),
        pytest.param("strictmodes no\n", False, id="no"),
        pytest.param("gssapistrictacceptorcheck yes\n", None, id="not-said"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_strict_modes_as_sshd_says(text: str, expected: bool | None) -> None:
    assert strict_modes(text) is expected
