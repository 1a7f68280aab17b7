"""A Ray job of 16 tasks of 8 seconds each, none of which may be lost; says where each ran."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import ray

TASKS, SECONDS = 16, 8.0


def work() -> str:
    """Return the node address of the machine that worked."""
    time.sleep(SECONDS)  # the work itself
    return str(ray.util.get_node_ip_address())


def main() -> int:
    """Run all tasks and print a line for each as it ends."""
    ray.init(log_to_driver=False, logging_level=logging.WARNING)
    task: Any = ray.remote(num_cpus=1, max_retries=0)(work)
    waiting = [task.remote() for _number in range(TASKS)]
    while waiting:
        done, waiting = ray.wait(waiting, num_returns=1)
        print(f"done on {ray.get(done[0])}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
