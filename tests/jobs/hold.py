"""A Ray job with one long task on each node, none of which may be started twice.

Prints how many tasks there were, how many were lost, and the nodes that they ran on. A drain must
wait for them: a task that is cut off is not tried again.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

SECONDS = 60


def hold(seconds: float) -> str:
    """Return this node's address after some time."""
    threading.Event().wait(seconds)
    return str(ray.util.get_node_ip_address())


def main() -> int:
    """Hold every node that is alive."""
    ray.init(log_to_driver=False, logging_level=logging.WARNING)
    task: Any = ray.remote(num_cpus=0.1, max_retries=0)(hold)
    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    answers = [
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
            SECONDS
        )
        for node in nodes
    ]
    lost, where = 0, set()
    for answer in answers:
        try:
            where.add(ray.get(answer))
        except ray.exceptions.RayError as error:
            print("lost:", repr(error)[:500])
            lost += 1
    print(f"tasks={len(answers)} lost={lost} nodes={','.join(sorted(where))}")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
