# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arguments on the kernel's command line: what boot loaders' files say, and what must change."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import HEADER

#: No quotes, blanks, dollars or backslashes: what is written is read by a shell.
_ARGUMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,:;=/+@%*\[\]-]*")


class KernelArgumentError(ValueError):
    """An argument cannot be given to the kernel this way."""


def check_arguments(arguments: Iterable[str]) -> None:
    """Raise KernelArgumentError for what is not one plain argument."""
    for argument in arguments:
        if not _ARGUMENT.fullmatch(argument):
            raise KernelArgumentError(
                f"os_base_kernel_arguments has '{argument}', expected one argument without blanks, "
                f"quotes, dollars and backslashes, such as pci=realloc; nothing was changed"
            )


def missing_from(words: str, arguments: Iterable[str]) -> list[str]:
    """Return the arguments that a command line does not have."""
    present = words.split()
    return [argument for argument in arguments if argument not in present]


def render_dropin(arguments: Sequence[str]) -> Optional[str]:
    """Return the file for /etc/default/grub.d, None when it is not needed."""
    if not arguments:
        return None
    value = " ".join(("$GRUB_CMDLINE_LINUX_DEFAULT", *arguments))
    return f'{HEADER}GRUB_CMDLINE_LINUX_DEFAULT="{value}"\n'


def menu_lacks(menu: str, arguments: Sequence[str]) -> list[str]:
    """Return the arguments that no normal entry of grub.cfg has.

    Rescue entries never have them. A menu without Linux lacks nothing.
    """
    lines = [line.split() for line in menu.splitlines()]
    entries = [
        words
        for words in lines
        if words and words[0] in ("linux", "linux16", "linuxefi") and not _is_rescue(words)
    ]
    return [a for a in arguments if entries and not any(a in words for words in entries)]


def _is_rescue(words: Sequence[str]) -> bool:
    return "single" in words or "recovery" in words


def parse_grubby(text: str) -> list[str]:
    """Return the command line of each entry in the output of ``grubby --info=ALL``."""
    return re.findall(r'^args="(.*)"$', text, re.MULTILINE)


RECORD_NOTE = "# What was added to the kernel's command line; remove takes it out again.\n"


def render_record(arguments: Iterable[str]) -> Optional[str]:
    """Return the file that remembers which arguments came from here, None for none."""
    lines = "".join(f"{argument}\n" for argument in sorted(set(arguments)))
    return HEADER + RECORD_NOTE + lines if lines else None


def parse_record(text: Optional[str]) -> list[str]:
    """Return the remembered arguments."""
    return [line for line in (text or "").splitlines() if line and not line.startswith("#")]


@dataclass(frozen=True)
class GrubbyPlan:
    """What to tell grubby. ``record`` is everything that is or was ours, until it is done."""

    add: tuple[str, ...]
    remove: tuple[str, ...]
    record: tuple[str, ...]
    final: tuple[str, ...]

    def argv(self) -> list[str]:
        """Return the command line."""
        parts = ["grubby", "--update-kernel=ALL"]
        parts += [f"--args={' '.join(self.add)}"] if self.add else []
        parts += [f"--remove-args={' '.join(self.remove)}"] if self.remove else []
        return parts


def plan_grubby(
    entries: Sequence[str], later: Optional[str], recorded: Sequence[str], wanted: Sequence[str]
) -> GrubbyPlan:
    """Return what takes the boot entries, and what later kernels start from, to ``wanted``.

    ``later`` is the text of /etc/kernel/cmdline, None where there is none. Only what the record
    names is taken out: an argument that the owner had already stays.
    """
    lines = [*entries, *([] if later is None else [later])]
    add = [a for a in wanted if any(missing_from(line, [a]) for line in lines)]
    old = [a for a in recorded if a not in wanted]
    remove = [a for a in old if any(a in line.split() for line in lines)]
    ours = [a for a in wanted if a in add or a in recorded]
    return GrubbyPlan(
        tuple(add), tuple(remove), tuple(dict.fromkeys([*recorded, *ours])), tuple(ours)
    )


def with_arguments(line: str, add: Iterable[str], remove: Iterable[str]) -> str:
    """Return the text of /etc/kernel/cmdline with and without some arguments."""
    gone = set(remove)
    words = [word for word in line.split() if word not in gone]
    changed = [*words, *missing_from(line, add)]
    return line if changed == line.split() else " ".join(changed) + "\n"
