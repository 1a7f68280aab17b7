"""Processes that load GPUs: what they tell, and what becomes of those that hang or die."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import gpu_workers
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_burn import Load, Target
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_compute import (
    ComputeError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import Vendor
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_workers import (
    Tell,
    run_all,
)

FIRST = Target("0", Vendor.NVIDIA, 0, "GPU-a", "A10", "0000:3b:00.0")
SECOND = Target("1", Vendor.NVIDIA, 1, "GPU-b", "A10", "0000:5e:00.0")


def test_each_gpu_has_a_process_and_its_last_word_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def burn(target: Target, seconds: float, fraction: float, tell: Tell) -> None:
        tell(Load(passes=1, seconds=seconds / 2))
        tell(Load(passes=2 + target.index, seconds=seconds, memory_mib=int(fraction * 100)))

    monkeypatch.setattr(gpu_workers, "burn", burn)
    assert run_all([FIRST, SECOND], 4.0, 0.5, lambda: None, 60.0) == {
        FIRST: Load(passes=2, seconds=4.0, memory_mib=50),
        SECOND: Load(passes=3, seconds=4.0, memory_mib=50),
    }


def test_a_driver_that_hangs_is_given_up_and_the_others_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def burn(target: Target, seconds: float, fraction: float, tell: Tell) -> None:
        del seconds, fraction
        tell(Load(passes=1))
        if target is SECOND:
            signal.pause()

    monkeypatch.setattr(gpu_workers, "burn", burn)
    monkeypatch.setattr(gpu_workers, "GRACE_SECONDS", 0.2)
    found = run_all([FIRST, SECOND], 0.0, 0.5, lambda: None, 60.0)
    assert found[FIRST] == Load(passes=1)
    assert found[SECOND] == Load(passes=1, error="the driver gave no answer within 0 s")


def test_a_process_that_dies_at_once_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def burn(*_arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(gpu_workers, "burn", burn)
    found = run_all([FIRST], 1.0, 0.5, lambda: None, 60.0)
    assert found == {FIRST: Load(error="its process ended at once")}


def test_gpus_are_watched_while_they_compute(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    watched = tmp_path / "watched"
    os.mkfifo(watched)

    def burn(_target: Target, _seconds: float, _fraction: float, tell: Tell) -> None:
        watched.read_text()  # Ends only after it was looked at.
        tell(Load(passes=1))

    monkeypatch.setattr(gpu_workers, "burn", burn)
    found = run_all([FIRST], 60.0, 0.5, lambda: _write(watched), 0.05)
    assert found == {FIRST: Load(passes=1)}


def test_a_missing_driver_is_told_and_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    told: list[Load] = []
    monkeypatch.setattr(gpu_workers, "Burner", _refuse)
    gpu_workers.burn(FIRST, 1.0, 0.5, told.append)
    assert told == [Load(error="libcuda.so.1 cannot be loaded; is the driver installed?")]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-a"


def _refuse(_interface: object) -> None:
    raise ComputeError("libcuda.so.1 cannot be loaded; is the driver installed?")


def _write(path: Path) -> None:
    with suppress(OSError):  # Nobody reads once the process has ended.
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
