"""A Ray job of tasks of 8 seconds each, none of which may be lost; says where each ran.

New tasks come until the file END exists on the head, so that the job outlasts whatever a test does
meanwhile. Those that were begun then end first.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any

import ray

SECONDS, PER_PROCESSOR = 8.0, 2
END = Path("/run/slow_tasks.end")


def work() -> str:
    """Return the node address of the machine that worked."""
    time.sleep(SECONDS)  # the work itself
    return str(ray.util.get_node_ip_address())


def main() -> int:
    """Run tasks, print a line for each as it ends, and their numbers at the end."""
    ray.init(log_to_driver=False, logging_level=logging.WARNING)
    task: Any = ray.remote(num_cpus=1, max_retries=0)(work)
    begun = done = 0
    waiting: list[Any] = []
    while waiting or not END.exists():
        # More than have a place, so that tasks wait for one as well.
        wanted = 0 if END.exists() else PER_PROCESSOR * int(ray.cluster_resources()["CPU"])
        while len(waiting) < wanted:
            waiting.append(task.remote())
            begun += 1
        ended, waiting = ray.wait(waiting, timeout=SECONDS) if waiting else ([], [])
        for each in ended:
            print(f"done on {ray.get(each)}", flush=True)
            done += 1
    print(f"begun {begun}, done {done}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
