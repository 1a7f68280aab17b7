# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks programs and the libraries of drivers on the node, none of which may hang the caller."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import amd_smi, rocm_smi
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.bounded import (
    BoundedError,
    CallTimeoutError,
    call_bounded,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverView,
    from_plain,
    to_plain,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_smi import (
    parse_smi_xml,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvml import read_nvml

#: Seconds for programs that do not speak with a GPU: package managers, modinfo, dmesg.
ORDINARY_LIMIT = 20.0
NVIDIA_SMI = ("nvidia-smi", "-q", "-x")
#: After this word of an interface nobody asks the next one, which would wait for the same GPU.
_NO_ANSWER = "no answer"


@dataclass(frozen=True)
class Answer:
    """How a program ended and all that it printed; foreign bytes are replaced."""

    rc: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Return the output, or the complaint of a program without output."""
        return self.out if self.out.strip() else self.err


def ask(command: Command, argv: Sequence[str], seconds: float = ORDINARY_LIMIT) -> Answer:
    """Return how a program ended; raise BoundedError when it does not end in time."""
    rc, out, err = call_bounded(functools.partial(_run, command, argv), seconds)
    return Answer(rc, out, err)


def _run(command: Command, argv: Sequence[str]) -> list[Any]:
    result = command.run(argv)
    return [result.rc, _readable(result.out), _readable(result.err)]


def _readable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def output(command: Command, argv: Sequence[str]) -> Optional[str]:
    """Return what a program prints, None when it is missing, fails or hangs."""
    if command.find(argv[0]) is None:
        return None
    try:
        answer = ask(command, argv)
    except BoundedError:
        return None
    return answer.out if answer.rc == 0 else None


def listing(command: Command, argv: Sequence[str]) -> str:
    """Return what a package manager lists; it fails for names that it does not know as well."""
    if command.find(argv[0]) is None:
        return ""
    try:
        return ask(command, argv).out
    except BoundedError:
        return ""


def nvidia_views(
    command: Command, limit: float, load: Callable[[str], Any] = ctypes.CDLL
) -> list[DriverView]:
    """Return what NVML says, and nvidia-smi as well where NVML gives no list.

    nvidia-smi speaks through NVML: where that hangs, so would the program.
    """
    first = _nvml_view(limit, load)
    if first.error is None or first.error.startswith(_NO_ANSWER):
        return [first]
    return [first, _nvidia_smi_view(command, limit)]


def _nvml_view(limit: float, load: Callable[[str], Any]) -> DriverView:
    try:
        return from_plain(DriverView, call_bounded(lambda: to_plain(read_nvml(load)), limit))
    except BoundedError as problem:
        return DriverView("nvml", error=_words(problem))


def _nvidia_smi_view(command: Command, limit: float) -> DriverView:
    if command.find(NVIDIA_SMI[0]) is None:
        return DriverView("nvidia-smi", error="the node has no such program")
    try:
        answer = ask(command, NVIDIA_SMI, limit)
    except BoundedError as problem:
        return DriverView("nvidia-smi", error=_words(problem))
    # GPUs that the program cannot open are named on the error output only, with exit status 0.
    return parse_smi_xml(f"{answer.out}\n{answer.err}")


def amd_views(command: Command, limit: float) -> list[DriverView]:
    """Return what amd-smi says, or rocm-smi where that gives no list; neither if none is there."""
    views = []
    if command.find(amd_smi.SOURCE) is not None:
        views.append(_amd_smi_view(command, limit))
        if views[0].error is None or views[0].error.startswith(_NO_ANSWER):
            return views
    if command.find(rocm_smi.SOURCE) is not None:
        views.append(_rocm_smi_view(command, limit))
    return views


def _amd_smi_view(command: Command, limit: float) -> DriverView:
    try:
        static = ask(command, amd_smi.STATIC_COMMAND, limit).text
    except BoundedError as problem:
        return DriverView(amd_smi.SOURCE, error=_words(problem))
    try:
        metric = ask(command, amd_smi.METRIC_COMMAND, limit).text
    except BoundedError:
        metric = ""
    # Each start of this Python program takes about a second, and its list says nothing more.
    return amd_smi.parse_amd_smi(static, static, metric)


def _rocm_smi_view(command: Command, limit: float) -> DriverView:
    try:
        return rocm_smi.parse_rocm_smi(ask(command, rocm_smi.COMMAND, limit).text)
    except BoundedError as problem:
        return DriverView(rocm_smi.SOURCE, error=_words(problem))


def _words(problem: BoundedError) -> str:
    """Return why an interface gave no answer; one that is slow may only be starting."""
    start = " (a cold start takes 1 to 3 s for each GPU)"
    return f"{problem}{start if isinstance(problem, CallTimeoutError) else ''}"
