"""Claims about the inventory that discover.yml writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.discovery import (
    Device,
    Link,
    Machine,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.discovery_inventory import (
    Discovered,
    name_machines,
    render_inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_facts import (
    OperatingSystem,
)

DEBIAN = OperatingSystem("debian", "12", "bookworm", "Debian GNU/Linux 12 (bookworm)", "Debian")


def machine(number: int, **more: object) -> Machine:
    """Return a machine without a GPU about which nothing is doubtful."""
    made = Machine(
        address=f"203.0.113.{number}",
        hostname=f"node{number}.example",
        machine_id=str(number),
        os=DEBIAN,
        architecture="x86_64",
        cpus=8,
        memory_mib=16384,
        disk_gib=200,
        sudo="free",
        python="3.11.2",
        links=(
            Link("eth0", f"203.0.113.{number}/24", True, 1000),
            Link("eth1", f"10.1.0.{number}/24", False, 25000),
        ),
    )
    return replace(made, **more)  # type: ignore[arg-type]


GPU = (Device("0302", "0x10de", "2330"),)


def found(*machines: Machine, **more: object) -> Discovered:
    made = Discovered(("203.0.113.0/29",), machines, {}, login={"ansible_user": "ops"}, count=6)
    return replace(made, **more)  # type: ignore[arg-type]


def test_the_whole_text() -> None:
    text = render_inventory(
        found(
            machine(1, devices=GPU, host_key="SHA256:abc"),
            machine(2),
            refused={"203.0.113.4": "Permission denied (publickey)."},
            silent=("203.0.113.5",),
        )
    )
    assert (
        text
        == """# Found by discover.yml in 203.0.113.0/29:
# 6 addresses asked, 2 let us in, 1 refused; 2 different machines.
# Look at every CHECK, then: ansible-playbook -i THIS_FILE playbooks/preflight.yml
#
# my_iface is the interface in 10.1.0.0/24: 2 of 2 machines have an address in it, private, 25000 Mbit/s at least, no default route leads through it.
# CHECK: the machines share 203.0.113.0/24 as well.

[ray_head]
# node2.example: Debian GNU/Linux 12 (bookworm), x86_64, 8 CPUs, 16 GiB memory, 200 GiB disk on /; no GPU
# eth0 203.0.113.2/24 (default route, 1000 Mbit/s); eth1 10.1.0.2/24 (25000 Mbit/s)
node2 ansible_host=203.0.113.2 my_iface=eth1 has_gpu=false

[ray_worker]
# node1.example: Debian GNU/Linux 12 (bookworm), x86_64, 8 CPUs, 16 GiB memory, 200 GiB disk on /; 1 NVIDIA GPU(s), PCI 10de:2330
# eth0 203.0.113.1/24 (default route, 1000 Mbit/s); eth1 10.1.0.1/24 (25000 Mbit/s)
# host key SHA256:abc
node1 ansible_host=203.0.113.1 my_iface=eth1 has_gpu=true

[all:vars]
# CHECK: a name of your own; it names the folder of the cluster's secrets.
cluster_name=gpu-cluster
cluster_subnet=10.1.0.0/24
ansible_user=ops

# CHECK: these answered on the SSH port and did not let us in:
# 203.0.113.4: Permission denied (publickey).

# CHECK: nothing answered on the SSH port of these:
# 203.0.113.5
"""  # noqa: E501 - the text as it is
    )


def test_ansible_reads_it(tmp_path: Path) -> None:
    evil = machine(3, hostname="x\n[all:vars]\nansible_user=evil", devices=GPU)
    evil = replace(evil, os=replace(DEBIAN, name="Evil\n[ray_head]\nevil"))
    file = tmp_path / "inv.ini"
    file.write_text(render_inventory(found(machine(1, devices=GPU), machine(2), evil)))
    manager = InventoryManager(loader=DataLoader(), sources=[str(file)])
    groups = manager.get_groups_dict()
    assert groups["ray_head"] == ["node2"]
    assert groups["ray_worker"] == ["node1", "node-203-0-113-3"]
    assert manager.get_host("node1").vars["has_gpu"] == "true"
    assert manager.groups["all"].vars["ansible_user"] == "ops"


def checks(text: str) -> list[str]:
    """Return what is doubtful about machines, without what every inventory says."""
    every = [line.partition("CHECK: ")[2] for line in text.splitlines() if "CHECK: " in line]
    return [each for each in every if "name of your own" not in each and "as well" not in each]


def test_each_doubt_is_marked() -> None:
    odd = machine(
        3,
        hostname="localhost",
        sudo="asks",
        python="3.6.8",
        architecture="aarch64",
        os=OperatingSystem(name="SLES 15"),
        links=(Link("eth0", "198.51.100.3/24"),),
    )
    assert checks(
        render_inventory(found(machine(1), machine(2, devices=GPU), odd, machine(4)))
    ) == [
        "3 machines have no GPU; any of them can be the head",
        "has no address in 10.1.0.0/24: set my_iface, or take the machine out",
        "the name is made of the address: the machine's own is missing, odd or taken",
        "this system is none that the collection has been written for",
        "Python 3.6.8: bootstrap.yml installs a newer one",
        "sudo asks for a password or is missing: bootstrap.yml, or -K with every run",
        "aarch64, while most machines are x86_64",
    ]


def test_a_network_of_most_machines_is_pointed_at() -> None:
    lonely = machine(3, devices=GPU, links=(Link("eth0", "203.0.113.3/24"),))
    text = render_inventory(found(machine(1), machine(2, devices=GPU), lonely))
    assert checks(text) == ["2 of 3 machines share 10.1.0.0/24."]


def test_clones_are_marked() -> None:
    text = render_inventory(found(machine(1), machine(2, devices=GPU, machine_id="1")))
    assert sum("same /etc/machine-id" in each for each in checks(text)) == 2


def test_two_interfaces_in_one_network_are_marked() -> None:
    links = (Link("eth1", "10.1.0.1/24"), Link("eth2", "10.1.0.2/24"))
    text = render_inventory(found(machine(1, links=links)))
    assert checks(text) == ["eth1 and eth2 are in the same network: which one is my_iface?"]


def test_machines_without_a_common_network_are_left_open() -> None:
    lonely = machine(2, devices=GPU, links=(Link("eth1", "10.2.0.2/24"),))
    other = machine(1, links=(Link("eth1", "10.1.0.1/24"),))
    text = render_inventory(found(other, lonely))
    assert "my_iface=" not in text
    assert "cluster_subnet" not in text
    assert checks(text) == [
        "my_iface is open: no two machines are on the same network.",
        "my_iface is open: no network was found that the machines share",
        "my_iface is open: no network was found that the machines share",
    ]


def test_when_every_machine_has_a_gpu_the_owner_chooses_the_head() -> None:
    text = render_inventory(found(machine(1, devices=GPU), machine(2, devices=GPU)))
    assert checks(text) == ["every machine has a GPU; which one is to be the head is your choice"]


def test_a_machine_alone_is_a_head() -> None:
    text = render_inventory(found(machine(1, devices=GPU)))
    assert "[ray_head]\n# node1" in text
    assert checks(text) == []


def test_names_that_are_taken_or_mean_something_else_are_not_used() -> None:
    hosts = [
        machine(1, hostname="gpu.lab.example"),
        machine(2, hostname="GPU"),
        machine(3, hostname="ray_head"),
        machine(4, hostname="all"),
        machine(5, hostname="42"),
        machine(6, hostname="good-1"),
    ]
    assert list(name_machines(hosts).values()) == [
        "node-203-0-113-1",
        "node-203-0-113-2",
        "node-203-0-113-3",
        "node-203-0-113-4",
        "node-203-0-113-5",
        "good-1",
    ]
