# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet's port: metrics over HTTPS, to those whom the API lets ask for them.

As in k3s, its certificate is signed by the cluster's server CA, anonymous requests are refused, and
who shows a token is looked up at the API (webhook). exec, logs and the like are not there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import agent_machine, tokens
from .agent_pods import Pod
from .api import Frontend, server_context
from .api_resources import Answer, Request
from .log import FatalError
from .metrics import CONTENT, Metrics, Row, rendered
from .store import ApiError

REVIEW = "/v1-k3s/kubelet-review"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Node:
    """What the kubelet's metrics are about."""

    name: str
    pods: Mapping[str, Pod]
    registry: Metrics
    #: By which servers know the node again.
    shown: Mapping[str, str] = field(default_factory=dict)


def kubelet_rows(node: Node) -> list[Row]:
    """Return the kubelet's own metrics."""
    running = sum(pod.running for pod in node.pods.values())
    return [
        Row("kubelet_node_name", 1, {"node": node.name}),
        Row("kubelet_running_pods", running),
        Row("kubelet_running_containers", running, {"container_state": "running"}),
    ]


def cadvisor_text(node: Node) -> str:
    """Return what the machine and its pods use; a pod is its shim."""
    shims = agent_machine.running()
    rows = [
        Row("machine_cpu_cores", os.cpu_count() or 1),
        Row("machine_memory_bytes", float(agent_machine.memory().removesuffix("Ki")) * 1024),
        *_usage({"id": "/", "container": "", "namespace": "", "pod": ""}, _machine()),
    ]
    for uid, pod in sorted(node.pods.items()):
        if pod.running:
            names = {"container": "", "namespace": pod.namespace, "pod": pod.name}
            used = _processes(shims.get(pod.sandbox, []))
            place = f"/kubepods/besteffort/pod{uid}"
            rows += _usage({"id": place, **names}, used)
            # A pod's containers are not run; its shim stands for one of them.
            one = {**names, "container": "stand-in"}
            rows += _usage({"id": f"{place}/{pod.sandbox}", **one}, used)
    return rendered(rows)


def _usage(labels: Mapping[str, str], used: tuple[float, float]) -> list[Row]:
    processor = {**labels, "cpu": "total"}
    return [
        Row("container_cpu_usage_seconds_total", used[0], processor, "counter"),
        Row("container_memory_working_set_bytes", used[1], labels),
    ]


def _machine() -> tuple[float, float]:
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    idle = ticks[3] + ticks[4]
    rows = dict(row.split(":") for row in Path("/proc/meminfo").read_text().splitlines())
    free, total = (int(rows[name].split()[0]) * 1024 for name in ("MemAvailable", "MemTotal"))
    return (sum(ticks[:8]) - idle) / _TICKS, total - free


def _processes(pids: list[int]) -> tuple[float, float]:
    seconds = memory = 0.0
    for pid in pids:
        try:
            words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            memory += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
        except OSError:  # It ended meanwhile.
            continue
        seconds += (int(words[11]) + int(words[12])) / _TICKS
    return seconds, memory


def handler(node: Node, access: Callable[[], tokens.Access]) -> Callable[[Request, str], Answer]:
    """Return what answers at the port; ``access`` is the way to a server."""

    def handle(request: Request, user: str) -> Answer:
        if user != "admin":
            body = {"authorization": request.header("authorization"), "path": request.path}
            try:
                found = access().request("POST", REVIEW, body, **node.shown)
            except tokens.AnswerError:
                return Answer(401, "Unauthorized", "text/plain")
            if found["code"] != 200:
                return Answer(int(found["code"]), str(found["text"]), "text/plain")
        if request.method != "GET":
            raise ApiError(405, "MethodNotAllowed", "405: Method Not Allowed")
        texts: dict[str, Callable[[], str]] = {
            "/metrics": node.registry.text,
            "/metrics/cadvisor": lambda: cadvisor_text(node),
            "/healthz": lambda: "ok",
        }
        if request.path not in texts:
            return Answer(404, "404 page not found\n", "text/plain")
        return Answer(200, texts[request.path](), CONTENT)

    return handle


def serve(node: Node, folder: Path, access: Callable[[], tokens.Access]) -> Frontend:
    """Listen at the kubelet's port with the certificate that the server gave this node."""
    node.registry.add(lambda: kubelet_rows(node))
    certificate, key = folder / "serving-kubelet.crt", folder / "serving-kubelet.key"
    context = server_context(certificate, key, [folder / "client-ca.crt"])
    port = agent_machine.KUBELET_PORT
    try:
        made = Frontend(("", port), context, handler(node, access), lambda *_: False)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        text = f"failed to listen on :{port}: listen tcp :{port}: bind: {why}"
        raise FatalError(text) from error
    made.start()
    return made
