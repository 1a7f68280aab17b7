# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boots the nodes of a lab, finds those that are there, and removes them."""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.lab.engine import uplink_mtu
from tests.lab.inventory import parse_host_keys, render_resolv_conf, render_setup
from tests.lab.paths import State
from tests.lab.shell import LabError, check, docker_json, docker_lines, run, say
from tests.lab.topology import (
    Node,
    cluster_network,
    cluster_subnet,
    first_port,
    management_network,
    management_subnet,
    subnet_candidates,
)

LAB_LABEL = "rackforge.lab"
ID_LABEL = "rackforge.lab.id"
NUMBER_LABEL = "rackforge.lab.node"
OS_LABEL = "rackforge.lab.os"
BOOT_TIMEOUT_SECONDS = 120

# --privileged fails where CAP_SYS_RESOURCE is withheld; systemd and a nested engine need these.
BOOT_FLAGS = (
    *("--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"),
    *("--security-opt", "seccomp=unconfined", "--security-opt", "systempaths=unconfined"),
    *("--cgroupns=host", "-v", "/sys/fs/cgroup:/sys/fs/cgroup:rw"),
    *("--tmpfs", "/run:exec", "--tmpfs", "/run/lock"),
    *("--tmpfs", "/tmp:exec"),  # noqa: S108 (the node's own)
    # Device files of simulated GPUs (nvidia, dri, nvidia-uvm, kfd): nothing is behind them, but
    # systemd may watch them.
    *(f"--device-cgroup-rule=c {major}:* rwm" for major in (195, 226, 510, 511)),
    *("--shm-size", "2g", "--restart", "unless-stopped", "--stop-signal", "SIGRTMIN+3"),
    *("-v", "/var/lib/docker"),
)


@dataclass(frozen=True)
class Found:
    """A lab node's container as the engine reports it."""

    container: str
    lab: str
    lab_id: str
    number: int
    os: str
    image: str
    status: str
    addresses: tuple[tuple[str, str], ...]
    port: int
    pid: int

    @property
    def networks(self) -> tuple[str, ...]:
        """The names of the networks that the node is attached to."""
        return tuple(name for name, _ in self.addresses)

    @property
    def whole(self) -> bool:
        """Whether the container was made to the end: on both networks, and started."""
        wanted = {management_network(self.lab), cluster_network(self.lab)}
        return set(self.networks) == wanted and self.status not in ("created", "dead", "removing")


def find_nodes(lab: str | None = None) -> list[Found]:
    """Return the containers of one lab or of all labs, by lab and number."""
    label = f"label={LAB_LABEL}={lab}" if lab else f"label={LAB_LABEL}"
    ids = docker_lines("ps", "-aq", "--no-trunc", "--filter", label)
    if not ids:
        return []
    done = run(["docker", "inspect", *ids])
    # A container removed between the two commands is left out of the answer, with status 1.
    found = [parse_container(entry) for entry in json.loads(done.stdout or "[]")]
    return sorted(found, key=lambda node: (node.lab, node.number))


def parse_container(entry: dict[str, Any]) -> Found:
    """Return the part of one `docker inspect` entry that the lab needs."""
    labels = entry["Config"]["Labels"]
    networks = entry["NetworkSettings"]["Networks"]
    bindings = (entry["HostConfig"].get("PortBindings") or {}).get("22/tcp") or [{}]
    return Found(
        container=entry["Name"].lstrip("/"),
        lab=labels[LAB_LABEL],
        lab_id=labels.get(ID_LABEL, ""),
        number=int(labels.get(NUMBER_LABEL, "0")),
        os=labels.get(OS_LABEL, ""),
        image=entry["Image"],
        status=entry["State"]["Status"],
        addresses=tuple(sorted((name, _planned_address(net)) for name, net in networks.items())),
        port=int(bindings[0].get("HostPort") or 0),
        pid=int(entry["State"].get("Pid") or 0),
    )


def _planned_address(network: dict[str, Any]) -> str:
    # A container that is off has no address, but still the one that was asked for.
    return (network.get("IPAMConfig") or {}).get("IPv4Address") or network.get("IPAddress") or ""


def ensure_networks(lab: str, lab_id: str) -> int:
    """Return the third octet of the lab's two networks, creating what is missing."""
    existing = _network_subnet(management_network(lab))
    if existing is not None and _network_subnet(cluster_network(lab)) == existing:
        return existing
    remove_networks(lab)
    taken = _subnets_in_use()
    for subnet in subnet_candidates(lab, taken):
        try:
            _create_network(lab, lab_id, management_network(lab), management_subnet(subnet))
            _create_network(lab, lab_id, cluster_network(lab), cluster_subnet(subnet), "--internal")
        except LabError as error:
            remove_networks(lab)
            if "overlap" not in str(error).lower():
                raise
            continue
        return subnet
    raise LabError("all 254 lab networks are in use; see `python3 -m tests.lab status --all`")


def _create_network(lab: str, lab_id: str, name: str, subnet: str, *options: str) -> None:
    mtu = f"com.docker.network.driver.mtu={uplink_mtu()}"
    labels = ["--label", f"{LAB_LABEL}={lab}", "--label", f"{ID_LABEL}={lab_id}"]
    check(
        ["docker", "network", "create", "--subnet", subnet, "--opt", mtu, *labels, *options, name]
    )


def _network_subnet(name: str) -> int | None:
    done = run(
        ["docker", "network", "inspect", name, "--format", "{{(index .IPAM.Config 0).Subnet}}"]
    )
    return int(done.stdout.split(".")[2]) if done.ok else None


def _subnets_in_use() -> set[int]:
    names = docker_lines("network", "ls", "--format", "{{.Name}}", "--filter", f"label={LAB_LABEL}")
    found = (_network_subnet(name) for name in names)
    return {subnet for subnet in found if subnet is not None}


def remove_networks(lab: str) -> None:
    """Remove the lab's networks, whether or not there are any."""
    for name in (management_network(lab), cluster_network(lab)):
        done = run(["docker", "network", "rm", name])
        if (
            not done.ok
            and "no such network" not in done.stderr.lower()
            and "not found" not in done.stderr.lower()
        ):
            raise LabError(f"network {name} cannot be removed: {done.stderr.strip()}")


def create_node(node: Node, image: str, lab_id: str, port: int) -> None:
    """Create and start a node's container: management network first, so that it becomes eth0."""
    labels = {
        LAB_LABEL: node.lab,
        ID_LABEL: lab_id,
        NUMBER_LABEL: str(node.number),
        OS_LABEL: node.platform,
    }
    argv = ["docker", "create", "--name", node.container, "--hostname", node.hostname, *BOOT_FLAGS]
    argv += [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    argv += ["--network", management_network(node.lab), "--ip", node.management_address]
    argv += ["-p", f"127.0.0.1:{port}:22", image]
    check(argv)
    check(
        [
            "docker",
            "network",
            "connect",
            "--ip",
            node.cluster_address,
            cluster_network(node.lab),
            node.container,
        ]
    )
    check(["docker", "start", node.container])


def free_port(lab: str, subnet: int, taken: set[int]) -> int:
    """Return a free loopback port for a node's sshd, and note it as taken."""
    for port in range(first_port(lab, subnet), 60000):
        if port in taken:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        taken.add(port)
        return port
    raise LabError("no free port on 127.0.0.1 for a node's sshd")


def remove_containers(names: Sequence[str]) -> None:
    """Remove containers and their anonymous volumes, several at a time."""
    with ThreadPoolExecutor(8) as pool:
        results = list(
            pool.map(lambda name: run(["docker", "rm", "-f", "-v", name], timeout=120), names)
        )
    for done in results:
        if not done.ok and "no such container" not in done.stderr.lower():
            raise LabError(f"`{' '.join(done.argv)}` failed: {done.stderr.strip()}")


def wait_until_running(container: str) -> None:
    """Return when the node's systemd says `running`, or raise LabError naming failed units."""
    bound = str(BOOT_TIMEOUT_SECONDS)
    script = (
        'until [ "$(cat /proc/1/comm)" = systemd ] && [ -S /run/systemd/private ]; do '
        "sleep 0.1; done; exec systemctl is-system-running --wait"
    )
    done = run(
        ["docker", "exec", container, "timeout", bound, "sh", "-c", script],
        timeout=BOOT_TIMEOUT_SECONDS + 20,
    )
    if done.stdout.strip() == "running":
        return
    failed = run(["docker", "exec", container, "systemctl", "--failed", "--no-legend", "--plain"])
    seen = done.stdout.strip() or done.stderr.strip() or f"exit status {done.rc}"
    raise LabError(
        f"{container} did not reach the state `running` within {bound} s: {seen}; failed units: "
        f"{failed.stdout.strip() or 'none named'}. "
        f"Look inside: docker exec -it {container} journalctl -b"
    )


def set_up(node: Node, state: State) -> list[str]:
    """Give a booted node its keys, password and files, and return its SSH host keys."""
    wait_until_running(node.container)
    public = state.key.with_name(state.key.name + ".pub").read_text().strip()
    with open("/etc/resolv.conf", encoding="utf-8") as handle:
        resolv_conf = render_resolv_conf(handle.read())
    # The password reaches the node through stdin, so that no process list shows it.
    password = state.sudo_password.read_text().strip()
    script = f"ALICE_PASSWORD='{password}'\n" + render_setup(node.hostname, public, resolv_conf)
    keys = parse_host_keys(check(["docker", "exec", "-i", node.container, "sh"], stdin=script))
    if not keys:
        raise LabError(
            f"{node.container} has no SSH host keys; look at: docker logs {node.container}"
        )
    check_interfaces(node)
    return keys


def check_interfaces(node: Node) -> None:
    """Raise LabError unless eth0 has the management address and eth1 the cluster address."""
    links = docker_json("exec", node.container, "ip", "-json", "-4", "addr", "show")
    seen = {link["ifname"]: [item["local"] for item in link["addr_info"]] for link in links}
    wanted = {"eth0": [node.management_address], "eth1": [node.cluster_address]}
    if {name: seen.get(name) for name in wanted} != wanted:
        raise LabError(
            f"{node.container} has its interfaces in another order: wanted {wanted}, found {seen}. "
            f"Run: python3 -m tests.lab down --name {node.lab}, then up"
        )


def ensure_identity(state: State) -> str:
    """Return the lab's identity, making its key pair, password and directory on the first call."""
    directory = state.directory
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    if not state.identity.exists() or not state.key.exists() or not state.sudo_password.exists():
        for path in state.files():
            path.unlink(missing_ok=True)
        comment = f"rackforge lab {state.name}"
        check(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(state.key)])
        _write_private(state.sudo_password, secrets.token_urlsafe(18) + "\n")
        _write_private(state.identity, secrets.token_hex(8) + "\n")
    return state.identity.read_text().strip()


def _write_private(path: Any, text: str) -> None:
    with open(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as handle:
        handle.write(text)


def drop_strangers(lab: str, lab_id: str) -> list[Found]:
    """Remove containers that another checkout or an interrupted run left, and return the rest."""
    kept: list[Found] = []
    strangers: list[Found] = []
    for node in find_nodes(lab):
        (kept if node.lab_id == lab_id and node.whole else strangers).append(node)
    if strangers:
        say(
            f"removing {', '.join(node.container for node in strangers)}: "
            "left by an interrupted run or another checkout"
        )
        remove_containers([node.container for node in strangers])
    return kept
