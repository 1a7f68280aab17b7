# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet's part: what the pods bound to this node become."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.lab.k3s.standin import images

MISSING = "does-not-exist"


def now() -> str:
    """Return the time as Kubernetes writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@dataclass(frozen=True)
class Pulling:
    """Which images this node can have: those imported, and any if a registry can be reached."""

    imported: Sequence[str]
    registry: Callable[[], bool]

    def problem(self, image: str) -> str:
        """Return why an image cannot be had; empty when it can."""
        if MISSING in image:
            return f'failed to pull and unpack image "{images.full_name(image)}": not found'
        if images.is_there(image, self.imported) or self.registry():
            return ""
        host = images.full_name(image).split("/")[0]
        return (
            f'failed to pull and unpack image "{images.full_name(image)}": failed to do request: '
            f'Head "https://{host}/v2/": dial tcp: connect: network is unreachable'
        )


@dataclass
class Pod:
    """A pod that runs here."""

    namespace: str
    name: str
    uid: str
    address: str = ""
    started: str = field(default_factory=now)
    running: bool = False
    sandbox: str = ""

    @property
    def key(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"


def containers_of(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a pod's containers."""
    return list(pod.get("spec", {}).get("containers") or [])


def all_images(pod: Mapping[str, Any]) -> list[str]:
    """Return the images of a pod, those of its first steps too."""
    spec = pod.get("spec", {})
    entries = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    return [str(entry.get("image", "")) for entry in entries]


def of_job(pod: Mapping[str, Any]) -> bool:
    """Return whether a Job made this pod, so that it ends by itself."""
    owners = pod.get("metadata", {}).get("ownerReferences") or []
    return any(owner.get("kind") == "Job" for owner in owners)


def fails(pod: Mapping[str, Any]) -> bool:
    """Return whether a Job's pod is one that is meant to fail: it runs `false` or `exit 1`."""
    words = " ".join(
        str(word)
        for entry in containers_of(pod)
        for word in [*(entry.get("command") or []), *(entry.get("args") or [])]
    )
    return words.strip() in ("false", "/bin/false") or "exit 1" in words


def container_id(uid: str, name: str) -> str:
    """Return a container's ID."""
    return hashlib.sha256(f"{uid} {name}".encode()).hexdigest()


def status(
    pod: Mapping[str, Any], state: Pod, host_ip: str, problem: str, missing_class: str = ""
) -> dict[str, Any]:
    """Return a pod's status: running, ended, or waiting with the reason."""
    entries = containers_of(pod)
    states: list[dict[str, Any]]
    if problem or missing_class:
        reason = "ImagePullBackOff" if problem else "ContainerCreating"
        message = f"Back-off pulling image: {problem}" if problem else missing_class
        phase, ready = "Pending", False
        states = [{"waiting": {"reason": reason, "message": message}} for _ in entries]
    elif of_job(pod):
        bad = fails(pod)
        phase, ready = ("Failed" if bad else "Succeeded"), False
        ended = {
            "exitCode": 1 if bad else 0,
            "reason": "Error" if bad else "Completed",
            "startedAt": state.started,
            "finishedAt": now(),
        }
        states = [{"terminated": ended} for _ in entries]
    else:
        phase, ready = "Running", True
        states = [{"running": {"startedAt": state.started}} for _ in entries]
    return {
        "phase": phase,
        "hostIP": host_ip,
        "podIP": state.address,
        "podIPs": [{"ip": state.address}] if state.address else [],
        "startTime": state.started,
        "conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": state.started},
            {"type": "Initialized", "status": "True", "lastTransitionTime": state.started},
            *(_condition(kind, ready, phase, state) for kind in ("Ready", "ContainersReady")),
        ],
        "containerStatuses": [
            {
                "name": entry.get("name", ""),
                "image": entry.get("image", ""),
                "ready": ready,
                "started": ready,
                "restartCount": 0,
                "state": now_state,
                "imageID": "" if problem else images.identity(str(entry.get("image", ""))),
                "containerID": ""
                if problem
                else f"containerd://{container_id(state.uid, str(entry.get('name')))}",
            }
            for entry, now_state in zip(entries, states, strict=True)
        ],
    }


def _condition(kind: str, ready: bool, phase: str, state: Pod) -> dict[str, Any]:
    found: dict[str, Any] = {"type": kind, "status": "True" if ready else "False"}
    found["lastTransitionTime"] = state.started
    if not ready:
        found["reason"] = "PodCompleted" if phase == "Succeeded" else "ContainersNotReady"
    return found
