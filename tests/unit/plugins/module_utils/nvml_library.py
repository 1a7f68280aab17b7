"""A stand-in for libnvidia-ml.so.1 that answers as a test says.

Its functions are C callbacks: arguments pass through the same calling convention as those of the
real library.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import nvml_abi as abi

NOT_SUPPORTED, NOT_FOUND, INSUFFICIENT_SIZE, LOST, RESET, UNKNOWN = 3, 6, 7, 15, 16, 999
WORDS = {
    3: b"Not Supported",
    4: b"Insufficient Permissions",
    9: b"Driver Not Loaded",
    12: b"NVML Shared Library Not Found",
    15: b"GPU is lost",
    16: b"GPU requires reset",
    18: b"Driver/library version mismatch",
    999: b"Unknown Error",
}
_KEPT_WORDS = {code: ctypes.create_string_buffer(words) for code, words in WORDS.items()}
_OTHER = ctypes.create_string_buffer(b"other")
#: The first handle of a part; those of GPUs begin at 1.
_PARTS = 100


@dataclass(frozen=True)
class Code:
    """The code that a function returns beside what it writes."""

    number: int


#: What a function writes, in the order of its arguments, or the code that it returns.
Answer = tuple[Any, ...] | int


@dataclass
class Library:
    """``gpus`` and ``parts`` (MIG devices) are answers by function, or the code of their handle."""

    gpus: Sequence[Mapping[str, Answer] | int] = ()
    parts: Sequence[Mapping[str, Answer] | int] = ()
    system: Mapping[str, Answer] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    #: How often it was shut down.
    ended: int = 0
    functions: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        """Return a function of the library, as ctypes does."""
        if not name.startswith("nvml") or name in self.absent:
            raise AttributeError(name)
        return self.functions.setdefault(name, self._function(name))

    def _function(self, name: str) -> Any:
        if name == "nvmlErrorString":
            return ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_int)(_words)

        def called(*arguments: Any) -> int:
            return self._answer(name, arguments)

        return callback(abi.SIGNATURES[name], called)

    def _answer(self, name: str, arguments: tuple[Any, ...]) -> int:
        if name == "nvmlShutdown":
            self.ended += 1
        if name == "nvmlDeviceGetHandleByIndex_v2":
            return _handle(self.gpus, 1, *arguments)
        if name == "nvmlDeviceGetMigDeviceHandleByIndex":
            return _handle(self.parts, _PARTS, *arguments[1:])
        if name == "nvmlDeviceGetCount_v2":
            return _write((len(self.gpus),), name, arguments)
        if not name.startswith("nvmlDevice"):
            return _write(self.system.get(name, ()), name, arguments)
        answers = self._device(arguments[0])
        return _write(answers.get(_key(name, arguments), NOT_SUPPORTED), name, arguments)

    def _device(self, handle: int) -> Mapping[str, Answer]:
        is_part = handle >= _PARTS
        found = self.parts[handle - _PARTS] if is_part else self.gpus[handle - 1]
        assert isinstance(found, Mapping), f"{handle} is no handle that was given out"
        return found


def callback(signature: tuple[Any, ...], function: Callable[..., int]) -> Any:
    """Return a C function that hands its arguments to ``function`` as numbers and addresses."""
    plain = (
        kind if kind in (ctypes.c_uint, ctypes.c_int) else ctypes.c_void_p for kind in signature
    )
    return ctypes.CFUNCTYPE(ctypes.c_int, *plain)(function)


def _words(code: int) -> int:
    return ctypes.addressof(_KEPT_WORDS.get(code, _OTHER))


def _handle(devices: Sequence[Any], first: int, index: int, out: int) -> int:
    if index >= len(devices):
        return NOT_FOUND
    if isinstance(devices[index], int):
        return int(devices[index])
    ctypes.c_void_p.from_address(out).value = first + index
    return 0


def _key(name: str, arguments: tuple[Any, ...]) -> str:
    """Return under which name a test gives the answer."""
    if name == "nvmlDeviceGetTotalEccErrors":
        kind = ("corrected", "uncorrected")[arguments[1]]
        return f"ecc:{kind}:{('volatile', 'aggregate')[arguments[2]]}"
    if name == "nvmlDeviceGetClockInfo":
        return f"clock:{('graphics', 'sm', 'memory')[arguments[1]]}"
    if name == "nvmlDeviceGetRetiredPages":
        return f"{name}:{arguments[1]}"
    return name


def _write(answer: Answer, name: str, arguments: tuple[Any, ...]) -> int:
    """Write what a function answers to where its arguments point; return its code."""
    if isinstance(answer, int):
        return answer
    values = list(answer)
    for kind, address in zip(abi.SIGNATURES[name], arguments, strict=True):
        if kind is ctypes.c_char_p and values:
            text = values.pop(0) + b"\0"
            ctypes.memmove(address, text, len(text))
        elif issubclass(kind, ctypes._Pointer) and address is not None and values:
            _fill(kind._type_.from_address(address), values)
    return values[0].number if values else 0


def _fill(target: Any, values: list[Any]) -> None:
    if not isinstance(target, ctypes.Structure):
        target.value = values.pop(0)
        return
    for each in target._fields_:
        setattr(target, each[0], values.pop(0))
