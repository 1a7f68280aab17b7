# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first provision, watched for a leak of the token, and the second, which is quiet."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.lab.control import find
from tests.lab.paths import ROOT
from tests.testinfra.lifecycle.support import Cluster, Played, quiet

# The only places on a node where the token may lie; others must not be able to read them.
KNOWN_PLACES = {"/etc/ray/auth_token", "/run/ray/auth_token"}


@dataclass
class Watch:
    """A provision and a job, and what was seen in the processes meanwhile."""

    canary: str
    decoy: str
    played: Played
    job: str
    scratch: Path
    seen: dict[str, Any] = field(default_factory=dict)

    def hits(self, needles: set[int]) -> list[dict[str, str]]:
        """Return where the sampler found one of the words."""
        return [hit for hit in self.seen["hits"] if int(hit["needle"]) in needles]


@contextmanager
def sampled(words: list[str], report: dict[str, Any]) -> Iterator[None]:
    """Sample all processes of this machine, the nodes' among them, during the block."""
    sampler = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("sampler.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert sampler.stdin is not None
    assert sampler.stdout is not None
    sampler.stdin.write("\n".join([*words, "", ""]))
    sampler.stdin.flush()
    assert sampler.stdout.readline() == "sampling\n"
    try:
        yield
    finally:
        output, _none = sampler.communicate(timeout=60)
        report.update(json.loads(output))


@contextmanager
def decoy_process(cluster: Cluster, node: str, decoy: str) -> Iterator[None]:
    """Run a process on a node that leaks the decoy in its arguments and its environment."""
    argv = ["docker", "exec", "-i", "--env", "LEAK", cluster.container(node)]
    argv += ["sh", "-c", "read _", decoy]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, env={**os.environ, "LEAK": decoy})
    try:
        yield
    finally:
        process.communicate(b"\n", timeout=30)


@pytest.fixture(scope="session")
def watched(cluster: Cluster, predicted: Played, canary: str) -> Watch:
    """Provision at -vvvv with a fact cache and a log, run a job, and sample processes meanwhile."""
    assert predicted.rc == 0
    decoy = secrets.token_hex(32)
    scratch = cluster.directory / "scratch" / "canary"
    scratch.mkdir(parents=True, exist_ok=True)
    env = {
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(scratch / "facts"),
        "ANSIBLE_LOG_PATH": str(scratch / "ansible.log"),
    }
    report: dict[str, Any] = {}
    words = [canary, base64.b64encode(canary.encode()).decode(), decoy]
    with sampled(words, report), decoy_process(cluster, "node2", decoy):
        played = cluster.start("provision.yml", "-vvvv", env=env).finish()
        (scratch / "vvvv.txt").write_text(played.output)
        assert played.rc == 0, played.output[-4000:]
        job = submit(cluster)
    (scratch / "processes.json").write_text(json.dumps(report, indent=2))
    return Watch(canary, decoy, played, job, scratch, report)


def submit(cluster: Cluster) -> str:
    """Return what the job with one task per node prints, submitted with the token."""
    argv = [sys.executable, "scripts/submit_job.py", "--address", f"http://{cluster.head}:8265"]
    argv += ["--token-file", str(cluster.token), "tests/jobs/where.py"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_provision_builds_the_cluster_and_does_what_check_mode_said(
    watched: Watch, predicted: Played
) -> None:
    assert watched.played.rc == 0
    assert watched.played.changes == predicted.changes


def test_the_token_laid_out_before_is_the_one_delivered(cluster: Cluster, watched: Watch) -> None:
    for node in cluster.names:
        assert cluster.run(node, "cat /etc/ray/auth_token").strip() == watched.canary
        modes = cluster.run(node, "stat -c '%a %U' /etc/ray /etc/ray/auth_token")
        assert modes == "700 root\n600 root\n"


def test_a_leak_would_have_been_seen(cluster: Cluster, watched: Watch) -> None:
    """The control of the next test: the decoy leaks on a node, and the sampler found it."""
    node2 = os.readlink(f"/proc/{find('node2', cluster.lab).pid}/ns/pid")
    on_node2 = {hit["where"] for hit in watched.hits({2}) if hit["namespace"] == node2}
    assert on_node2 == {"cmdline", "environ"}
    assert watched.seen["rounds"] > 100
    for node in cluster.names:
        namespace = os.readlink(f"/proc/{find(node, cluster.lab).pid}/ns/pid")
        looked_at = watched.seen["namespaces"].get(namespace, 0)
        assert looked_at > 50, f"hardly a process of {node} was looked at: {looked_at}"


def test_no_process_had_the_token_in_its_arguments_or_environment(watched: Watch) -> None:
    assert watched.hits({0, 1}) == []


@pytest.mark.parametrize("node", ["node1", "node2", "node3"])
def test_on_a_node_the_token_lies_in_root_only_files(
    cluster: Cluster, watched: Watch, node: str
) -> None:
    script = (
        "umask 077; cat >/run/needle; "
        "find / /run /tmp /dev/shm -xdev -type f ! -path /run/needle -print0"
        " | xargs -0 -r grep -lFs -f /run/needle | sort -u; rm /run/needle"
    )
    places = cluster.run(node, script, stdin=watched.canary, timeout=300).split("\n")[:-1]
    assert set(places) == KNOWN_PLACES
    readable = cluster.run(node, f"find {' '.join(places)} -perm /077")
    assert readable == ""


@pytest.mark.parametrize("node", ["node1", "node2", "node3"])
def test_a_nodes_journal_has_no_token(cluster: Cluster, watched: Watch, node: str) -> None:
    count = (
        "umask 077; cat >/run/needle; "
        "journalctl --no-pager --output export | grep -acF -f /run/needle; rm /run/needle"
    )
    assert cluster.run(node, count, stdin=watched.canary) == "0\n"
    # The control: the same search finds what is in the journal for certain.
    assert int(cluster.run(node, count, stdin="ray.service")) > 0


@pytest.mark.parametrize(
    "file", ["vvvv.txt", "ansible.log", "facts/*node1", "facts/*node2", "facts/*node3"]
)
def test_what_ansible_prints_and_keeps_has_no_token(watched: Watch, file: str) -> None:
    [path] = watched.scratch.glob(file)
    text = path.read_text(errors="replace")
    assert "gpu_cluster" in text
    assert watched.canary not in text
    assert base64.b64encode(watched.canary.encode()).decode() not in text


def test_the_job_ran_on_every_node_at_its_node_address(cluster: Cluster, watched: Watch) -> None:
    lines = watched.job.splitlines()
    expected = [f"{name} {cluster.address(name)}" for name in ("node1", "node2", "node3")]
    assert lines[:4] == [*expected, "3 of 3 nodes answered"]
    assert all(line.split()[1].startswith("198.19.") for line in lines[:3])


def test_the_second_provision_is_quiet(cluster: Cluster, watched: Watch) -> None:
    assert watched.played.rc == 0
    second = cluster.play("provision.yml")
    assert quiet(second, cluster.names), second.recap
