"""A Ray job that keeps every node busy until told to stop, and counts what went wrong.

    python busy.py run     works until another job says ``stop``; prints waves, wrong results, nodes
    python busy.py stop    tells it to

Each task is a worker process of its own, which needs a port of the worker range, and reads an
object that was made on another node, which goes from object manager to object manager.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import ray

NAMESPACE = "rackforge-tests"
SIZE = 4_000_000
ENOUGH = 3


class Flag:
    """Says whether to stop."""

    def __init__(self) -> None:
        self.value = False

    def set(self) -> None:
        """Ask the job to stop."""
        self.value = True

    def is_set(self) -> bool:
        """Return whether somebody asked."""
        return self.value


def make(value: int) -> bytes:
    """Return an object that is too large to travel inside a message."""
    return bytes([value]) * SIZE


def weigh(data: bytes) -> tuple[str, int]:
    """Return the node address of the machine that runs this, and what the object weighs."""
    return ray.util.get_node_ip_address(), sum(data[::1000])


def wave(number: int, count: int) -> tuple[int, set[str]]:
    """Return how many of ``count`` chains of tasks went wrong, and the nodes that they ran on."""
    options = {"num_cpus": 0.1, "max_calls": 1, "max_retries": 0, "scheduling_strategy": "SPREAD"}
    maker: Any = ray.remote(**options)(make)
    scale: Any = ray.remote(**options)(weigh)
    values = [(number + step) % 251 for step in range(count)]
    answers = [scale.remote(maker.remote(value)) for value in values]
    wrong, nodes = 0, set()
    for value, answer in zip(values, answers, strict=True):
        try:
            node, weight = ray.get(answer, timeout=120)
        except ray.exceptions.RayError as error:
            print("failed:", repr(error)[:500])
            wrong += 1
            continue
        nodes.add(node)
        wrong += weight != value * SIZE // 1000
    return wrong, nodes


def run() -> None:
    """Work in waves until the flag is set."""
    actor: Any = ray.remote(num_cpus=0)(Flag)
    flag = actor.options(name="flag").remote()
    waves = wrong = 0
    nodes: set[str] = set()
    while not ray.get(flag.is_set.remote()):
        failed, where = wave(waves, 2 * len(ray.nodes()))
        waves, wrong, nodes = waves + 1, wrong + failed, nodes | where
        print("wave", waves, flush=True)
    print(f"enough={waves >= ENOUGH} wrong={wrong} nodes={','.join(sorted(nodes))}")


def main() -> None:
    """Do what the argument says."""
    ray.init(namespace=NAMESPACE, log_to_driver=False, logging_level=logging.WARNING)
    if sys.argv[1] == "run":
        run()
    else:
        ray.get(ray.get_actor("flag").set.remote())


if __name__ == "__main__":
    main()
