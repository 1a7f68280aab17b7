# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the Kubernetes API of a server through the kubectl that k3s brings along."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command, Result
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_paths import (
    BINARY,
    KUBECONFIG,
)

#: Seconds that one request to the API may take.
REQUEST_SECONDS = 10
#: Seconds that a whole call may take: kubectl makes several requests, and repeats some.
CALL_SECONDS = 60
#: How timeout(1) ends when it had to end the program.
_TIMED_OUT = (124, 137)
_NO_PROGRAM = (126, 127)
#: What kubectl writes before the words of an error.
_PREFIX = re.compile(r"^(?:error: |Error from server(?: \((?P<reason>\w+)\))?: )")


class KubectlError(Exception):
    """The API, or the way to it, refused.

    ``reason`` is the API's own word, such as NotFound or Forbidden, ``silent`` when nobody answered
    and empty when kubectl gave none.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class Kubectl:
    """The cluster's administrator, on a server."""

    def __init__(
        self, command: Command, kubeconfig: str = KUBECONFIG, call_seconds: int = CALL_SECONDS
    ) -> None:
        self._command = command
        self._kubeconfig = kubeconfig
        self._seconds = call_seconds

    def get(
        self,
        kind: str,
        name: Optional[str] = None,
        namespace: Optional[str] = None,
        selector: Optional[str] = None,
    ) -> Any:
        """Return the object called ``name``, None where there is none; without a name the list.

        Without a namespace the list is of all of them.
        """
        argv = ["get", kind, *([name] if name else []), *_scope(name, namespace)]
        argv += [f"--selector={selector}"] if selector else []
        try:
            answer = self.json([*argv, "--output=json"])
        except KubectlError as error:
            if name and error.reason == "NotFound":
                return None
            raise
        if name:
            return answer
        items = answer.get("items")
        if not isinstance(items, list):
            raise KubectlError(f"kubectl get {kind}: saw no list in the answer")
        return items

    def json(self, argv: Sequence[str]) -> dict[str, Any]:
        """Return the JSON object that kubectl prints."""
        text = self.run(argv)
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise KubectlError(f"kubectl {argv[0]}: saw no JSON object: {text.strip()[:100]!r}")
        return answer

    def run(
        self, argv: Sequence[str], text: Optional[str] = None, seconds: Optional[int] = None
    ) -> str:
        """Return what kubectl prints, fed with ``text``; KubectlError when it does not end well."""
        result = self.attempt(argv, text, seconds)
        if result.rc != 0:
            raise explain(result, seconds or self._seconds)
        return result.out

    def attempt(
        self, argv: Sequence[str], text: Optional[str] = None, seconds: Optional[int] = None
    ) -> Result:
        """Return how kubectl ended; it is ended after ``seconds`` at the latest."""
        bound = ["timeout", "--kill-after=5", str(seconds or self._seconds)]
        way = [f"--kubeconfig={self._kubeconfig}", f"--request-timeout={REQUEST_SECONDS}s"]
        return self._command.run([*bound, BINARY, "kubectl", *way, *argv], text)


def _scope(name: Optional[str], namespace: Optional[str]) -> list[str]:
    if namespace:
        return [f"--namespace={namespace}"]
    return [] if name else ["--all-namespaces"]


def explain(result: Result, seconds: int = CALL_SECONDS) -> KubectlError:
    """Return what went wrong with one call, in the API's own words where it said some."""
    lines = [line.strip() for line in result.err.splitlines() if line.strip()]
    said = _last_words(lines)
    if result.rc in _TIMED_OUT:
        return KubectlError(f"kubectl gave no answer within {seconds} s{_after(said)}", "silent")
    if result.rc in _NO_PROGRAM:
        return KubectlError(f"{BINARY} cannot be run{_after(said)}; run provision.yml", "silent")
    match = _PREFIX.match(said)
    words = said[match.end() :] if match else said
    if _is_silence(words):
        return KubectlError(words, "silent")
    reason = (match.group("reason") or "") if match else ""
    return KubectlError(words or f"kubectl exited {result.rc} without a word", reason)


def _last_words(lines: Sequence[str]) -> str:
    """Return the line that says why: an error of kubectl's, else the last one."""
    told = [line for line in lines if _PREFIX.match(line)]
    return (told or list(lines) or [""])[-1]


def _after(said: str) -> str:
    return f" ({said})" if said else ""


def _is_silence(words: str) -> bool:
    signs = (
        "was refused - did you specify the right host or port",
        "Unable to connect to the server",
        "context deadline exceeded",
        "connection refused",
        "i/o timeout",
        "TLS handshake timeout",
        "the server is currently unable to handle the request",
        "etcdserver: no leader",
        "etcdserver: request timed out",
    )
    return any(sign in words for sign in signs)


def metadata(item: Any) -> Mapping[str, Any]:
    """Return an object's metadata, empty where it has none."""
    found = item.get("metadata") if isinstance(item, dict) else None
    return found if isinstance(found, dict) else {}
