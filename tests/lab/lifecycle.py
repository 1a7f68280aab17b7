# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a whole lab up, takes it down, and says how it stands."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.lab import artifacts, images, nodes
from tests.lab.control import inventory_name, nested_freezers, remove_cgroups, stale_cgroups, thaw
from tests.lab.gpu import build as gpu_build
from tests.lab.gpu.hardware import ensure_gpus, read_config
from tests.lab.gpu.machine import DEFAULT_MODEL, cards_of, gpus_of, model_called
from tests.lab.inventory import Inventory, render_known_hosts
from tests.lab.nodes import Found
from tests.lab.paths import CACHE, STATE, State, known_labs, state_of
from tests.lab.shell import LabError, check, docker_lines, lock, run, say
from tests.lab.topology import DEFAULT_OS, MAX_NODES, Node, plan_nodes, platform_of


@dataclass(frozen=True)
class Wish:
    """What somebody asks of a lab; no platforms and no count mean: as it is, or the defaults.

    Nodes take the platforms in turn, and the counts of simulated GPUs.
    """

    name: str
    count: int | None = None
    platforms: tuple[str, ...] = ()
    runtime: str | None = None
    ray_image: bool = True
    gpus: tuple[int, ...] = ()
    gpu_model: str = DEFAULT_MODEL
    #: Loopback ports of the nodes' sshd, one for each; without them free ones are taken.
    ssh_ports: tuple[int, ...] = ()


DEFAULT_COUNT = 3


def up(wish: Wish) -> State:
    """Return the state of a lab that runs as wished; nodes that are there already are kept."""
    state = state_of(wish.name)
    if wish.count is not None and not 1 <= wish.count <= MAX_NODES:
        raise LabError(f"a lab has 1 to {MAX_NODES} nodes, not {wish.count}")
    model_called(wish.gpu_model)
    with lock(state.lock, f"the lab {wish.name}"):
        lab_id = nodes.ensure_identity(state)
        present = nodes.drop_strangers(wish.name, lab_id)
        platforms = _choose_platforms(wish, present)
        count = wish.count if wish.count is not None else len(present) or DEFAULT_COUNT
        if wish.ssh_ports and len(wish.ssh_ports) != count:
            raise LabError(f"{_nodes(count)} and {len(wish.ssh_ports)} ports for sshd")
        built = {
            name: images.ensure_node_image(images.platform_called(name))
            for name in platforms[:count]
        }
        _build_artifacts(wish, platforms)
        subnet = nodes.ensure_networks(wish.name, lab_id)
        plan = plan_nodes(wish.name, count, subnet, platforms)
        ports = _reconcile(plan, present, built, lab_id, wish.ssh_ports)
        _write_files(state, plan, ports, wish, _inputs(wish, platforms[0]))
        say(f"{_nodes(count)} of {', '.join(built)} up; inventory: {state.inventory}")
    return state


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


def _choose_platforms(wish: Wish, present: list[Found]) -> tuple[str, ...]:
    there = tuple(dict.fromkeys(node.os for node in present))
    chosen = wish.platforms or there or (DEFAULT_OS,)
    if any(node.os != platform_of(node.number, chosen) for node in present):
        raise LabError(
            f"the lab {wish.name} runs {', '.join(there)}, not {', '.join(chosen)}; "
            f"take it down first: python3 -m tests.lab down --name {wish.name}"
        )
    return chosen


def _reconcile(
    plan: list[Node],
    present: list[Found],
    built: Mapping[str, str],
    lab_id: str,
    ssh_ports: tuple[int, ...] = (),
) -> dict[Node, int]:
    by_number = {found.number: found for found in present}
    surplus = [found.container for found in present if found.number > len(plan)]
    if surplus:
        say(f"removing {', '.join(surplus)}: the lab shrinks to {_nodes(len(plan))}")
        nodes.remove_containers(surplus)
    if any(found.image not in built.values() for found in present):
        say("note: nodes of an older image are kept; `down` and `up` renews them")
    taken = {found.port for found in present}
    ports: dict[Node, int] = {}
    for node in plan:
        found = by_number.get(node.number)
        if found is None:
            ports[node] = (
                ssh_ports[node.number - 1]
                if ssh_ports
                else nodes.free_port(node.lab, node.subnet, taken)
            )
            nodes.create_node(node, built[node.platform], lab_id, ports[node])
            continue
        ports[node] = found.port
        if found.status != "running":
            say(f"starting {found.container}, which was {found.status}")
        thaw(found)
        if found.status == "exited":
            check(["docker", "start", found.container])
    return ports


def _write_files(
    state: State, plan: list[Node], ports: dict[Node, int], wish: Wish, inputs: Mapping[str, str]
) -> None:
    say(f"waiting for systemd on {_nodes(len(plan))}")
    with ThreadPoolExecutor(8) as pool:
        keys = dict(zip(plan, pool.map(lambda node: nodes.set_up(node, state), plan), strict=True))
        with_gpus = [
            node
            for node, has in zip(
                plan, pool.map(lambda node: _has_gpus(node, wish), plan), strict=True
            )
            if has
        ]
    state.known_hosts.write_text(render_known_hosts(keys, ports))
    inventory = Inventory(state.name, plan, state.key, state.known_hosts, inputs, with_gpus)
    state.inventory.write_text(inventory.render())


def _has_gpus(node: Node, wish: Wish) -> bool:
    """Return whether a node has simulated GPUs, after it was given those that are wished for."""
    if not wish.gpus:
        return bool(cards_of(read_config(node.container)))
    return ensure_gpus(node.container, wish.gpu_model, gpus_of(node.number, wish.gpus)) > 0


def _inputs(wish: Wish, os_name: str) -> dict[str, str]:
    runtime = {"ray_runtime": wish.runtime} if wish.runtime else {}
    limits = {
        # Nodes cannot raise the limit that they inherit, and all of them share one memory.
        "ray_open_files": str(min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])),
        "ray_object_store_memory_mib": "200",
    }
    return {**limits, **artifacts.inputs(os_name), **runtime}


def _build_artifacts(wish: Wish, platforms: tuple[str, ...]) -> None:
    if wish.ray_image and wish.runtime != "venv":
        artifacts.ensure_ray_image(images.platform_called(DEFAULT_OS))
    if wish.ray_image and wish.runtime != "container":
        artifacts.ensure_wheels(images.platform_called(platforms[0]))


def down(name: str) -> None:
    """Remove a lab's nodes, volumes, networks and files, also half-made ones."""
    state = state_of(name)
    with lock(state.lock, f"the lab {name}"):
        found = nodes.find_nodes(name)
        nested = [group for node in found for group in nested_freezers(node.pid)]
        for node in found:
            thaw(node)
        nodes.remove_containers([node.container for node in found])
        nodes.remove_networks(name)
        for path in state.files():
            path.unlink(missing_ok=True)
        shutil.rmtree(state.secrets, ignore_errors=True)
        shutil.rmtree(state.variables, ignore_errors=True)
        for folder in (state.secrets.parent, state.directory, STATE):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        remove_cgroups([*nested, *stale_cgroups()])
        images.remove_replaced_images()
    say(f"the lab {name} is gone ({_nodes(len(found))})")


def all_labs() -> list[str]:
    """Return the names of all labs on this machine, found by their nodes, networks or files."""
    labels = docker_lines(
        "network",
        "ls",
        "--filter",
        f"label={nodes.LAB_LABEL}",
        "--format",
        f'{{{{.Label "{nodes.LAB_LABEL}"}}}}',
    )
    return sorted({*labels, *known_labs(), *(node.lab for node in nodes.find_nodes())})


def clean() -> None:
    """Remove all labs, the images and the caches that the lab made."""
    for name in all_labs():
        down(name)
    images.remove_images()
    artifacts.remove()
    gpu_build.remove()
    for path in CACHE.glob("*.l*"):
        path.unlink()


def status(names: list[str]) -> str:
    """Return how labs stand, one line per node."""
    lines: list[str] = []
    for name in names:
        state = state_of(name)
        found = nodes.find_nodes(name)
        lines.append(
            f"lab {name}: {_nodes(len(found))}"
            + (f", inventory {state.inventory}" if found else "")
        )
        if found and not state.inventory.exists():
            lines[-1] = (
                f"lab {name}: half made ({_nodes(len(found))}, no inventory); run `up` or `down`"
            )
        lines += [_status_line(node) for node in found]
    return "\n".join(lines) or "no lab is up"


def _status_line(found: Found) -> str:
    systemd = "-"
    if found.status == "running":
        done = run(["docker", "exec", found.container, "systemctl", "is-system-running"])
        systemd = done.stdout.strip() or done.stderr.strip()
    addresses = " ".join(
        f"{network.rpartition('-')[2]} {address}" for network, address in found.addresses
    )
    return (
        f"  {inventory_name(found):<14} {found.os:<9} {found.status:<8} systemd {systemd:<9} "
        f"{addresses}  127.0.0.1:{found.port}"
    )
