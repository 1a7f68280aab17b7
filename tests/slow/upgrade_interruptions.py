# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut upgrades of Ray off at random points, and see that the next run finishes each.

    python3 -m tests.slow.upgrade_interruptions                      10 points; the seed is printed
    python3 -m tests.slow.upgrade_interruptions --seed 7 --count 4   4 points of another draw

By turns the cluster goes to the newer release and back with upgrade_rollback, first without an
interruption each way, which tells the tasks. At each point either the control process and all its
children get SIGKILL, or a node's power is cut and the run ends as it can. Then status.yml must tell
the truth, the same command must finish, the one after that change nothing, and no token, setting
or result of a job may be lost. Takes an hour on two idle cores.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from scripts.submit_job import JobApi
from tests import lab
from tests.lab import artifacts, lifecycle
from tests.lab.paths import ROOT
from tests.lab.platforms import PLATFORMS
from tests.lab.topology import DEFAULT_OS
from tests.slow.cut_points import (
    BACK,
    FORWARD,
    KILL,
    Follower,
    Moment,
    Point,
    draw,
    missing,
    moments,
    told,
    untrue,
)
from tests.slow.interruptions import keep, remove_leftovers, say
from tests.testinfra.lifecycle.support import (
    Cluster,
    Played,
    Running,
    cluster_of,
    quiet,
)

LOGS = ROOT / ".cache" / "logs" / "upgrade-interruptions"
OLD, NEW = "2.59.0", artifacts.RAY_VERSION
#: A release from before the old one: the tests make it, so that every upgrade has one to remove.
OLDER = "2.58.1"
TARGET = {FORWARD: NEW, BACK: OLD}
RESULTS = "/var/lib/ray/tmp"
#: How long a task is watched for the moment at which it is at work on a node.
AT_WORK_SECONDS = 60
JOB_SECONDS = 300

_SETTINGS = r"""
cd /
find etc/ray etc/systemd/system etc/sysctl.d etc/security opt/ray -maxdepth 1 \
  -printf '%p %y %m %u:%g %l\n' | sort
find etc/ray etc/systemd/system etc/sysctl.d -maxdepth 1 -type f ! -name auth_token | sort \
  | while read -r file; do echo "== $file"; cat "$file"; done
systemctl is-enabled ray.service
"""
_TOKENS = "sha256sum /etc/ray/auth_token; stat -c '%a %U:%G' /etc/ray/auth_token"
_VERSION = "readlink /proc/$(pgrep -xo raylet)/exe | cut -d / -f 4"
_AS_BEFORE_THE_FIRST_UPGRADE = r"""
set -eu
cd /opt/ray
rm -rf {gone} {older}
cp -al {old} {older}
cat >/etc/ray/releases.json
"""


@dataclass(frozen=True)
class Outcome:
    """What followed an interruption; no complaint means that all was well."""

    point: Point
    status: str
    seconds: float
    complaint: str
    #: Whether the cluster has come to the wanted release, so that others may follow.
    finished: bool = True

    def row(self) -> str:
        """Return the line of the table."""
        point = self.point
        verdict = self.complaint or "finished; nothing lost; then changed=0"
        return (
            f"{point.way:<8} {point.phase:<13} {point.what:<15} {point.moment!s:<66} "
            f"[{self.status}] {self.seconds:4.0f} s  {verdict}"
        )


@dataclass
class Upgraded:
    """A cluster that is upgraded and taken back, and what must not get lost."""

    cluster: Cluster
    learned: dict[str, dict[str, list[Moment]]] = field(default_factory=dict)
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    jobs: list[str] = field(default_factory=list)

    def arguments(self, way: str) -> tuple[str, ...]:
        """Return how a user asks for the newer release, or for the way back."""
        if way == FORWARD:
            return wanting(NEW)
        return (*wanting(OLD), "-e", "upgrade_rollback=true")

    def upgrade(self, way: str) -> Played:
        """Return a run of upgrade.yml that has ended."""
        return self.cluster.start("upgrade.yml", *self.arguments(way)).finish()

    def on_nodes(self, script: str, stdin: str = "") -> dict[str, str]:
        """Return what a script prints on every node."""
        names = self.cluster.names
        with ThreadPoolExecutor(len(names)) as pool:
            said = pool.map(lambda name: self.cluster.run(name, script, stdin=stdin), names)
            return dict(zip(names, said, strict=True))

    def running(self) -> dict[str, str]:
        """Return the version of the Ray that runs on each node, empty for none."""
        return {
            name: self.cluster.attempt(name, _VERSION).stdout.strip() for name in self.cluster.names
        }

    def all_tokens(self) -> dict[str, str]:
        """Return what identifies the token on the control node and on every node."""
        return {**self.on_nodes(_TOKENS), "control node": self.cluster.token.read_text()}

    def api(self) -> JobApi:
        """Return the head's API."""
        return JobApi(f"http://{self.cluster.head}:8265", self.cluster.token.read_text())

    def run_job(self) -> str:
        """Run a job that writes its result to the disk; return what is wrong with it."""
        number = len(self.jobs)
        head = self.api()
        try:
            job = head.submit(f"sh -c 'echo result {number} | tee {RESULTS}/result-{number}'")
            ended = head.wait(job, JOB_SECONDS)["status"]
        except OSError as error:
            return f"a job of now: {error}"
        self.jobs.append(job)
        return "" if ended == "SUCCEEDED" else f"a job of now: {ended}"

    def lost_results(self) -> list[str]:
        """Return the jobs whose result or log is not on the head's disk any more."""
        head = self.cluster.names[0]
        lost = []
        for number, job in enumerate(self.jobs):
            log = f"{RESULTS}/session_2*/logs/job-driver-{job}.log"
            said = self.cluster.attempt(head, f"cat {RESULTS}/result-{number} {log}").stdout
            if said.splitlines().count(f"result {number}") < 2:
                lost.append(f"job {number}: saw {said!r}")
        return lost

    def prepare(self, way: str, fetched: bool) -> None:
        """Have nodes that have to fetch the newer release, and another one to remove."""
        if way == BACK:
            return
        older = {"version": OLDER, "runtime": "venv", "place": f"/opt/ray/{OLDER}"}
        script = _AS_BEFORE_THE_FIRST_UPGRADE.format(
            gone="" if fetched else NEW, older=OLDER, old=OLD
        )
        self.on_nodes(script, json.dumps({"previous": None, "left": [older]}))

    def learn(self, way: str) -> None:
        """Upgrade once without an interruption, and remember its tasks and what it leaves."""
        self.prepare(way, fetched=False)
        played = self.upgrade(way)
        if played.rc != 0:
            raise SystemExit(f"{way}: upgrade.yml fails by itself:\n{played.output[-4000:]}")
        found = moments(played.output.splitlines())
        if lacking := missing(found, way):
            keep(LOGS, f"learn-{way}", played)
            raise SystemExit(f"{way}: no task is known of {', '.join(lacking)}; see cut_points.py")
        self.learned[way] = found
        self.settings[way] = self.on_nodes(_SETTINGS)
        counts = ", ".join(f"{name} {len(each)}" for name, each in found.items())
        say(f"{way}, uninterrupted: {played.seconds:.0f} s; moments: {counts}")


def wanting(version: str) -> tuple[str, ...]:
    """Return the options that ask for a release of Ray, with its wheels."""
    wheels = artifacts.wheels_folder(DEFAULT_OS, version)
    return ("-e", f"ray_version={version}", "-e", f"ray_venv_wheel_dir={wheels}",
            "-e", "preflight_ports=sample")  # fmt: skip


def cut(upgraded: Upgraded, point: Point) -> tuple[Played, bool]:
    """Return the run that was cut off at a point, and whether the point was reached."""
    cluster, follower = upgraded.cluster, Follower()
    reached: list[Moment] = []

    def watch(line: str, run: Running) -> None:
        moment = follower.read(line)
        if reached or moment != point.moment:
            return
        reached.append(point.moment)
        wait_until_at_work(cluster, point, run)
        if point.kind == KILL:
            run.kill()
        else:
            lab.power_off(point.node, lab=cluster.lab)

    arguments = upgraded.arguments(point.way)
    played = cluster.start("upgrade.yml", *arguments, on_line=watch).finish()
    return played, bool(reached)


def wait_until_at_work(cluster: Cluster, point: Point, run: Running) -> None:
    """Wait until a task that has begun is seen at work on a node; one that is over is not."""
    phase = point.moment.phase
    if not phase or not phase.at_work or point.moment.host:
        return
    node = point.node or cluster.names[-1]
    end = time.monotonic() + AT_WORK_SECONDS
    while time.monotonic() < end and run.process.poll() is None:
        if cluster.attempt(node, phase.at_work).returncode == 0:
            return
        time.sleep(0.2)  # between two looks at the evidence


def status_of(upgraded: Upgraded, point: Point, rc: int) -> tuple[str, str]:
    """Return what status.yml says after a run was cut off, and what of it is not so."""
    cluster = upgraded.cluster
    file = cluster.directory / "status.json"
    before = upgraded.running()
    arguments = ("-e", f"status_file={file}", "-e", "status_exit=false")
    played = cluster.start("status.yml", *wanting(TARGET[point.way]), *arguments).finish()
    after = upgraded.running()
    if played.rc not in (0, 4) or not file.exists():
        return "", f"status.yml: rc {played.rc}\n{played.output[-2000:]}"
    document: dict[str, Any] = json.loads(file.read_text())
    file.unlink()
    steady = {node: version for node, version in before.items() if after[node] == version}
    return told(document), untrue(document, point, rc, steady)


def lost(upgraded: Upgraded, way: str) -> list[str]:
    """Return what is not as after an upgrade without an interruption."""
    wrong = [
        f"{node} runs {version or 'nothing'}, expected {TARGET[way]}"
        for node, version in upgraded.running().items()
        if version != TARGET[way]
    ]
    wrong += [
        f"the token of {where} has changed"
        for where, token in upgraded.all_tokens().items()
        if token != upgraded.tokens[where]
    ]
    for node, settings in upgraded.on_nodes(_SETTINGS).items():
        wrong += [f"{node}: {line}" for line in differences(upgraded.settings[way][node], settings)]
    return [*wrong, *upgraded.lost_results()]


def differences(before: str, after: str) -> list[str]:
    """Return the lines that only one of two texts has."""
    old, new = before.splitlines(), after.splitlines()
    found = [f"lost {line!r}" for line in old if line not in new]
    return found + [f"not there before: {line!r}" for line in new if line not in old]


def try_point(upgraded: Upgraded, point: Point) -> Outcome:
    """Cut one upgrade off, let the next runs finish it, and judge them."""
    began = time.monotonic()
    cluster = upgraded.cluster
    upgraded.prepare(point.way, fetched=point.phase != "fetch")
    killed, reached = cut(upgraded, point)
    said, wrong = status_of(upgraded, point, killed.rc)
    complaints = [wrong] if wrong else []
    if not reached:
        complaints.append(f"the run ended (rc {killed.rc}) before this point")
    if point.node and reached:
        lab.power_on(point.node, lab=cluster.lab)
    following = upgraded.upgrade(point.way)
    runs = [killed, following]
    if following.rc == 0:
        complaints += lost(upgraded, point.way)
        complaints += [each for each in [upgraded.run_job()] if each]
        last = upgraded.upgrade(point.way)
        runs.append(last)
        if not quiet(last, cluster.names):
            complaints.append(f"the run after that: rc {last.rc}, changed {last.changed}")
    else:
        complaints.append(f"the next run failed (rc {following.rc})")
    if complaints:
        keep(LOGS, f"{point.way}-{point.phase.replace(' ', '-')}-{point.kind}", *runs)
    seconds = time.monotonic() - began
    return Outcome(point, said, seconds, "; ".join(complaints), following.rc == 0)


def build(name: str) -> Upgraded:
    """Return a cluster of two new nodes with the older release, on which a job has run."""
    lifecycle.down(name)
    artifacts.ensure_wheels(PLATFORMS[DEFAULT_OS], OLD)
    lifecycle.up(lifecycle.Wish(name, 2, (DEFAULT_OS,), "venv"))
    played = cluster_of(name).start("provision.yml", *wanting(OLD)).finish()
    if played.rc != 0:
        raise SystemExit(f"provision.yml fails by itself:\n{played.output[-4000:]}")
    return Upgraded(cluster_of(name))


def carry_out(upgraded: Upgraded, count: int, seed: int) -> list[Outcome]:
    """Return the outcome of each point; one that cannot be finished is the last."""
    upgraded.tokens = upgraded.all_tokens()
    if wrong := upgraded.run_job():
        raise SystemExit(wrong)
    for way in (FORWARD, BACK):
        upgraded.learn(way)
    outcomes: list[Outcome] = []
    for point in draw(upgraded.learned, upgraded.cluster.names, count, seed):
        outcomes.append(try_point(upgraded, point))
        say(outcomes[-1].row())
        if not outcomes[-1].finished:
            break
    return outcomes


def summary(outcomes: Sequence[Outcome], count: int) -> str:
    """Return the table of all points, and how many passed."""
    failed = sum(bool(each.complaint) for each in outcomes)
    rows = [each.row() for each in outcomes]
    untried = f", {count - len(outcomes)} not tried" if len(outcomes) < count else ""
    return "\n".join([*rows, f"{len(outcomes) - failed} passed, {failed} failed{untried}"])


def main() -> int:
    """Interrupt, judge, print the table."""
    parser = argparse.ArgumentParser(description="Cut upgrades of Ray off")
    parser.add_argument("--lab", default="slowup", help="name of the lab (default: %(default)s)")
    parser.add_argument("--count", type=int, default=10, help="points (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of the draw (default: a new one)")
    args = parser.parse_args()
    seed = secrets.randbelow(10_000) if args.seed is None else args.seed
    say(f"seed: {seed}")
    try:
        outcomes = carry_out(build(args.lab), args.count, seed)
    finally:
        lifecycle.down(args.lab)
        remove_leftovers(args.lab)
    say(summary(outcomes, args.count))
    failed = any(outcome.complaint for outcome in outcomes)
    if failed:
        say(f"the outputs of what failed: {LOGS.relative_to(ROOT)}")
    return 1 if failed or len(outcomes) < args.count else 0


if __name__ == "__main__":
    sys.exit(main())
