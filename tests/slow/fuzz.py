# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feed broken texts to every parser of GPU data, and see that none of them raises.

    python3 -m tests.slow.fuzz                           100,000 inputs
    python3 -m tests.slow.fuzz --inputs 1000 --seed 7    fewer, others
    python3 -m tests.slow.fuzz --target nvidia-smi       one parser

Inputs are fixtures that were cut, joined, repeated and overwritten, and bytes that mean nothing.
The same seed makes the same inputs. Takes about three minutes on one core.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import tests.conftest  # noqa: F401  makes the collection importable
from tests.slow.fuzz_targets import SEPARATOR, TARGETS, samples

#: Longer inputs find nothing that these do not, and take most of the time.
MOST_CHARACTERS = 20_000
_PIECES = (
    "",
    "\x00",
    SEPARATOR,
    "\ufffd",
    "\ud800",
    "N/A",
    "[Unknown Error]",
    "GPU is lost",
    "-1",
    "0",
    "99999999999999999999999999",
    "1e999",
    "NaN",
    "0x",
    "\u0663",  # a digit, but none that a driver prints
    "<",
    "&#0;",
    "&amp;",
    "</gpu>",
    '<gpu id="0000:00:00.0">',
    "Unable to determine the device handle for GPU",
    "]}",
    "null",
    "[]",
    "{}",
    "==> nodes/1/properties <==\n",
    "\n[",
    "\r\n",
    "\t",
    " = ",
)


@dataclass
class Fuzzed:
    """How a parser took its inputs: each exception with the seed of the first that raised it."""

    inputs: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    crashes: dict[str, int] = field(default_factory=dict)

    def row(self, name: str) -> str:
        """Return the line of the table."""
        rate = self.inputs / self.seconds if self.seconds else 0.0
        return (
            f"{name:<12} {self.inputs:>8} inputs  {len(self.crashes):>3} crashes  "
            f"{rate:>9.0f} inputs/s  slowest {self.slowest * 1000:>7.1f} ms"
        )


def make_input(texts: Sequence[str], seed: int) -> str:
    """Return the input with this number: always the same one."""
    chance = random.Random(seed)  # noqa: S311  nothing is kept secret with it
    if chance.random() < 0.1:
        noise = chance.randbytes(chance.randrange(400))
        return noise.decode("utf-8", "replace")
    text = chance.choice(texts)
    start = chance.randrange(len(text)) if len(text) > MOST_CHARACTERS else 0
    text = text[start : start + MOST_CHARACTERS]
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        text = _mutate(chance, text, texts)
    return text[: 2 * MOST_CHARACTERS]


def _mutate(chance: random.Random, text: str, texts: Sequence[str]) -> str:
    """Return the text with one change at a random place."""
    start = chance.randrange(len(text) + 1)
    end = min(len(text), start + chance.choice((0, 1, 8, 80, 800)))
    kind = chance.randrange(6)
    if kind == 0:
        return text[:start]
    if kind == 1:
        return text[:start] + text[end:]
    if kind == 2:
        return text[:end] + text[start:end] * chance.randrange(4) + text[end:]
    if kind == 3:
        other = chance.choice(texts)
        place = chance.randrange(len(other) + 1)
        return text[:start] + other[place : place + 800] + text[end:]
    if kind == 4:
        return text[:start] + chance.randbytes(end - start).decode("utf-8", "replace") + text[end:]
    return text[:start] + chance.choice(_PIECES) + text[end:]


def fuzz(name: str, texts: Sequence[str], seeds: range) -> Fuzzed:
    """Return how one parser took the inputs with these numbers."""
    done = Fuzzed()
    for seed in seeds:
        text = make_input(texts, seed)
        start = time.perf_counter()
        try:
            TARGETS[name](text)
        # Whatever it is, it is what is looked for.
        except Exception as error:
            place = _place(error)
            done.crashes.setdefault(f"{type(error).__name__}: {str(error)[:120]} at {place}", seed)
        taken = time.perf_counter() - start
        done.inputs += 1
        done.seconds += taken
        done.slowest = max(done.slowest, taken)
    return done


def _place(error: Exception) -> str:
    """Return the file and line that raised."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "nowhere"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print a table and return 1 where something crashed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=100_000, help="in all; default 100000")
    parser.add_argument("--seed", type=int, default=0, help="the number of the first input")
    parser.add_argument("--target", choices=sorted(TARGETS), action="append")
    options = parser.parse_args(arguments)
    names = options.target or list(TARGETS)
    texts = samples()
    each = -(-options.inputs // len(names))
    total = Fuzzed()
    for name in names:
        done = fuzz(name, texts[name], range(options.seed, options.seed + each))
        _say(done.row(name))
        for crash, seed in done.crashes.items():
            _say(f"  {crash}; again: --target {name} --seed {seed} --inputs 1")
        total.inputs += done.inputs
        total.seconds += done.seconds
        total.slowest = max(total.slowest, done.slowest)
        total.crashes.update(done.crashes)
    _say(total.row("all"))
    return 1 if total.crashes else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
