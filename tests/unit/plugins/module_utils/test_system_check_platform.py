"""Claims about the support table, machine types, kernels and control groups."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_facts import (
    parse_os_release,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_requirements import (
    SUPPORT_TABLE,
    SUPPORTED,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_platform import (
    check_mixed_machines,
    check_platforms,
)

from tests.unit.plugins.system_nodes import brief, facts, inventory, node


def os_release(name: str, version: str, like: str = "") -> dict[str, str]:
    """Return the system that an os-release with these entries describes."""
    text = f'ID={name}\nVERSION_ID="{version}"\nID_LIKE="{like}"\nPRETTY_NAME="{name} {version}"\n'
    return parse_os_release(text).to_dict()


@pytest.mark.parametrize(
    ("name", "version", "like", "expected"),
    [
        pytest.param("debian", "12", "", [], id="debian-12"),
        pytest.param("debian", "13", "", [], id="debian-13"),
        pytest.param("ubuntu", "22.04", "debian", [], id="ubuntu-22.04"),
        pytest.param("ubuntu", "24.04", "debian", [], id="ubuntu-24.04"),
        pytest.param("rocky", "8.10", "rhel centos fedora", [], id="rocky-8.10"),
        pytest.param("rhel", "9.6", "fedora", [], id="rhel-9"),
        pytest.param("almalinux", "10.0", "rhel centos fedora", [], id="alma-10"),
        pytest.param("debian", "11", "", ["warning os-untested"], id="debian-11"),
        pytest.param("debian", "", "", ["warning os-untested"], id="debian-testing"),
        pytest.param("ubuntu", "24.10", "debian", ["warning os-untested"], id="ubuntu-24.10"),
        pytest.param("centos", "9", "rhel fedora", ["warning os-untested"], id="centos-stream"),
        pytest.param("rocky", "7.9", "rhel", ["warning os-untested"], id="el-7"),
        pytest.param("mint", "22", "ubuntu debian", ["warning os-untested"], id="derivative"),
        pytest.param("sles", "15.6", "suse", ["error os-unsupported"], id="suse"),
        pytest.param("arch", "", "", ["error os-unsupported"], id="unknown-family"),
        pytest.param("", "", "", [], id="unreadable"),
    ],
)
def test_a_system_is_looked_up_in_the_support_table(
    name: str, version: str, like: str, expected: list[str]
) -> None:
    found = brief(check_platforms, node("n1", facts=facts(1, os=os_release(name, version, like))))
    assert [f"{severity} {code}" for severity, _host, code, _seen in found] == expected


@pytest.mark.parametrize("name", ["Debian", "Ubuntu", "Rocky", "RHEL", "AlmaLinux"])
def test_the_table_that_is_shown_names_every_distribution(name: str) -> None:
    assert name.lower() in SUPPORTED
    assert name in SUPPORT_TABLE


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        pytest.param("x86_64", [], id="amd64"),
        pytest.param("aarch64", [], id="grace"),
        pytest.param(
            "ppc64le", [("error", "n1", "architecture-unsupported", "ppc64le")], id="power"
        ),
    ],
)
def test_machine_types_are_those_that_ray_is_built_for(
    machine: str, expected: list[tuple[str, str, str, str]]
) -> None:
    assert brief(check_platforms, node("n1", facts=facts(1, architecture=machine))) == expected


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        pytest.param("4.18.0-553.el8_10.x86_64", [], id="el-8"),
        pytest.param("6.18.44", [], id="plain"),
        pytest.param("vendor-kernel", [], id="no-number"),
        pytest.param(
            "3.10.0-1160.el7.x86_64",
            [("warning", "n1", "kernel-too-old", "3.10.0-1160.el7.x86_64")],
            id="el-7",
        ),
        pytest.param(
            "4.9.0", [("warning", "n1", "kernel-too-old", "4.9.0")], id="4.9-is-below-4.18"
        ),
    ],
)
def test_kernels_older_than_the_table_are_told(
    release: str, expected: list[tuple[str, str, str, str]]
) -> None:
    assert brief(check_platforms, node("n1", facts=facts(1, kernel=release))) == expected


@pytest.mark.parametrize(
    ("profile", "group", "mode", "expected"),
    [
        pytest.param("k3s", "k3s_agent", "v2", [], id="k3s-v2"),
        pytest.param("k3s", "k3s_agent", "v1", ["control groups v1"], id="k3s-v1"),
        pytest.param("k3s", "k3s_server", "hybrid", ["control groups hybrid"], id="k3s-hybrid"),
        pytest.param("ray", "ray_worker", "v1", [], id="docker-serves-v1"),
        pytest.param("k3s", "k3s_agent", None, [], id="unknown"),
    ],
)
def test_control_groups_of_version_1_matter_to_k3s(
    profile: str, group: str, mode: str | None, expected: list[str]
) -> None:
    host = node("n1", group, facts=facts(1, system={"cgroup": mode}))
    found = brief(check_platforms, host, profiles=(profile,))
    assert found == [("warning", "n1", "cgroup-v1", seen) for seen in expected]


def test_a_ray_cluster_of_two_machine_types_is_told_once() -> None:
    hosts = [
        node("n1", "ray_head", facts=facts(1)),
        node("n2", facts=facts(2, architecture="aarch64")),
        node("n3", facts=facts(3, architecture="aarch64")),
    ]
    assert brief(check_mixed_machines, *hosts) == [
        ("warning", "inventory", "architecture-mixed", "aarch64: n2 and n3; x86_64: n1")
    ]


def test_machine_types_of_nodes_without_ray_do_not_matter() -> None:
    hosts = [
        node("n1", "ray_head", facts=facts(1)),
        node("m1", "monitoring", facts=facts(2, architecture="aarch64")),
    ]
    assert check_mixed_machines(inventory(*hosts)) == []
