"""Claims about the node_info module, with a fake in place of the node's programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.modules.node_info import (
    read_clock,
    read_network,
    read_node,
)

ADDRESSES = (
    '[{"ifname":"lo","flags":["LOOPBACK"],"addr_info":[{"family":"inet","local":"127.0.0.1",'
    '"prefixlen":8}]},{"ifname":"eth1","operstate":"UP","addr_info":[{"family":"inet",'
    '"local":"198.19.1.2","prefixlen":24}]}]'
)


class FakeNode:
    """A node whose programs answer with recorded text."""

    def __init__(self, programs: Mapping[str, tuple[int, str]]) -> None:
        self.programs = dict(programs)

    def run_command(
        self, args: list[str], data: Optional[str], environ_update: dict[str, str]
    ) -> tuple[int, str, str]:
        """Answer for the first known program (and its last word) in ``args``."""
        del data, environ_update
        for key, (rc, out) in self.programs.items():
            if all(word in args for word in key.split()):
                return rc, out, ""
        raise AssertionError(f"unexpected command {args}")

    def get_bin_path(
        self, arg: str, required: bool = False, opt_dirs: Optional[Sequence[str]] = None
    ) -> Optional[str]:
        """Find the programs that the recording names."""
        del required, opt_dirs
        return arg if any(arg in key.split() for key in self.programs) else None


def command(programs: Mapping[str, tuple[int, str]]) -> Command:
    return Command(FakeNode({"timeout-program timeout": (0, ""), **programs}))


WITH_IP = {
    "ip addr": (0, ADDRESSES),
    "ip route": (0, '[{"dst":"default","dev":"eth1"}]'),
}


def test_the_node_address_is_found_with_ip() -> None:
    network = read_network(command(WITH_IP), "eth1", "")
    assert (network["node_interface"], network["node_address"]) == ("eth1", "198.19.1.2")
    assert network["address_problem"] is None
    assert network["default_interface"] == "eth1"


def test_a_wrong_interface_is_told_as_data() -> None:
    network = read_network(command(WITH_IP), "eth9", "")
    assert network["node_address"] is None
    assert network["address_problem"]["code"] == "my-iface-missing"
    assert network["address_problem"]["seen"] == "eth1 198.19.1.2/24"


def test_a_node_without_ip_is_told_as_data() -> None:
    network = read_network(command({}), "eth1", "")
    assert network["interfaces"] == []
    assert network["address_problem"]["code"] == "iproute2-missing"


@pytest.mark.parametrize(
    ("programs", "expected"),
    [
        pytest.param({"timedatectl": (0, "NTPSynchronized=yes\n")}, True, id="timedatectl-yes"),
        pytest.param({"timedatectl": (0, "NTPSynchronized=no\n")}, False, id="timedatectl-no"),
        pytest.param(
            {
                "timedatectl": (1, "No bus"),
                "chronyc": (0, "Leap status : Normal"),
            },
            True,
            id="chronyc-where-timedatectl-fails",
        ),
        pytest.param({"timedatectl": (124, "")}, None, id="timedatectl-hangs"),
        pytest.param({}, None, id="no-program"),
    ],
)
def test_the_clock_is_asked(programs: Mapping[str, tuple[int, str]], expected: bool | None) -> None:
    assert read_clock(command(programs)) is expected


def test_the_node_tells_everything_the_roles_need() -> None:
    node = read_node(command(WITH_IP), "", "")
    assert set(node) >= {
        "architecture",
        "clock_synchronised",
        "cpu_count",
        "hostname",
        "interfaces",
        "kernel",
        "machine_id",
        "memory_mib",
        "node_address",
        "node_interface",
        "os",
        "python_version",
        "uid",
        "user",
    }
