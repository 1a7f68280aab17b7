"""A Ray job that holds the worker with the highest address by an actor, for 40 seconds."""

from __future__ import annotations

import logging
import time
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

SECONDS = 40.0


class Holder:
    """Does nothing and stays."""

    def ready(self) -> str:
        """Return the node address."""
        return str(ray.util.get_node_ip_address())


def main() -> None:
    """Hold the node."""
    ray.init(log_to_driver=False, logging_level=logging.WARNING)
    alive = [node for node in ray.nodes() if node["Alive"]]
    last = max(alive, key=lambda node: str(node["NodeManagerAddress"]))
    where = NodeAffinitySchedulingStrategy(last["NodeID"], soft=False)
    actor: Any = ray.remote(num_cpus=1)(Holder)
    holder = actor.options(scheduling_strategy=where).remote()
    print(f"holds {ray.get(holder.ready.remote())}", flush=True)
    time.sleep(SECONDS)  # what the test drains meanwhile
    print(f"held {ray.get(holder.ready.remote())}", flush=True)


if __name__ == "__main__":
    main()
