"""A Ray job: one task on each node says which machine it ran on.

It runs inside the cluster (submitted by scripts/submit_job.py), prints one line for each node and
fails if a node gave no answer of its own.
"""

from __future__ import annotations

import logging
import socket
import sys
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy


def where() -> tuple[str, str]:
    """Return the name and the node address of the machine that runs this."""
    return socket.gethostname(), ray.util.get_node_ip_address()


def main() -> int:
    """Ask every node that is alive."""
    ray.init(log_to_driver=False, logging_level=logging.WARNING)
    task: Any = ray.remote(num_cpus=0)(where)
    nodes = [node for node in ray.nodes() if node["Alive"]]
    answers = ray.get(
        [
            task.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote()
            for node in nodes
        ],
        timeout=120,
    )
    for hostname, address in sorted(answers):
        print(f"{hostname} {address}")
    print(f"{len(set(answers))} of {len(nodes)} nodes answered")
    return 0 if len(set(answers)) == len(nodes) else 1


if __name__ == "__main__":
    sys.exit(main())
