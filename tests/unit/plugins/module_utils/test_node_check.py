"""Claims about machines, their identities and names."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import Host
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_check import (
    check_unique_addresses,
    check_unique_hostnames,
    check_unique_machines,
    pattern_of,
)

from tests.unit.plugins.system_nodes import facts, inventory, node


def found(*hosts: Host) -> list[tuple[str, str, str]]:
    """Return code, host and what was seen, of all checks of identity."""
    given = inventory(*hosts)
    checks = (check_unique_machines, check_unique_addresses, check_unique_hostnames)
    return [(each.code, each.host, each.seen) for check in checks for each in check(given)]


ONE = "0" * 31 + "1"


def test_machines_of_their_own_have_no_finding() -> None:
    assert found(node("n1", facts=facts(1)), node("n2", facts=facts(2))) == []


def test_clones_with_addresses_of_their_own_have_one_machine_id() -> None:
    clone = facts(2, machine_id=ONE, system={"boot_id": "of-n2"})
    assert found(node("n1", facts=facts(1)), node("n2", facts=clone)) == [
        ("machine-id-doubled", "n1", "one /etc/machine-id on n1 and n2")
    ]


def test_containers_of_one_machine_share_the_boot_and_are_no_one_machine() -> None:
    clone = facts(2, machine_id=ONE)
    assert found(node("n1", facts=facts(1)), node("n2", facts=clone)) == [
        ("machine-id-doubled", "n1", "one /etc/machine-id on n1 and n2")
    ]


def test_clones_that_kept_address_and_name_are_told_of_each() -> None:
    clone = facts(1, system={"boot_id": "of-n2"})
    assert found(node("n1", facts=facts(1)), node("n2", facts=clone)) == [
        ("machine-id-doubled", "n1", "one /etc/machine-id on n1 and n2"),
        ("address-doubled", "n1", "198.19.1.1 on n1 and n2"),
        ("hostname-doubled", "n1", "hostname node1 on n1 and n2"),
    ]


def test_one_machine_under_two_names_is_told_once() -> None:
    assert found(node("n1", facts=facts(1)), node("n2", facts=facts(1))) == [
        ("address-doubled", "n1", "198.19.1.1 and one machine id on n1 and n2")
    ]


def test_one_machine_under_two_names_with_two_interfaces_is_told_once() -> None:
    second = facts(1, node_address="198.19.2.1")
    assert found(node("n1", facts=facts(1)), node("n2", facts=second)) == [
        ("address-doubled", "n1", "198.19.1.1 and 198.19.2.1 and one machine id on n1 and n2")
    ]


@pytest.mark.parametrize("machine_id", ["", "uninitialized"])
def test_machines_without_an_id_are_not_taken_for_one(machine_id: str) -> None:
    hosts = [node(f"n{number}", facts=facts(number, machine_id=machine_id)) for number in (1, 2)]
    assert found(*hosts) == []


def test_fix_gives_all_but_the_first_an_id_of_their_own() -> None:
    hosts = [
        node(f"n{number}", facts=facts(number, machine_id=ONE, system={"boot_id": f"b{number}"}))
        for number in (1, 2, 3)
    ]
    (finding,) = check_unique_machines(inventory(*hosts))
    assert finding.fix.startswith("ansible -i inv.ini -b -m ansible.builtin.shell -a 'rm -f /etc/")
    assert finding.fix.endswith("systemctl reboot' n2:n3")


def test_every_node_is_named_by_the_groups_that_have_hosts() -> None:
    given = inventory(node("n1", "ray_head"), node("n2", "monitoring"))
    assert pattern_of(given) == "ray_head:monitoring"
