# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the program of gpu_kernel on one GPU, through the driver's own library and nothing else.

CUDA's driver interface and HIP's module interface differ in the names of their functions only, as
far as this needs them. One process drives one GPU: the environment says which.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_kernel import (
    HIP,
    NAME,
    PTX,
    ROUNDS,
    Pass,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import Vendor

THREADS = 256
BLOCKS = 4096

Load = Callable[[str], Any]


class ComputeError(Exception):
    """The driver refused a step; the text names it in the driver's words."""


@dataclass(frozen=True)
class Interface:
    """A vendor's library, and its names for what is needed."""

    libraries: tuple[str, ...]
    variable: str
    init: str
    device: str
    context: Optional[str]
    memory_info: str
    allocate: str
    set_words: str
    load_module: str
    get_function: str
    launch: str
    wait: str
    copy_back: str
    error_name: str


CUDA = Interface(
    libraries=("libcuda.so.1",),
    variable="CUDA_VISIBLE_DEVICES",
    init="cuInit",
    device="cuDeviceGet",
    context="cuDevicePrimaryCtxRetain",
    memory_info="cuMemGetInfo_v2",
    allocate="cuMemAlloc_v2",
    set_words="cuMemsetD32_v2",
    load_module="cuModuleLoadData",
    get_function="cuModuleGetFunction",
    launch="cuLaunchKernel",
    wait="cuCtxSynchronize",
    copy_back="cuMemcpyDtoH_v2",
    error_name="cuGetErrorName",
)
ROCM = Interface(
    libraries=("libamdhip64.so", "/opt/rocm/lib/libamdhip64.so"),
    variable="HIP_VISIBLE_DEVICES",
    init="hipInit",
    device="hipDeviceGet",
    context=None,
    memory_info="hipMemGetInfo",
    allocate="hipMalloc",
    set_words="hipMemsetD32",
    load_module="hipModuleLoadData",
    get_function="hipModuleGetFunction",
    launch="hipModuleLaunchKernel",
    wait="hipDeviceSynchronize",
    copy_back="hipMemcpyDtoH",
    error_name="hipGetErrorName",
)
INTERFACES = {Vendor.NVIDIA: CUDA, Vendor.AMD: ROCM}
COMPILERS = ("libhiprtc.so", "/opt/rocm/lib/libhiprtc.so")


def open_library(names: Sequence[str], load: Load) -> Any:
    """Return the first library that can be loaded."""
    found = (_try(name, load) for name in names)
    library = next((each for each in found if each is not None), None)
    if library is None:
        raise ComputeError(f"{' and '.join(names)} cannot be loaded; is the driver installed?")
    return library


def _try(name: str, load: Load) -> Any:
    """Return a library, None when it cannot be loaded."""
    try:
        return load(name)
    except OSError:
        return None


class Burner:
    """One GPU with its memory filled, ready to compute."""

    def __init__(self, interface: Interface, load: Load = ctypes.CDLL) -> None:
        self._interface = interface
        self._load = load
        self._library = open_library(interface.libraries, load)
        self._function = ctypes.c_void_p()
        self._values = ctypes.c_void_p()
        self._errors = ctypes.c_void_p()

    def start(self) -> int:
        """Take the first visible GPU and return the bytes of its free memory."""
        device, free, total = ctypes.c_int(), ctypes.c_size_t(), ctypes.c_size_t()
        self._call(self._interface.init, ctypes.c_uint(0))
        self._call(self._interface.device, ctypes.byref(device), ctypes.c_int(0))
        if self._interface.context:
            context = ctypes.c_void_p()
            self._call(self._interface.context, ctypes.byref(context), device)
            self._call("cuCtxSetCurrent", context)
        self._call(self._interface.memory_info, ctypes.byref(free), ctypes.byref(total))
        return free.value

    def fill(self, each: Pass) -> None:
        """Take the memory, compile the program and write every number once."""
        names = self._interface
        self._call(names.allocate, ctypes.byref(self._values), ctypes.c_size_t(each.count * 4))
        self._call(names.allocate, ctypes.byref(self._errors), ctypes.c_size_t(4))
        self._call(names.set_words, self._errors, ctypes.c_uint(0), ctypes.c_size_t(1))
        module = ctypes.c_void_p()
        self._call(names.load_module, ctypes.byref(module), self._program())
        self._call(names.get_function, ctypes.byref(self._function), module, NAME.encode())
        self._launch(each, first=True)

    def run(self, each: Pass) -> None:
        """Compute every number anew and compare it with what stands in the memory."""
        self._launch(each, first=False)

    def errors(self) -> int:
        """Return how many numbers differed so far."""
        found = ctypes.c_uint()
        self._call(self._interface.copy_back, ctypes.byref(found), self._errors, ctypes.c_size_t(4))
        return found.value

    def _launch(self, each: Pass, first: bool) -> None:
        arguments = (
            self._values,
            ctypes.c_uint64(each.count),
            ctypes.c_uint(ROUNDS),
            ctypes.c_uint(first),
            self._errors,
        )
        pointers = (ctypes.c_void_p * len(arguments))(
            *(ctypes.cast(ctypes.byref(value), ctypes.c_void_p) for value in arguments)
        )
        shape = [ctypes.c_uint(size) for size in (BLOCKS, 1, 1, THREADS, 1, 1, 0)]
        self._call(self._interface.launch, self._function, *shape, None, pointers, None)
        self._call(self._interface.wait)

    def _program(self) -> Any:
        if self._interface is CUDA:
            return ctypes.c_char_p(PTX.encode())
        compiler = open_library(COMPILERS, self._load)
        program, size = ctypes.c_void_p(), ctypes.c_size_t()
        source = ctypes.c_char_p(HIP.encode())
        steps: tuple[tuple[str, tuple[Any, ...]], ...] = (
            ("hiprtcCreateProgram", (ctypes.byref(program), source, b"burn.hip", 0, None, None)),
            ("hiprtcCompileProgram", (program, 0, None)),
            ("hiprtcGetCodeSize", (program, ctypes.byref(size))),
        )
        for name, arguments in steps:
            _need(name, getattr(compiler, name)(*arguments))
        code = ctypes.create_string_buffer(size.value)
        _need("hiprtcGetCode", compiler.hiprtcGetCode(program, code))
        return code

    def _call(self, name: str, *arguments: Any) -> None:
        try:
            function = getattr(self._library, name)
        except AttributeError:
            raise ComputeError(f"the driver's library has no function {name}") from None
        code = function(*arguments)
        if code != 0:
            raise ComputeError(f"{name}: {self._error_name(code)} ({code})")

    def _error_name(self, code: int) -> str:
        ask = getattr(self._library, self._interface.error_name)
        if self._interface is ROCM:
            ask.restype = ctypes.c_char_p
            said = ask(code)
        else:
            text = ctypes.c_char_p()
            ask(code, ctypes.byref(text))
            said = text.value
        return said.decode(errors="replace") if said else "error"


def _need(name: str, code: int) -> None:
    """Raise ComputeError when a step of the compiler failed."""
    if code != 0:
        raise ComputeError(f"{name} failed ({code})")
