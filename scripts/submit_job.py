"""Submit a Python file to a Ray cluster's job API, wait for it, and print its log.

    submit_job.py --address http://198.19.0.2:8265 --token-file secrets/demo/ray_auth_token job.py

Exit status 0 only if the job succeeded. Needs nothing but Python. The token goes into a header,
never onto a command line.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

FINAL = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})


class JobApi:
    """The job API of one cluster."""

    def __init__(self, address: str, token: str) -> None:
        self.address = address.rstrip("/")
        self.token = token

    def call(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer of the API to a GET, or to a POST of ``body``."""
        request = urllib.request.Request(
            f"{self.address}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        # A cluster on the own network is never behind the proxy that leads to the internet.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            result: dict[str, Any] = json.load(answer)
        return result

    def submit(self, command: str) -> str:
        """Start ``command`` on the cluster and return the job's name."""
        return str(self.call("/api/jobs/", {"entrypoint": command})["submission_id"])

    def wait(self, job: str, seconds: float) -> dict[str, Any]:
        """Return the job's record once it is final, or as it is when the time is up."""
        end = time.monotonic() + seconds
        while True:
            record = self.call(f"/api/jobs/{job}")
            if record["status"] in FINAL or time.monotonic() > end:
                return record
            time.sleep(0.5)

    def log(self, job: str) -> str:
        """Return what the job has printed."""
        return str(self.call(f"/api/jobs/{job}/logs")["logs"])


def main() -> int:
    """Submit, wait, print."""
    parser = argparse.ArgumentParser(description="Run a Python file on a Ray cluster")
    parser.add_argument("--address", required=True, help="the dashboard, as http://HOST:PORT")
    parser.add_argument("--token-file", type=Path, help="file with the cluster's token")
    parser.add_argument("--timeout", type=float, default=300, help="seconds to wait for the job")
    parser.add_argument("script", type=Path)
    args = parser.parse_args()
    token = args.token_file.read_text(encoding="utf-8").strip() if args.token_file else ""
    api = JobApi(args.address, token)
    command = f"python -c {shlex.quote(args.script.read_text(encoding='utf-8'))}"
    try:
        job = api.submit(command)
        record = api.wait(job, args.timeout)
        log = api.log(job)
        # Ray's log begins with the command, here the whole file; what follows is the job's own.
        print(log.partition(f"{command}\n")[2] or log, end="")
    except (urllib.error.URLError, TimeoutError) as error:
        print(f"the job API at {args.address} did not take the job: {error}", file=sys.stderr)
        return 1
    print(f"job {job}: {record['status']} {record.get('message') or ''}".rstrip())
    return 0 if record["status"] == "SUCCEEDED" else 1


if __name__ == "__main__":
    sys.exit(main())
