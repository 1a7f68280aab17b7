"""A Ray job: tasks that ask for GPUs say where they ran and which devices they see.

It runs inside the cluster (submitted by scripts/submit_job.py) and prints one line for each task.
The first asks for one GPU, the second for one of the model that the lab simulates.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from typing import Any

import ray

MODEL = "H100"


def devices() -> tuple[str, str, int]:
    """Return the machine, the devices that Ray gave to this task, and how many are there."""
    files = [name for name in os.listdir("/dev") if name[:6] == "nvidia" and name[6:].isdigit()]
    return socket.gethostname(), os.environ.get("CUDA_VISIBLE_DEVICES", "none"), len(files)


def main() -> int:
    """Run both tasks."""
    ray.init(log_to_driver=False, logging_level=logging.WARNING)
    task: Any = ray.remote(num_gpus=1)(devices)
    asked = [task.remote(), task.options(accelerator_type=MODEL).remote()]
    for name, visible, files in ray.get(asked, timeout=120):
        print(f"{name} sees device {visible} of {files}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
