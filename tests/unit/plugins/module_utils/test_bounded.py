"""Claims about calls that may hang or crash."""

from __future__ import annotations

import ctypes
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import bounded
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.bounded import (
    BoundedError,
    CallTimeoutError,
    call_bounded,
)


def hang() -> None:
    while True:
        time.sleep(60)


def crash() -> None:
    ctypes.string_at(0)


def refuse() -> None:
    raise ValueError("the driver said no: caf\udce9")


def end() -> None:
    os._exit(3)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"gpus": [], "error": None}, id="plain-data"),
        pytest.param(None, id="nothing"),
        pytest.param("caf\udce9 \u00b5", id="foreign-bytes"),
        pytest.param("x" * 5_000_000, id="more-than-a-pipe-holds"),
    ],
)
def test_answer_comes_back_whole(value: Any) -> None:
    assert call_bounded(lambda: value, 60) == value


def test_what_hangs_is_given_up() -> None:
    with pytest.raises(CallTimeoutError, match=r"^no answer within 0\.2 s$"):
        call_bounded(hang, 0.2)


def test_what_hangs_is_killed_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "alive"
    os.mkfifo(pipe)
    opened: list[int] = []

    def start() -> None:
        with subprocess.Popen(["sh", "-c", f"exec 3>{pipe}; echo up >&3; sleep 600"]):
            hang()

    def too_late(*_ignored: object) -> None:
        # The limit passes at the moment in which the program is seen to run.
        if not opened:
            opened.append(os.open(pipe, os.O_RDONLY))
            assert os.read(opened[0], 3) == b"up\n"

    monkeypatch.setattr(bounded, "_read_until_closed", too_late)
    with pytest.raises(CallTimeoutError):
        call_bounded(start, 60)
    # The pipe ends when the last process that writes to it has ended.
    assert select.select(opened, [], [], 60)[0] == opened
    assert os.read(opened[0], 1) == b""
    os.close(opened[0])


def test_crash_is_an_error_and_not_ours() -> None:
    with pytest.raises(BoundedError, match=r"^ended by signal 11 before it answered$"):
        call_bounded(crash, 60)


def test_exception_keeps_its_words() -> None:
    with pytest.raises(BoundedError) as caught:
        call_bounded(refuse, 60)
    assert str(caught.value) == "ValueError: the driver said no: caf\udce9"


def test_end_without_an_answer_is_an_error() -> None:
    with pytest.raises(BoundedError, match=r"^ended before it answered$"):
        call_bounded(end, 60)


def test_answer_that_is_no_plain_data_is_an_error() -> None:
    with pytest.raises(BoundedError, match=r"^ended before it answered$"):
        call_bounded(object, 60)


def test_what_was_given_up_does_not_hold_the_output_of_its_caller() -> None:
    # A process that cannot be killed would keep an SSH session open if it kept its output.
    program = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import bounded\n"
        "import os, time\n"
        "bounded._kill = lambda child: print(child, flush=True)\n"
        "try:\n"
        "    bounded.call_bounded(lambda: time.sleep(600), 0.1)\n"
        "except bounded.CallTimeoutError as problem:\n"
        "    print(problem)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *sys.path], capture_output=True, text=True, check=True
    )
    child, said = done.stdout.splitlines()
    os.kill(int(child), 9)
    assert said == "no answer within 0.1 s"
