# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A receiver of remote-write on a lab node, and what two servers hold of the same metric.

The receiver is a real one: a single-node VictoriaMetrics on loopback behind vmauth, which asks for
a password and offers the path of a cluster's vminsert at its port. A single-node VictoriaMetrics
by itself answers 400 at that path.

    python -m tests.testinfra.monitoring.receiver start NODE
    python -m tests.testinfra.monitoring.receiver stop NODE          absent; its data stays
    python -m tests.testinfra.monitoring.receiver remove NODE
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import time
import urllib.parse
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tests.lab.control import find
from tests.lab.shell import LabError, Result, run

#: How long the receiver stays away, in seconds.
ABSENCE_SECONDS = int(os.environ.get("ABSENCE_SECONDS", "300"))
PORT = 8480
PATH = "/insert/0/prometheus/api/v1/write"
USER = "writer"
#: What the scenario lays beside the inventory as remote_write_password.
KNOWN = "receiver-password"
STORE_PORT = 18428
STORE = f"http://127.0.0.1:{STORE_PORT}"
FOLDER = "/var/tmp/remote-write-receiver"
UNITS = ("test-receiver-door", "test-receiver-store")
PACKAGE_UNIT = "/etc/systemd/system/victoria-metrics.service"
#: Debian's package starts its own server; a mask that goes again keeps it from that.
INSTALL = f"""
command -v vmauth >/dev/null && exit 0
ln -s /dev/null {PACKAGE_UNIT}
apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
    apt-get -qq --yes --no-install-recommends install victoria-metrics curl
status=$?
rm {PACKAGE_UNIT} && systemctl daemon-reload
exit $status
"""

#: VictoriaMetrics hides the newest 30 s from queries, unless told otherwise; Prometheus ignores it.
LATENCY = {"latency_offset": "1ms", "nocache": "1"}
#: Asks the address on standard input and prints the answer, whatever its status.
ASK = """
import base64, json, ssl, sys, urllib.error, urllib.request
url, user, password, ca_file = json.load(sys.stdin)
request = urllib.request.Request(url)
if user:
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    request.add_header("Authorization", f"Basic {login}")
context = ssl.create_default_context(cafile=ca_file or None)
try:
    with urllib.request.urlopen(request, timeout=60, context=context) as answer:
        print(answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.read().decode())
"""

#: A series by its labels, and the values of its samples by their moment.
Series = tuple[tuple[str, str], ...]
Samples = Mapping[Series, Mapping[float, float]]


@dataclass(frozen=True)
class Door:
    """Where a server answers queries on a node, and who may ask."""

    node: str
    url: str
    user: str = ""
    password: str = ""
    ca_file: str = ""


def on_node(node: str, script: str, *, stdin: str = "", timeout: float = 120) -> Result:
    """Return the result of a shell script run as root on a lab node."""
    container = find(node).container
    enter = ["docker", "exec", "--interactive", container, "sh", "-c", script]
    return run(enter, stdin=stdin, timeout=timeout)


def must(node: str, script: str, *, stdin: str = "", timeout: float = 120) -> str:
    """Return what a shell script printed on a node; LabError if it failed."""
    done = on_node(node, script, stdin=stdin, timeout=timeout)
    if not done.ok:
        raise LabError(f"{node}: {script.strip()[:200]}: exit status {done.rc}: {done.stderr}")
    return done.stdout


def vmauth_config(password: str) -> str:
    """Return vmauth's configuration: one user, one path, rewritten for a single node."""
    route = {"src_paths": [PATH], "url_prefix": STORE, "drop_src_path_prefix_parts": 3}
    return json.dumps({"users": [{"username": USER, "password": password, "url_map": [route]}]})


def start(node: str, password: str) -> None:
    """Have the receiver answer at its port; what it stored before an absence is still there."""
    must(node, INSTALL, timeout=600)
    must(
        node,
        f"install -d -m 0700 {FOLDER} && umask 077 && cat >{FOLDER}/auth.yml",
        stdin=vmauth_config(password),
    )
    address = must(node, "ip -4 -o address show dev eth1").split()[3].split("/")[0]
    commands = {
        UNITS[0]: f"vmauth -auth.config={FOLDER}/auth.yml -httpListenAddr={address}:{PORT}",
        UNITS[1]: f"victoria-metrics -storageDataPath={FOLDER}/data "
        f"-httpListenAddr=127.0.0.1:{STORE_PORT} -retentionPeriod=1d",
    }
    for unit, command in commands.items():
        must(
            node,
            f"systemctl stop {unit} 2>/dev/null; systemd-run --collect --unit {unit} {command}",
        )
    wait_until(node, f"curl -fsS -o /dev/null {STORE}/health")
    # A write of nothing, without a password: the door stands once it is refused.
    ask = f"curl -sS -o /dev/null -w '%{{http_code}}' -d '' http://{address}:{PORT}{PATH}"
    wait_until(node, f'test "$({ask})" = 401')


def wait_until(node: str, script: str, seconds: float = 30) -> None:
    """Return once a script succeeds on a node; LabError with its last words if it does not."""
    end = time.monotonic() + seconds
    while not (done := on_node(node, script)).ok:
        if time.monotonic() > end:
            raise LabError(f"{node}: {script}: not within {seconds:.0f} s: {done.stderr}")
        time.sleep(0.5)


def stop(node: str) -> None:
    """Make the receiver absent: its port refuses connections from now on."""
    must(node, f"systemctl stop {' '.join(UNITS)}")


def remove(node: str) -> None:
    """Stop the receiver and forget what it stored; the package stays."""
    on_node(node, f"systemctl stop {' '.join(UNITS)}")
    must(node, f"rm -rf {FOLDER}")


def query(door: Door, path: str, **asked: str) -> Any:
    """Return the data of an answer of the query API, asked on the server's own node."""
    address = f"{door.url}{path}?{urllib.parse.urlencode({**LATENCY, **asked})}"
    # The password travels over standard input; the node need not have curl, but has Python.
    given = [address, door.user, door.password, door.ca_file]
    text = must(door.node, f"python3 -c {shlex.quote(ASK)}", stdin=json.dumps(given))
    try:
        answer = json.loads(text)
    except ValueError as exc:
        raise LabError(f"{door.url}{path} answered no JSON: {text[:200]!r}") from exc
    if answer.get("status") != "success":
        raise LabError(f"{door.url}{path}: {shlex.quote(text[:300])}")
    return answer["data"]


def receiver_door(node: str) -> Door:
    """Return where the receiver's store answers queries."""
    return Door(node, STORE)


def samples(
    data: Mapping[str, Any], without: Collection[str] = ()
) -> dict[Series, dict[float, float]]:
    """Return the samples of a range selector's answer by series, leaving labels out."""
    found: dict[Series, dict[float, float]] = {}
    for row in data["result"]:
        labels = sorted(pair for pair in row["metric"].items() if pair[0] not in without)
        held = found.setdefault(tuple(labels), {})
        held.update({float(moment): float(value) for moment, value in row["values"]})
    return found


def read_samples(
    door: Door, selector: str, begin: float, end: float, without: Collection[str] = ()
) -> dict[Series, dict[float, float]]:
    """Return every raw sample of a selector from begin to end (Unix seconds)."""
    seconds = int(end - begin)
    data = query(door, "/api/v1/query", query=f"{selector}[{seconds}s]", time=f"{end:.0f}")
    return samples(data, without)


def count(held: Samples) -> int:
    """Return the number of samples."""
    return sum(len(moments) for moments in held.values())


def same(source: float, receiver: float | None) -> bool:
    """Return whether the receiver has the value; it keeps 15 digits of a number at most."""
    if receiver is None:
        return False
    both_nan = math.isnan(source) and math.isnan(receiver)
    return both_nan or source == receiver or math.isclose(source, receiver, rel_tol=1e-12)


def lost(source: Samples, receiver: Samples) -> list[tuple[Series, float]]:
    """Return the samples that the source holds and the receiver does not, oldest first."""
    gone = [
        (series, moment)
        for series, moments in source.items()
        for moment, value in moments.items()
        if not same(value, receiver.get(series, {}).get(moment))
    ]
    return sorted(gone, key=lambda row: row[1])


def wait_for_catch_up(
    source: Door, selector: str, node: str, begin: float, end: float, **how: Any
) -> tuple[int, list[tuple[Series, float]], float]:
    """Return the source's samples, those the receiver lacks, and the seconds until it had all.

    Asks until nothing is lost, at most ``seconds`` (default 180) long; ``without`` names labels
    that only the receiver's samples carry.
    """
    without = how.get("without", ())
    began = time.monotonic()
    while True:
        own = read_samples(source, selector, begin, end, without)
        gone = lost(own, read_samples(receiver_door(node), selector, begin, end, without))
        waited = time.monotonic() - began
        if not gone or waited > how.get("seconds", 180):
            return count(own), gone, waited
        time.sleep(1)


def main() -> None:
    """Carry out what the command line says."""
    parser = argparse.ArgumentParser(description="A receiver of remote-write on a lab node")
    parser.add_argument("action", choices=("start", "stop", "remove"))
    parser.add_argument("node")
    parser.add_argument("--password", default=KNOWN)
    wish = parser.parse_args()
    if wish.action == "start":
        start(wish.node, wish.password)
    else:
        {"stop": stop, "remove": remove}[wish.action](wish.node)


if __name__ == "__main__":
    main()
