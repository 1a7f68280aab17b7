"""The steps that load a GPU, against a library written in Python."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_compute import (
    CUDA,
    ROCM,
    Burner,
    ComputeError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_kernel import (
    ROUNDS,
    plan_pass,
)


class Driver:
    """A driver's library: every function answers 0 and is remembered, ``codes`` says otherwise."""

    def __init__(self, codes: dict[str, int] | None = None, free: int = 1 << 30) -> None:
        self.codes = codes or {}
        self.free = free
        self.calls: list[str] = []
        self.launched: list[tuple[int, int, int]] = []
        self.wrong = 0

    def __getattr__(self, name: str) -> Any:
        """Return the function of this name."""
        if not name.startswith(("cu", "hip")):
            raise AttributeError(name)

        def function(*arguments: Any) -> int:
            self.calls.append(name)
            if name.endswith("MemGetInfo_v2") or name == "hipMemGetInfo":
                arguments[0]._obj.value = self.free
            if "LaunchKernel" in name:
                self._remember(arguments[9])
            if name in ("cuMemcpyDtoH_v2", "hipMemcpyDtoH"):
                arguments[0]._obj.value = self.wrong
            if name == "cuGetErrorName":
                arguments[1]._obj.value = b"CUDA_ERROR_OUT_OF_MEMORY"
            return self.codes.get(name, 0)

        return function

    def _remember(self, pointers: Any) -> None:
        count = ctypes.cast(pointers[1], ctypes.POINTER(ctypes.c_uint64))[0]
        rounds = ctypes.cast(pointers[2], ctypes.POINTER(ctypes.c_uint))[0]
        first = ctypes.cast(pointers[3], ctypes.POINTER(ctypes.c_uint))[0]
        self.launched.append((count, rounds, first))


def test_memory_is_written_once_and_compared_afterwards() -> None:
    driver = Driver(free=1 << 30)
    burner = Burner(CUDA, load=lambda _name: driver)
    each = plan_pass(burner.start(), 0.5)
    burner.fill(each)
    burner.run(each)
    driver.wrong = 4
    assert driver.launched == [(134217728, ROUNDS, 1), (134217728, ROUNDS, 0)]
    assert burner.errors() == 4
    assert driver.calls.count("cuCtxSynchronize") == 2


def test_amd_compiles_on_the_node_with_the_same_steps() -> None:
    driver = Driver(free=1 << 20)
    burner = Burner(ROCM, load=lambda _name: driver)
    each = plan_pass(burner.start(), 1.0)
    burner.fill(each)
    assert "hiprtcCompileProgram" in driver.calls
    assert driver.launched == [(262144, ROUNDS, 1)]


def test_a_refusal_is_told_in_the_driver_s_words() -> None:
    driver = Driver({"cuMemAlloc_v2": 2})
    burner = Burner(CUDA, load=lambda _name: driver)
    each = plan_pass(burner.start(), 0.9)
    with pytest.raises(ComputeError, match=r"^cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY \(2\)$"):
        burner.fill(each)


def test_a_missing_library_is_named() -> None:
    def load(name: str) -> Any:
        raise OSError(name)

    with pytest.raises(ComputeError, match=r"libcuda.so.1 cannot be loaded"):
        Burner(CUDA, load=load)


def test_one_pass_costs_what_its_numbers_cost() -> None:
    assert plan_pass(8 * 1024**3, 0.5).count == 1024**3
    assert plan_pass(8 * 1024**3, 0.5).operations == 512 * 1024**3
