# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Python program in one file (zip application), made ready for the Python of this node.

Python keeps no compiled form of what it reads from an archive, and compiling takes longer than all
that a short program does. So the compiled form is put beside the sources in it. A Python of
another version takes the sources, and so the file never stops to work.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import marshal
import os
import sys
import zipfile
from typing import Optional

_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644
#: The flag of a compiled file that is not compared with its source (PEP 552).
_UNCHECKED = (1).to_bytes(4, "little")


class ProgramError(Exception):
    """A file is no program, and why."""


def source_digest(program: bytes) -> str:
    """Return the digest of a program's sources, whatever else is in the file."""
    digest = hashlib.sha256()
    with _opened(program) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".py"):
                text = archive.read(name)
                digest.update(f"{name} {len(text)}\n".encode())
                digest.update(text)
    return digest.hexdigest()


def compiled(program: bytes, folder: str) -> bytes:
    """Return the program with the compiled form of each of its sources.

    ``folder`` is where it will lie: tracebacks name the files so.
    """
    buffer = io.BytesIO()
    with _opened(program) as archive, zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as made:
        made.comment = _python().encode()
        for name in archive.namelist():
            text = archive.read(name)
            _add(made, name, text)
            code = compile(text, os.path.join(folder, name), "exec", dont_inherit=True)
            head = importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(text)
            _add(made, f"{name}c", head + marshal.dumps(code))
    return program[: program.index(b"PK")] + buffer.getvalue()


def is_current(program: Optional[bytes], digest: str) -> bool:
    """Return whether a file has the sources with ``digest``, compiled for this Python."""
    if program is None:
        return False
    try:
        with _opened(program) as archive:
            right = archive.comment == _python().encode()
        return right and source_digest(program) == digest
    except ProgramError:
        return False


def interpreter(executable: str = sys.executable, usual: str = "/usr/bin/python3") -> str:
    """Return the Python for a unit: the usual name where it is this one, since it stays."""
    same = os.path.realpath(usual) == os.path.realpath(executable)
    return usual if same else executable


def _python() -> str:
    return f"compiled for {sys.implementation.cache_tag}"


def _opened(program: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(program))
    except zipfile.BadZipFile as error:
        raise ProgramError(f"saw no zip application ({error}), expected one") from error


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.external_attr = _MODE << 16
    archive.writestr(entry, data)
